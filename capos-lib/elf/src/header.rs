//! The file header and the program header table.

use crate::bytes::{index, u16_at, u32_at, u64_at};
use crate::segment::Segments;
use core::fmt;

/// The file header and the whole program header table must lie within this many bytes of the file's start.
pub const HEADER_MAX: usize = 4096;

const PT_DYNAMIC: u32 = 2;
/// Size of a program header (ELF64).
pub(crate) const PROGRAM_HEADER: usize = 56;

/// What is wrong with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElfError {
    /// Not an ELF64 file for little-endian x86_64 of version 1.
    NotElf64,
    /// Neither `ET_EXEC` nor `ET_DYN`.
    WrongKind,
    /// The program header table is missing, of another entry size, or not within [`HEADER_MAX`].
    BadTable,
    /// A segment (its number) reaches beyond the file, wraps, or holds more of the file than of memory.
    BadSegment(usize),
    /// A segment is writable and executable.
    WritableAndExecutable(usize),
    /// A segment's address and file offset differ within the page, so that it cannot be mapped.
    Misaligned(usize),
    /// A segment lies outside of where programs are linked.
    OutOfBounds(usize),
    /// A segment shares a page with an earlier one or comes before it.
    Overlap(usize),
    /// The entry point is in no executable segment.
    BadEntry,
    /// Nothing to load.
    NoSegments,
    /// It asks for an interpreter or for dynamic linking.
    Dynamic,
    /// A relocation (its number) needs a symbol or lies outside of the file's memory; number 0 also when the table is malformed.
    BadRelocation(usize),
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf64 => f.write_str("not an ELF64 file for x86_64"),
            Self::WrongKind => f.write_str("neither an executable nor position independent"),
            Self::BadTable => f.write_str("bad program header table"),
            Self::BadSegment(n) => write!(f, "segment {n} does not fit the file"),
            Self::WritableAndExecutable(n) => write!(f, "segment {n} is writable and executable"),
            Self::Misaligned(n) => write!(f, "segment {n} cannot be mapped by pages"),
            Self::OutOfBounds(n) => write!(f, "segment {n} is outside of the program area"),
            Self::Overlap(n) => write!(f, "segment {n} overlaps an earlier one"),
            Self::BadEntry => f.write_str("entry point outside of the code"),
            Self::NoSegments => f.write_str("nothing to load"),
            Self::Dynamic => f.write_str("needs dynamic linking"),
            Self::BadRelocation(n) => write!(f, "relocation {n} is not a plain relative one"),
        }
    }
}

impl core::error::Error for ElfError {}

/// How addresses in the file are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// As they are.
    Fixed,
    /// Relative to wherever it is loaded.
    PositionIndependent,
}

/// A file whose headers hold together.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    kind: Kind,
    entry: u64,
    table: &'a [u8],
    file_len: u64,
}

impl<'a> Image<'a> {
    /// Parses the first bytes of a file that is `file_len` bytes long.
    pub fn parse(start: &'a [u8], file_len: u64) -> Result<Self, ElfError> {
        let start = start.get(..HEADER_MAX.min(start.len())).unwrap_or(start);
        let ident = start.get(..7).ok_or(ElfError::NotElf64)?;
        // Magic, 64 bits, little endian, version 1.
        if ident != b"\x7fELF\x02\x01\x01" {
            return Err(ElfError::NotElf64);
        }
        let kind = match u16_at(start, 16) {
            Some(2) => Kind::Fixed,
            Some(3) => Kind::PositionIndependent,
            _ => return Err(ElfError::WrongKind),
        };
        // Machine x86_64, version 1.
        if u16_at(start, 18) != Some(62) || u32_at(start, 20) != Some(1) {
            return Err(ElfError::NotElf64);
        }
        let entry = u64_at(start, 24).ok_or(ElfError::NotElf64)?;
        let table = Self::table(start).ok_or(ElfError::BadTable)?;
        let image = Image { kind, entry, table, file_len };
        image.check_segments()?;
        Ok(image)
    }

    fn table(start: &'a [u8]) -> Option<&'a [u8]> {
        let offset = index(u64_at(start, 32)?)?;
        let (entry_size, count) = (u16_at(start, 54)?, usize::from(u16_at(start, 56)?));
        if usize::from(entry_size) != PROGRAM_HEADER {
            return None;
        }
        start.get(offset..offset.checked_add(count * PROGRAM_HEADER)?)
    }

    fn check_segments(&self) -> Result<(), ElfError> {
        for (n, segment) in self.segments().enumerate() {
            let in_file =
                segment.offset.checked_add(segment.file_size).is_some_and(|end| end <= self.file_len);
            let in_memory = segment.address.checked_add(segment.memory_size).is_some();
            if !in_file || !in_memory || segment.file_size > segment.memory_size {
                return Err(ElfError::BadSegment(n));
            }
        }
        Ok(())
    }

    /// How its addresses are meant.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Address of the first instruction.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The segments to load, in the file's order.
    pub fn segments(&self) -> Segments<'a> {
        Segments::new(self.table)
    }

    /// File offset and size of its dynamic section (`PT_DYNAMIC`).
    pub fn dynamic(&self) -> Option<(u64, u64)> {
        let entry = self.table.chunks_exact(PROGRAM_HEADER).find(|it| u32_at(it, 0) == Some(PT_DYNAMIC))?;
        Some((u64_at(entry, 8)?, u64_at(entry, 32)?))
    }

    /// Whether it asks for an interpreter (`PT_INTERP`) or for dynamic linking (`PT_DYNAMIC`).
    pub fn is_dynamic(&self) -> bool {
        const PT_INTERP: u32 = 3;
        let mut kinds = self.table.chunks_exact(PROGRAM_HEADER).filter_map(|entry| u32_at(entry, 0));
        kinds.any(|kind| kind == PT_DYNAMIC || kind == PT_INTERP)
    }
}
