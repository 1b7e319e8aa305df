//! What a user program must be like beyond being well formed.

use crate::header::{ElfError, Image, Kind};
use capos_abi::{PAGE_SIZE, layout};

const PAGE: u64 = PAGE_SIZE as u64;

/// Checks that `image` is a static program that can be mapped: fixed addresses in the program area, segments in rising order on
/// pages of their own, none writable and executable, the entry in code.
pub fn check_user(image: &Image<'_>) -> Result<(), ElfError> {
    if image.kind() != Kind::Fixed {
        return Err(ElfError::WrongKind);
    }
    if image.is_dynamic() {
        return Err(ElfError::Dynamic);
    }
    let mut floor = layout::IMAGE_BASE;
    let mut entry_is_code = false;
    for (n, segment) in image.segments().enumerate() {
        if segment.access.write && segment.access.execute {
            return Err(ElfError::WritableAndExecutable(n));
        }
        if segment.address % PAGE != segment.offset % PAGE {
            return Err(ElfError::Misaligned(n));
        }
        let end = segment.address.saturating_add(segment.memory_size);
        if segment.address < layout::IMAGE_BASE || end > layout::IMAGE_MAX || segment.memory_size == 0 {
            return Err(ElfError::OutOfBounds(n));
        }
        if segment.address - segment.address % PAGE < floor {
            return Err(ElfError::Overlap(n));
        }
        floor = end.next_multiple_of(PAGE);
        entry_is_code |= segment.access.execute && (segment.address..end).contains(&image.entry());
    }
    match (floor > layout::IMAGE_BASE, entry_is_code) {
        (false, _) => Err(ElfError::NoSegments),
        (true, false) => Err(ElfError::BadEntry),
        (true, true) => Ok(()),
    }
}
