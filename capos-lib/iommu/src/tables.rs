//! Tables that translate: a tree of 512-fold nodes, of three or four levels, in either kind's format.
//!
//! Intel's are second-stage tables (3.7, 9.8), AMD's host page tables (48882, 2.2.3). Pages of 2 MiB are used where both addresses and the
//! length allow. What was mapped in one piece is unmapped in one piece or in parts that split no large page.

use crate::{INTERRUPTS, Memory, PAGE};
use core::fmt;
use core::ops::Range;

/// Entries of a table.
const ENTRIES: u64 = 512;
/// Where addresses are in entries of both kinds.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Whose tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Intel's.
    Intel,
    /// AMD's.
    Amd,
}

/// Bits of Intel's entries (9.8).
mod intel {
    pub const READ: u64 = 1 << 0;
    pub const WRITE: u64 = 1 << 1;
    pub const LARGE: u64 = 1 << 7;
}

/// Bits of AMD's entries (48882, 2.2.3, tables 15 to 17).
mod amd {
    pub const PRESENT: u64 = 1 << 0;
    /// The level of the table that is named; 0 is a page.
    pub const NEXT: u32 = 9;
    /// Accesses look into the processors' caches, whatever the device says.
    pub const COHERENT: u64 = 1 << 60;
    pub const READ: u64 = 1 << 61;
    pub const WRITE: u64 = 1 << 62;
}

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Absent,
    Table(u64),
    Page { address: u64, writable: bool },
}

impl Format {
    fn page(self, address: u64, writable: bool, level: u32) -> u64 {
        let either = |bit: u64| if writable { bit } else { 0 };
        match self {
            Format::Intel if level > 1 => address | intel::READ | either(intel::WRITE) | intel::LARGE,
            Format::Intel => address | intel::READ | either(intel::WRITE),
            Format::Amd => address | amd::PRESENT | amd::COHERENT | amd::READ | either(amd::WRITE),
        }
    }

    /// The entry that names a table of `level`.
    fn table(self, address: u64, level: u32) -> u64 {
        match self {
            Format::Intel => address | intel::READ | intel::WRITE,
            Format::Amd => address | amd::PRESENT | amd::READ | amd::WRITE | u64::from(level) << amd::NEXT,
        }
    }

    /// Entry `value` of a table of `level`.
    fn entry(self, value: u64, level: u32) -> Entry {
        let address = value & ADDRESS;
        let (present, page, writable) = match self {
            Format::Intel => (value & intel::READ != 0, value & intel::LARGE != 0, value & intel::WRITE != 0),
            Format::Amd => (value & amd::PRESENT != 0, value >> amd::NEXT & 7 == 0, value & amd::WRITE != 0),
        };
        match (present, page || level == 1) {
            (false, _) => Entry::Absent,
            (true, true) => Entry::Page { address, writable },
            (true, false) => Entry::Table(address),
        }
    }
}

/// Why tables refused a change. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// Not page aligned, empty, wrapping, longer than the tables reach, or where interrupts are: the caller's mistake.
    OutOfRange,
    /// Some of the range is mapped.
    Exists,
    /// Some of the range is not mapped, or it ends within a large page.
    NotFound,
    /// There is no memory for another table.
    OutOfMemory,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MapError::OutOfRange => "the caller named addresses that a device cannot be given",
            MapError::Exists => "the caller named addresses that are in use",
            MapError::NotFound => "the caller named addresses that are not in use",
            MapError::OutOfMemory => "the machine has no memory for a table",
        })
    }
}

impl core::error::Error for MapError {}

/// Bytes that one entry of a level covers; level 1 is the lowest.
const fn span(level: u32) -> u64 {
    PAGE << (9 * (level - 1))
}

/// What is in a range.
#[derive(Default)]
struct Count {
    /// Pages that are mapped.
    pages: u64,
    /// A large page lies only partly in it; that does not count.
    across: bool,
}

/// What is to be mapped.
struct Run {
    range: Range<u64>,
    address: u64,
    writable: bool,
}

/// The tables of one domain. They are the owner's: who drops them keeps their memory, unless they were [destroyed](Tables::destroy).
#[derive(Debug)]
pub struct Tables {
    format: Format,
    root: u64,
    levels: u32,
    /// One past the last address.
    end: u64,
    large: bool,
}

impl Tables {
    /// Nothing is mapped. For addresses of up to `bits` bits in `levels` levels, with pages of 2 MiB if `large`.
    pub fn new(
        format: Format,
        levels: u32,
        bits: u32,
        large: bool,
        memory: &mut impl Memory,
    ) -> Option<Tables> {
        let levels = levels.clamp(3, 4);
        let end = 1 << bits.clamp(12, 12 + 9 * levels);
        Some(Tables { format, root: memory.take()?, levels, end, large })
    }

    /// The address of the top table.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// How many levels there are.
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// Has `pages` pages from `iova` on be those from `address` on.
    pub fn map(
        &self,
        iova: u64,
        address: u64,
        pages: u64,
        writable: bool,
        memory: &mut impl Memory,
    ) -> Result<(), MapError> {
        let range = self.range(iova, pages)?;
        let last = address.checked_add(range.end - range.start).ok_or(MapError::OutOfRange)?;
        if address & !ADDRESS != 0 || last > ADDRESS {
            return Err(MapError::OutOfRange);
        }
        let found = self.count(&range, memory);
        if found.pages > 0 || found.across {
            return Err(MapError::Exists);
        }
        let run = Run { range: range.clone(), address, writable };
        if self.fill(self.root, self.levels, 0, &run, memory) {
            return Ok(());
        }
        self.clear(self.root, self.levels, 0, &range, memory);
        Err(MapError::OutOfMemory)
    }

    /// Takes `pages` pages from `iova` on out, and the tables that have nothing in them then.
    pub fn unmap(&self, iova: u64, pages: u64, memory: &mut impl Memory) -> Result<(), MapError> {
        let range = self.range(iova, pages)?;
        let found = self.count(&range, memory);
        if found.pages < pages {
            return Err(MapError::NotFound);
        }
        self.clear(self.root, self.levels, 0, &range, memory);
        Ok(())
    }

    /// Where `iova` leads, and whether it may be written.
    pub fn translate(&self, iova: u64, memory: &impl Memory) -> Option<(u64, bool)> {
        let (mut table, mut level) = (self.root, self.levels);
        if iova >= self.end {
            return None;
        }
        loop {
            match self.read(table, level, iova, memory) {
                Entry::Absent => return None,
                Entry::Page { address, writable } => return Some((address + iova % span(level), writable)),
                Entry::Table(below) => (table, level) = (below, level - 1),
            }
        }
    }

    /// How many pages are mapped in all.
    pub fn pages(&self, memory: &impl Memory) -> u64 {
        self.count(&(0..self.end), memory).pages
    }

    /// Gives all tables back.
    pub fn destroy(self, memory: &mut impl Memory) {
        self.clear(self.root, self.levels, 0, &(0..self.end), memory);
        memory.give(self.root);
    }

    fn range(&self, iova: u64, pages: u64) -> Result<Range<u64>, MapError> {
        let length = pages.checked_mul(PAGE).filter(|length| *length > 0).ok_or(MapError::OutOfRange)?;
        let end = iova.checked_add(length).filter(|end| *end <= self.end).ok_or(MapError::OutOfRange)?;
        let interrupts = iova < INTERRUPTS.end && end > INTERRUPTS.start;
        if !iova.is_multiple_of(PAGE) || interrupts { Err(MapError::OutOfRange) } else { Ok(iova..end) }
    }

    fn read(&self, table: u64, level: u32, iova: u64, memory: &impl Memory) -> Entry {
        self.format.entry(memory.read(table, index(iova, level)), level)
    }

    fn count(&self, range: &Range<u64>, memory: &impl Memory) -> Count {
        let mut count = Count::default();
        self.count_in(self.root, self.levels, 0, range, memory, &mut count);
        count
    }

    fn count_in(
        &self,
        table: u64,
        level: u32,
        base: u64,
        range: &Range<u64>,
        memory: &impl Memory,
        count: &mut Count,
    ) {
        for at in places(base, level, range) {
            match self.read(table, level, at, memory) {
                Entry::Absent => {}
                Entry::Table(below) => self.count_in(below, level - 1, at, range, memory, count),
                Entry::Page { .. } if is_within(at, level, range) => count.pages += span(level) / PAGE,
                Entry::Page { .. } => count.across = true,
            }
        }
    }

    /// Enters `run`, of which nothing is mapped. False when there was not enough memory.
    fn fill(&self, table: u64, level: u32, base: u64, run: &Run, memory: &mut impl Memory) -> bool {
        for at in places(base, level, &run.range) {
            let page = run.address.wrapping_add(at.wrapping_sub(run.range.start));
            let fits = level == 1 || (level == 2 && self.large && page.is_multiple_of(span(2)));
            if fits && is_within(at, level, &run.range) {
                memory.write(table, index(at, level), self.format.page(page, run.writable, level));
                continue;
            }
            let below = match self.read(table, level, at, memory) {
                Entry::Table(below) => below,
                _ => {
                    let Some(below) = memory.take() else { return false };
                    memory.write(table, index(at, level), self.format.table(below, level - 1));
                    below
                }
            };
            if !self.fill(below, level - 1, at, run, memory) {
                return false;
            }
        }
        true
    }

    /// Takes out every page that lies in the range. True when the table has nothing in it then.
    fn clear(&self, table: u64, level: u32, base: u64, range: &Range<u64>, memory: &mut impl Memory) -> bool {
        for at in places(base, level, range) {
            match self.read(table, level, at, memory) {
                Entry::Page { .. } if is_within(at, level, range) => memory.write(table, index(at, level), 0),
                Entry::Table(below) if self.clear(below, level - 1, at, range, memory) => {
                    memory.write(table, index(at, level), 0);
                    memory.give(below);
                }
                _ => {}
            }
        }
        (0..ENTRIES as usize).all(|index| memory.read(table, index) == 0)
    }
}

/// Which entry of its table is on the way to `iova`.
fn index(iova: u64, level: u32) -> usize {
    (iova / span(level) % ENTRIES) as usize
}

/// Where the entries begin that a table of `level`, itself beginning at `base`, has for a range.
fn places(base: u64, level: u32, range: &Range<u64>) -> impl Iterator<Item = u64> + use<> {
    let step = span(level);
    let first = (range.start.max(base) - base) / step;
    let end = range.end.saturating_sub(base).div_ceil(step).min(ENTRIES);
    (first..end).map(move |n| base + n * step)
}

/// Whether all that an entry covers lies in the range.
fn is_within(at: u64, level: u32, range: &Range<u64>) -> bool {
    at >= range.start && at + span(level) <= range.end
}
