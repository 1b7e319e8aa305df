//! What lies where in an address space: sorted regions that never overlap.
//!
//! This is the truth about an address space; page tables are made from it. `T` is what backs a region, usually a counted
//! reference to frames. Every change is all or nothing, also when the bookkeeping itself runs out of memory or of its bounded
//! number of regions. An address space changes its page tables in between: [`Regions::placement`] and [`Regions::commitment`] find what
//! can be changed and keep it, then the tables are provided, which may fail, then the region is entered, which cannot. For taking out the
//! tables come in between as well, as frames may only go when no translation is left: [`Regions::removal`], page tables, shoot-down,
//! [`Removal::remove`].

mod change;
mod free;
mod region;
#[cfg(test)]
mod tests;
mod withdraw;

pub use change::{Commitment, Placement, Removal};
pub use region::{Backing, Bounds, LARGE_PAGES, Protection, Region, RegionError};
pub use withdraw::Withdrawal;

use alloc::vec::Vec;

/// The regions of one address space.
pub struct Regions<T> {
    /// Sorted by start; never overlapping; none empty.
    list: Vec<Region<T>>,
    bounds: Bounds,
    most: usize,
    /// Where the next search for free space begins.
    hint: u64,
    /// Where in the list the last one was placed, if it still is there: what was mapped last is changed first.
    recent: usize,
}

impl<T: Clone> Regions<T> {
    /// An empty address space of at most `most` regions.
    pub const fn new(bounds: Bounds, most: usize) -> Self {
        Regions { list: Vec::new(), hint: bounds.dynamic_start, recent: 0, bounds, most }
    }

    /// How many regions there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Every region, by ascending address.
    pub fn iter(&self) -> impl Iterator<Item = &Region<T>> {
        self.list.iter()
    }

    /// The region that `address` lies in.
    #[inline]
    pub fn find(&self, address: u64) -> Option<&Region<T>> {
        let region = self.list.get(self.first_reaching(address))?;
        if region.start <= address { Some(region) } else { None }
    }

    /// The parts of regions that lie in a range, clipped to it, by ascending address.
    pub fn overlapping(
        &self,
        start: u64,
        pages: usize,
    ) -> Result<impl Iterator<Item = Region<T>> + '_, RegionError> {
        let end = self.bounds.check(start, pages)?;
        let regions = self.list.iter().skip(self.first_reaching(start));
        Ok(regions.take_while(move |region| region.start < end).map(move |region| region.clipped(start, end)))
    }

    /// How many pages are backed.
    pub fn backed_pages(&self) -> usize {
        self.list.iter().filter(|region| region.backing.is_some()).map(|region| region.pages).sum()
    }

    /// Takes everything out and gives it to the caller, who lets go of it when no translation is left.
    pub fn clear(&mut self) -> Vec<Region<T>> {
        self.hint = self.bounds.dynamic_start;
        core::mem::take(&mut self.list)
    }
}

impl<T> Regions<T> {
    /// Index of the first region that ends above `address`.
    #[inline]
    fn first_reaching(&self, address: u64) -> usize {
        match self.list.get(self.recent) {
            Some(region) if region.start <= address && address < region.end() => self.recent,
            _ => self.list.partition_point(|region| region.end() <= address),
        }
    }
}
