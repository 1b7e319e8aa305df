//! Relocations of a position-independent file that needs nothing but its own address added (`ET_DYN` linked statically).

use crate::bytes::{index, u64_at};
use crate::header::{ElfError, Image, Kind};
use crate::segment::Segment;

const DYNAMIC_ENTRY: usize = 16;
const RELA: usize = 24;
/// `R_X86_64_RELATIVE`: the word becomes load address plus addend.
const RELATIVE: u64 = 8;
/// Entries of a dynamic section that are looked at: a linker writes about twenty.
const DYNAMIC_MAX: usize = 256;

/// One word to patch: at `address` (as linked) goes the load address plus `addend`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relocation {
    /// Where, relative to the load address.
    pub address: u64,
    /// What to add to the load address.
    pub addend: u64,
}

/// The relocations of a whole file, all checked.
#[derive(Clone, Debug)]
pub struct Relocations<'a> {
    entries: core::slice::ChunksExact<'a, u8>,
}

impl<'a> Relocations<'a> {
    /// Finds and checks the relocations of `image`, which was parsed from `file`. None are an empty iterator. Refuses any that
    /// would need a symbol, and any that lies outside of the loaded memory.
    pub fn of(image: &Image<'a>, file: &'a [u8]) -> Result<Self, ElfError> {
        if image.kind() != Kind::PositionIndependent {
            return Ok(Relocations { entries: [].chunks_exact(RELA) });
        }
        let table = table(image, file).ok_or(ElfError::BadRelocation(0))?;
        for (n, entry) in table.chunks_exact(RELA).enumerate() {
            let inside = word(entry, 0).is_some_and(|address| segment_of(image, address, 8).is_some());
            if word(entry, 8) != Some(RELATIVE) || !inside {
                return Err(ElfError::BadRelocation(n));
            }
        }
        Ok(Relocations { entries: table.chunks_exact(RELA) })
    }
}

impl Iterator for Relocations<'_> {
    type Item = Relocation;

    fn next(&mut self) -> Option<Relocation> {
        let entry = self.entries.next()?;
        Some(Relocation { address: word(entry, 0)?, addend: word(entry, 16)? })
    }
}

fn word(entry: &[u8], at: usize) -> Option<u64> {
    u64_at(entry, at)
}

/// The bytes of the relocation table; empty when the dynamic section names none.
fn table<'a>(image: &Image<'a>, file: &'a [u8]) -> Option<&'a [u8]> {
    const DT_NULL: u64 = 0;
    const DT_RELA: u64 = 7;
    const DT_RELASZ: u64 = 8;
    const DT_RELAENT: u64 = 9;
    let Some((offset, size)) = image.dynamic() else { return Some(&[]) };
    let dynamic = slice(file, offset, size)?;
    let (mut address, mut size, mut entry_size) = (None, 0, RELA as u64);
    for entry in dynamic.chunks_exact(DYNAMIC_ENTRY).take(DYNAMIC_MAX) {
        let value = word(entry, 8)?;
        match word(entry, 0)? {
            DT_NULL => break,
            DT_RELA => address = Some(value),
            DT_RELASZ => size = value,
            DT_RELAENT => entry_size = value,
            _ => {}
        }
    }
    let Some(address) = address else { return Some(&[]) };
    if entry_size != RELA as u64 || !size.is_multiple_of(entry_size) {
        return None;
    }
    let segment = segment_of(image, address, size)?;
    let within = address - segment.address;
    let in_file = within.checked_add(size)? <= segment.file_size;
    slice(file, segment.offset.checked_add(within)?, size).filter(|_| in_file)
}

/// The segment that holds `len` bytes at `address`.
fn segment_of(image: &Image<'_>, address: u64, len: u64) -> Option<Segment> {
    let end = address.checked_add(len)?;
    image.segments().find(|it| it.address <= address && end <= it.address.saturating_add(it.memory_size))
}

fn slice(file: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = index(offset)?;
    file.get(start..start.checked_add(index(size)?)?)
}
