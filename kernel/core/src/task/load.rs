//! Loads a static program into a new address space.
//!
//! The file may belong to somebody who changes it while we look: its headers are parsed from a private copy, and what the segments
//! hold is the owner's own business. Segments that nobody can write are mapped from the file itself where its pages allow it, so
//! that all processes of one program share their code.

use capos_abi::PAGE_SIZE;
use capos_elf::{Access, HEADER_MAX, Image, Segment, check_user};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::vm::AddressSpace;
use kernel_hal::{MemError, Protection, VmError};

/// Why a program was not loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoadError {
    /// It is not a program that could run here.
    Malformed,
    /// There was no memory for it.
    Memory(VmError),
}

impl From<VmError> for LoadError {
    fn from(error: VmError) -> Self {
        match error {
            VmError::OutOfMemory | VmError::BudgetExhausted => LoadError::Memory(error),
            _ => LoadError::Malformed,
        }
    }
}

impl From<MemError> for LoadError {
    fn from(error: MemError) -> Self {
        LoadError::from(VmError::from(error))
    }
}

const PAGE: u64 = PAGE_SIZE as u64;

/// Loads the first `size` bytes of `file` and answers the entry point. On failure `space` is to be dropped.
pub(crate) fn load(
    file: &Ref<Frames>,
    size: u64,
    space: &Ref<AddressSpace>,
    account: &Ref<Account>,
) -> Result<u64, LoadError> {
    if size > (file.pages() * PAGE_SIZE) as u64 {
        return Err(LoadError::Malformed);
    }
    let mut headers = [0; HEADER_MAX];
    let len = usize::try_from(size).map_or(HEADER_MAX, |size| size.min(HEADER_MAX));
    let start = headers.get_mut(..len).ok_or(LoadError::Malformed)?;
    file.read(0, start).map_err(|_| LoadError::Malformed)?;
    let image = Image::parse(start, size).map_err(|_| LoadError::Malformed)?;
    check_user(&image).map_err(|_| LoadError::Malformed)?;
    for segment in image.segments() {
        if can_share(file, &segment) {
            share(file, &segment, space)?;
        } else {
            copy(file, &segment, space, account)?;
        }
    }
    Ok(image.entry())
}

/// Whether a segment can be mapped from the file's own pages: nobody can ever write them, and nothing has to be zeroed.
fn can_share(file: &Ref<Frames>, segment: &Segment) -> bool {
    file.is_read_only() && !segment.access.write && segment.file_size == segment.memory_size
}

fn share(file: &Ref<Frames>, segment: &Segment, space: &Ref<AddressSpace>) -> Result<(), LoadError> {
    let Span { address, pages, skip } = Span::of(segment)?;
    let first = index((segment.offset - skip as u64) / PAGE)?;
    Ok(space.map_fixed(address, file, first, pages, protection(segment.access), false)?)
}

fn copy(
    file: &Ref<Frames>,
    segment: &Segment,
    space: &Ref<AddressSpace>,
    account: &Ref<Account>,
) -> Result<(), LoadError> {
    let Span { address, pages, skip } = Span::of(segment)?;
    let frames = Frames::zeroed(pages, account)?;
    let mut buffer = [0; 1024];
    let (mut from, mut to, mut left) = (index(segment.offset)?, skip, index(segment.file_size)?);
    while left > 0 {
        let len = left.min(buffer.len());
        let part = buffer.get_mut(..len).ok_or(LoadError::Malformed)?;
        file.read(from, part).map_err(|_| LoadError::Malformed)?;
        frames.write(to, part).map_err(|_| LoadError::Malformed)?;
        (from, to, left) = (from + len, to + len, left - len);
    }
    let writable = segment.access.write;
    Ok(space.map_fixed(address, &frames, 0, pages, protection(segment.access), writable)?)
}

/// The whole pages that a segment takes up.
struct Span {
    address: u64,
    pages: usize,
    /// Bytes of the first page before the segment.
    skip: usize,
}

impl Span {
    fn of(segment: &Segment) -> Result<Self, LoadError> {
        let skip = segment.address % PAGE;
        let end = segment.address.checked_add(segment.memory_size).ok_or(LoadError::Malformed)?;
        let address = segment.address - skip;
        Ok(Span { address, pages: index((end - address).div_ceil(PAGE))?, skip: index(skip)? })
    }
}

fn protection(access: Access) -> Protection {
    match (access.write, access.execute) {
        (true, _) => Protection::ReadWrite,
        (false, true) => Protection::ReadExecute,
        (false, false) => Protection::Read,
    }
}

fn index(value: u64) -> Result<usize, LoadError> {
    usize::try_from(value).map_err(|_| LoadError::Malformed)
}
