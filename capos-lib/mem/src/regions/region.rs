//! One region, and the terms in which regions are spoken of.

use capos_abi::PAGE_SIZE;

pub(super) const PAGE: u64 = PAGE_SIZE as u64;

/// Pages of a large page, 2 MiB: what one entry of the second lowest page table can map.
pub const LARGE_PAGES: usize = 512;

/// What user code may do with a page. There is no writable and executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Nothing; the page keeps its contents.
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

/// What is behind a region: pages of an object, from page `first` on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backing<T> {
    /// The object.
    pub object: T,
    /// Which of its pages is the region's first.
    pub first: usize,
}

/// Some pages of an address space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region<T> {
    /// Address of the first page.
    pub start: u64,
    /// How many pages.
    pub pages: usize,
    /// What user code may do there.
    pub protection: Protection,
    /// What is behind it; nothing when the region is only reserved.
    pub backing: Option<Backing<T>>,
}

impl<T> Region<T> {
    /// One past the last byte.
    #[inline]
    pub fn end(&self) -> u64 {
        self.start + self.pages as u64 * PAGE
    }
}

impl<T: PartialEq> Region<T> {
    /// Whether `next` is just what follows: the same protection, and the next pages of the same object.
    pub(super) fn continues_in(&self, next: &Region<T>) -> bool {
        let follows = match (&self.backing, &next.backing) {
            (Some(low), Some(high)) => low.first + self.pages == high.first && low.object == high.object,
            // Reservations stay as they were made.
            _ => false,
        };
        follows && self.end() == next.start && self.protection == next.protection
    }
}

impl<T: Clone> Region<T> {
    /// The part inside `start..end`, which must overlap the region.
    pub(super) fn clipped(&self, start: u64, end: u64) -> Region<T> {
        let (start, end) = (start.max(self.start), end.min(self.end()));
        let skipped = pages_between(self.start, start);
        let backing =
            self.backing.clone().map(|backing| Backing { first: backing.first + skipped, ..backing });
        Region { start, pages: pages_between(start, end), protection: self.protection, backing }
    }
}

/// Pages from one page boundary to a later one.
#[inline]
pub(super) fn pages_between(start: u64, end: u64) -> usize {
    // A 64-bit kernel: page counts of a 47-bit space fit.
    (end.saturating_sub(start) / PAGE) as usize
}

/// Where regions may lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Lowest address of any region.
    pub start: u64,
    /// One past the highest address of any region.
    pub end: u64,
    /// Lowest address of a region whose place was not asked for.
    pub dynamic_start: u64,
    /// One past the highest address of such a region.
    pub dynamic_end: u64,
}

impl Bounds {
    /// Checks a range and gives its end.
    pub(super) fn check(&self, start: u64, pages: usize) -> Result<u64, RegionError> {
        let length = u64::try_from(pages).ok().and_then(|pages| pages.checked_mul(PAGE));
        let end = length.and_then(|length| start.checked_add(length)).ok_or(RegionError::BadRange)?;
        let good = pages > 0 && start.is_multiple_of(PAGE) && start >= self.start && end <= self.end;
        if good { Ok(end) } else { Err(RegionError::BadRange) }
    }
}

/// Why a change was refused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegionError {
    /// Not page aligned, empty, wrapping, or out of bounds.
    BadRange,
    /// Some of the range is in use already.
    Exists,
    /// Some of the range is not there, or is only reserved.
    NotFound,
    /// No free range is long enough.
    NoSpace,
    /// The address space has as many regions as it may have.
    TooManyRegions,
    /// The kernel heap has no room for the bookkeeping.
    OutOfMemory,
}
