//! `kernel.elf`: checked before a byte of it is loaded (ELF-64 Object File Format 1.5; psABI x86-64 for relocations).
//!
//! Accepted is what the protocol asks for: a static executable, or a position independent one with relative relocations only, in the
//! top 2 GiB. Segments must not share pages and none may be both writable and executable, since the loader maps them W^X.

use core::fmt;

use crate::KERNEL_BASE;
use crate::bytes::{put_u64, u16_at, u32_at, u64_at};
use crate::map::{page_down, page_up};

/// The largest kernel image, with its zero-filled memory.
pub const MAX_IMAGE: u64 = 256 << 20;

const HEADER_LENGTH: usize = 64;
const PROGRAM_HEADER_LENGTH: usize = 56;
const MAX_PROGRAM_HEADERS: usize = 64;
const MACHINE_X86_64: u16 = 62;
const TYPE_FIXED: u16 = 2;
const TYPE_RELOCATABLE: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const FLAG_EXECUTE: u32 = 1;
const FLAG_WRITE: u32 = 2;

/// What is wrong with the file: the fault of who built it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfFault {
    /// Not an ELF file, or one for another machine.
    NotX86_64,
    /// Neither a fixed nor a position independent executable.
    NotExecutable,
    /// A header or a segment lies outside the file.
    Truncated,
    /// Program headers of another size, or too many of them.
    BadProgramHeaders,
    /// Nothing to load.
    NoSegments,
    /// A segment is longer in the file than in memory, or wraps around.
    BadSegment,
    /// A segment lies below the top 2 GiB.
    TooLow(u64),
    /// The image is larger than [`MAX_IMAGE`].
    TooLarge,
    /// Segments are out of order or share a page.
    SharedPage(u64),
    /// A segment is both writable and executable.
    WritableCode(u64),
    /// It wants a dynamic linker.
    Interpreted,
    /// The entry point is not in a segment with code.
    BadEntry(u64),
    /// A relocation of this type, or with a symbol, or a table of another form.
    BadRelocation(u32),
}

impl fmt::Display for ElfFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElfFault::NotX86_64 => f.write_str("not a 64-bit x86 ELF file"),
            ElfFault::NotExecutable => f.write_str("not an executable"),
            ElfFault::Truncated => f.write_str("it is cut off"),
            ElfFault::BadProgramHeaders => f.write_str("bad program headers"),
            ElfFault::NoSegments => f.write_str("nothing to load in it"),
            ElfFault::BadSegment => f.write_str("a segment with impossible sizes"),
            ElfFault::TooLow(address) => write!(f, "segment at {address:#x}, below {KERNEL_BASE:#x}"),
            ElfFault::TooLarge => write!(f, "larger than {} MiB", MAX_IMAGE >> 20),
            ElfFault::SharedPage(address) => write!(f, "segments share the page of {address:#x}"),
            ElfFault::WritableCode(address) => write!(f, "writable code at {address:#x}"),
            ElfFault::Interpreted => f.write_str("it wants a dynamic linker"),
            ElfFault::BadEntry(address) => write!(f, "entry point {address:#x} is not in its code"),
            ElfFault::BadRelocation(kind) => write!(f, "relocation of type {kind}"),
        }
    }
}

/// A loadable segment, with the address where it will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Virtual address, relocated.
    pub address: u64,
    /// Bytes in memory.
    pub length: u64,
    /// May be written.
    pub writable: bool,
    /// May be executed.
    pub executable: bool,
    file_at: usize,
    file_length: usize,
}

impl Segment {
    /// First page, and first page after.
    pub fn pages(&self) -> (u64, u64) {
        // Both were checked not to wrap.
        (page_down(self.address), page_up(self.address + self.length).unwrap_or(u64::MAX))
    }
}

/// A checked kernel file.
#[derive(Clone, Copy, Debug)]
pub struct KernelFile<'a> {
    bytes: &'a [u8],
    headers_at: usize,
    headers: usize,
    slide: u64,
    /// Virtual address of the image's first page.
    pub base: u64,
    /// Length of the image in memory, whole pages.
    pub length: u64,
    /// Where the file says that it starts.
    pub entry: u64,
}

impl<'a> KernelFile<'a> {
    /// Checks everything that can be checked before loading.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfFault> {
        // Magic number, 64 bits, little endian, version 1.
        if !bytes.starts_with(b"\x7fELF\x02\x01\x01") || u16_at(bytes, 18) != Some(MACHINE_X86_64) {
            return Err(ElfFault::NotX86_64);
        }
        if bytes.len() < HEADER_LENGTH {
            return Err(ElfFault::Truncated);
        }
        let relocatable = match u16_at(bytes, 16) {
            Some(TYPE_FIXED) => false,
            Some(TYPE_RELOCATABLE) => true,
            _ => return Err(ElfFault::NotExecutable),
        };
        let (headers_at, headers) = program_headers(bytes)?;
        let mut file = KernelFile { bytes, headers_at, headers, slide: 0, base: 0, length: 0, entry: 0 };
        file.place(relocatable)?;
        let entry = u64_at(bytes, 24).ok_or(ElfFault::Truncated)?;
        file.entry = entry.wrapping_add(file.slide);
        if !file.is_code(file.entry) {
            return Err(ElfFault::BadEntry(file.entry));
        }
        Ok(file)
    }

    /// The loadable segments, in the order of their addresses.
    pub fn segments(&self) -> impl Iterator<Item = Segment> {
        self.headers_of(PT_LOAD).filter_map(|header| segment(header, self.slide).ok())
    }

    /// Whether an address lies in executable memory of the image.
    pub fn is_code(&self, address: u64) -> bool {
        self.segments().any(|segment| {
            segment.executable && address.checked_sub(segment.address).is_some_and(|at| at < segment.length)
        })
    }

    /// Fills `image`, which is zeroed and [`KernelFile::length`] long: segments first, then relocations.
    pub fn load(&self, image: &mut [u8]) -> Result<(), ElfFault> {
        for segment in self.segments() {
            let from = span(self.bytes, segment.file_at, segment.file_length).ok_or(ElfFault::Truncated)?;
            let at = (segment.address - self.base) as usize;
            let to = at.checked_add(from.len()).and_then(|end| image.get_mut(at..end));
            to.ok_or(ElfFault::BadSegment)?.copy_from_slice(from);
        }
        self.relocate(image)
    }

    /// Finds the image's place and checks that each segment fits there.
    fn place(&mut self, relocatable: bool) -> Result<(), ElfFault> {
        if self.headers_of(PT_INTERP).next().is_some() {
            return Err(ElfFault::Interpreted);
        }
        let first = self.headers_of(PT_LOAD).next().ok_or(ElfFault::NoSegments)?;
        let lowest = u64_at(first, 16).ok_or(ElfFault::Truncated)?;
        // "A minimum slide of 0xffffffff80000000 is applied" to kernels that are linked at the bottom (PROTOCOL.md).
        self.slide = if relocatable && lowest < KERNEL_BASE { KERNEL_BASE } else { 0 };
        let mut end = 0;
        for header in self.headers_of(PT_LOAD) {
            let segment = segment(header, self.slide)?;
            check(&segment, self.bytes, end)?;
            end = segment.pages().1;
        }
        self.base = page_down(lowest.wrapping_add(self.slide));
        self.length = end - self.base;
        if self.length > MAX_IMAGE { Err(ElfFault::TooLarge) } else { Ok(()) }
    }

    fn headers_of(&self, kind: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let table = self.bytes.get(self.headers_at..).unwrap_or(&[]);
        let all = table.chunks_exact(PROGRAM_HEADER_LENGTH).take(self.headers);
        all.filter(move |header| u32_at(header, 0) == Some(kind))
    }

    /// Applies the RELA table that the dynamic section names.
    fn relocate(&self, image: &mut [u8]) -> Result<(), ElfFault> {
        let Some(dynamic) = self.headers_of(PT_DYNAMIC).next() else { return Ok(()) };
        let dynamic = Dynamic::read(self.bytes, dynamic)?;
        let table_at = dynamic.table.wrapping_add(self.slide).wrapping_sub(self.base);
        for index in 0..dynamic.length / Dynamic::ENTRY {
            let at = table_at.checked_add(index * Dynamic::ENTRY).and_then(|at| usize::try_from(at).ok());
            let entry =
                at.and_then(|at| span(image, at, Dynamic::ENTRY as usize)).ok_or(ElfFault::Truncated)?;
            let relocation = Relocation::read(entry).ok_or(ElfFault::Truncated)?;
            relocation.apply(image, self.base, self.slide)?;
        }
        Ok(())
    }
}

/// What the dynamic section says about relocations.
#[derive(Default)]
struct Dynamic {
    table: u64,
    length: u64,
}

impl Dynamic {
    const ENTRY: u64 = 24;

    fn read(bytes: &[u8], header: &[u8]) -> Result<Self, ElfFault> {
        let (file_at, file_length) = file_span(header)?;
        let section = span(bytes, file_at, file_length).ok_or(ElfFault::Truncated)?;
        let mut dynamic = Dynamic::default();
        for entry in section.chunks_exact(16) {
            let (Some(tag), Some(value)) = (u64_at(entry, 0), u64_at(entry, 8)) else { break };
            match tag {
                0 => break,
                7 => dynamic.table = value,
                8 => dynamic.length = value,
                9 if value != Self::ENTRY => return Err(ElfFault::BadRelocation(0)),
                // Tables of other forms: jump slots, REL, RELR. Their sizes are 2, 18 and 35.
                2 | 18 | 35 if value != 0 => return Err(ElfFault::BadRelocation(0)),
                _ => {}
            }
        }
        Ok(dynamic)
    }
}

struct Relocation {
    offset: u64,
    info: u64,
    addend: u64,
}

impl Relocation {
    const NONE: u64 = 0;
    const RELATIVE: u64 = 8;

    fn read(entry: &[u8]) -> Option<Self> {
        Some(Relocation { offset: u64_at(entry, 0)?, info: u64_at(entry, 8)?, addend: u64_at(entry, 16)? })
    }

    fn apply(&self, image: &mut [u8], base: u64, slide: u64) -> Result<(), ElfFault> {
        match self.info {
            Self::NONE => Ok(()),
            Self::RELATIVE => {
                let at = self.offset.wrapping_add(slide).wrapping_sub(base);
                let at = usize::try_from(at).map_err(|_| ElfFault::BadRelocation(8))?;
                let fitted = put_u64(image, at, self.addend.wrapping_add(slide));
                if fitted { Ok(()) } else { Err(ElfFault::BadRelocation(8)) }
            }
            other => Err(ElfFault::BadRelocation(other as u32)),
        }
    }
}

fn program_headers(bytes: &[u8]) -> Result<(usize, usize), ElfFault> {
    let at = u64_at(bytes, 32).and_then(|at| usize::try_from(at).ok()).ok_or(ElfFault::Truncated)?;
    let size = u16_at(bytes, 54).map(usize::from);
    let count = u16_at(bytes, 56).map(usize::from).ok_or(ElfFault::Truncated)?;
    if size != Some(PROGRAM_HEADER_LENGTH) || count > MAX_PROGRAM_HEADERS {
        return Err(ElfFault::BadProgramHeaders);
    }
    span(bytes, at, count * PROGRAM_HEADER_LENGTH).ok_or(ElfFault::Truncated)?;
    Ok((at, count))
}

fn file_span(header: &[u8]) -> Result<(usize, usize), ElfFault> {
    let number = |at| u64_at(header, at).and_then(|value| usize::try_from(value).ok());
    Ok((number(8).ok_or(ElfFault::Truncated)?, number(32).ok_or(ElfFault::Truncated)?))
}

fn segment(header: &[u8], slide: u64) -> Result<Segment, ElfFault> {
    let flags = u32_at(header, 4).ok_or(ElfFault::Truncated)?;
    let (file_at, file_length) = file_span(header)?;
    Ok(Segment {
        address: u64_at(header, 16).ok_or(ElfFault::Truncated)?.wrapping_add(slide),
        length: u64_at(header, 40).ok_or(ElfFault::Truncated)?,
        writable: flags & FLAG_WRITE != 0,
        executable: flags & FLAG_EXECUTE != 0,
        file_at,
        file_length,
    })
}

/// Checks a segment that must start at or after the page `free`.
fn check(segment: &Segment, bytes: &[u8], free: u64) -> Result<(), ElfFault> {
    if segment.file_length as u64 > segment.length {
        return Err(ElfFault::BadSegment);
    }
    span(bytes, segment.file_at, segment.file_length).ok_or(ElfFault::Truncated)?;
    segment.address.checked_add(segment.length).and_then(page_up).ok_or(ElfFault::BadSegment)?;
    if segment.address < KERNEL_BASE {
        return Err(ElfFault::TooLow(segment.address));
    }
    if segment.pages().0 < free {
        return Err(ElfFault::SharedPage(segment.address));
    }
    if segment.writable && segment.executable {
        return Err(ElfFault::WritableCode(segment.address));
    }
    Ok(())
}

fn span(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

#[cfg(test)]
mod tests;
