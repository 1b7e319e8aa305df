//! Changes. Each checks everything and makes room first, and from then on cannot fail.

use super::Regions;
use super::region::{Backing, Protection, Region, RegionError};
use core::ops::Range;

/// A range of addresses that is covered by the regions `regions` without a hole.
struct Covered {
    start: u64,
    end: u64,
    regions: Range<usize>,
}

impl<T: Clone> Regions<T> {
    /// Sets `pages` pages of address space aside somewhere and gives their start.
    ///
    /// # Errors
    /// Those of [`Regions::find_free`] and [`Regions::insert`].
    pub fn reserve(&mut self, pages: usize) -> Result<u64, RegionError> {
        self.place(pages, Protection::None, None)
    }

    /// Puts a region of `pages` pages somewhere and gives its start.
    ///
    /// # Errors
    /// Those of [`Regions::find_free`] and [`Regions::insert`].
    pub fn place(
        &mut self,
        pages: usize,
        protection: Protection,
        backing: Option<Backing<T>>,
    ) -> Result<u64, RegionError> {
        let start = self.find_free(pages)?;
        let region = Region { start, pages, protection, backing };
        let end = region.end();
        self.insert(region)?;
        self.hint = end;
        Ok(start)
    }

    /// Puts a region where it says.
    ///
    /// # Errors
    /// [`RegionError::Exists`] when it overlaps another one; bad ranges, too many regions, no memory.
    pub fn insert(&mut self, region: Region<T>) -> Result<(), RegionError> {
        let end = self.bounds.check(region.start, region.pages)?;
        let at = self.first_reaching(region.start);
        if self.list.get(at).is_some_and(|next| next.start < end) {
            return Err(RegionError::Exists);
        }
        self.make_room(1)?;
        self.list.insert(at, region);
        Ok(())
    }

    /// Backs a reserved range, or a part of one.
    ///
    /// # Errors
    /// [`RegionError::Exists`] when some of it is backed, [`RegionError::NotFound`] when some of it is not reserved; bad ranges,
    /// too many regions, no memory.
    pub fn commit(
        &mut self,
        start: u64,
        pages: usize,
        protection: Protection,
        backing: Backing<T>,
    ) -> Result<(), RegionError> {
        let covered = self.covered(start, pages)?;
        if self.part(&covered).iter().any(|region| region.backing.is_some()) {
            return Err(RegionError::Exists);
        }
        self.make_room(self.splits(&covered))?;
        let inner = self.split(&covered);
        // Several reservations next to each other become one region.
        self.list.drain(inner.start + 1..inner.end);
        if let Some(region) = self.list.get_mut(inner.start) {
            *region = Region { start, pages, protection, backing: Some(backing) };
        }
        Ok(())
    }

    /// Changes what user code may do in a backed range.
    ///
    /// # Errors
    /// [`RegionError::NotFound`] when some of it is not backed; bad ranges, too many regions, no memory.
    pub fn protect(&mut self, start: u64, pages: usize, protection: Protection) -> Result<(), RegionError> {
        let covered = self.covered(start, pages)?;
        if self.part(&covered).iter().any(|region| region.backing.is_none()) {
            return Err(RegionError::NotFound);
        }
        self.make_room(self.splits(&covered))?;
        let inner = self.split(&covered);
        for region in self.list.get_mut(inner).unwrap_or_default() {
            region.protection = protection;
        }
        Ok(())
    }

    /// Checks that [`Regions::remove`] of the same range would succeed, and makes room so that it will.
    ///
    /// # Errors
    /// Those of [`Regions::remove`].
    pub fn prepare_remove(&mut self, start: u64, pages: usize) -> Result<(), RegionError> {
        let covered = self.covered(start, pages)?;
        // A hole in the middle of one region is the only removal that leaves more regions than before.
        let grows = self.splits(&covered).saturating_sub(covered.regions.len());
        self.make_room(grows)
    }

    /// Takes a range out, reserved or backed.
    ///
    /// # Errors
    /// [`RegionError::NotFound`] when some of it is not there; bad ranges, too many regions, no memory.
    pub fn remove(&mut self, start: u64, pages: usize) -> Result<(), RegionError> {
        self.prepare_remove(start, pages)?;
        let covered = self.covered(start, pages)?;
        let (low, high) = self.remains(&covered);
        let Range { start: first, end: last } = covered.regions;
        // Only overwrites, inserts into room that was made, and drains: the order keeps the list from growing beyond that room.
        match (low, high, last - first) {
            (Some(low), Some(high), 1) => {
                self.put(first, low);
                self.list.insert(first + 1, high);
            }
            (low, high, _) => {
                let keep_low = usize::from(low.is_some());
                let keep_high = usize::from(high.is_some());
                self.put_some(first, low);
                self.put_some(last - 1, high);
                self.list.drain(first + keep_low..last - keep_high);
            }
        }
        Ok(())
    }

    /// The regions that cover a range without a hole.
    fn covered(&self, start: u64, pages: usize) -> Result<Covered, RegionError> {
        let end = self.bounds.check(start, pages)?;
        let first = self.first_reaching(start);
        let (mut last, mut reached) = (first, start);
        for region in self.list.iter().skip(first) {
            if reached >= end {
                break;
            }
            if region.start > reached {
                return Err(RegionError::NotFound);
            }
            reached = region.end();
            last += 1;
        }
        if reached < end {
            Err(RegionError::NotFound)
        } else {
            Ok(Covered { start, end, regions: first..last })
        }
    }

    fn part(&self, covered: &Covered) -> &[Region<T>] {
        self.list.get(covered.regions.clone()).unwrap_or_default()
    }

    /// What is left of the first and the last region when the range goes.
    fn remains(&self, covered: &Covered) -> (Option<Region<T>>, Option<Region<T>>) {
        let part = self.part(covered);
        let low = part.first().filter(|region| region.start < covered.start);
        let high = part.last().filter(|region| region.end() > covered.end);
        (
            low.map(|region| region.clipped(region.start, covered.start)),
            high.map(|region| region.clipped(covered.end, region.end())),
        )
    }

    /// How many regions more it takes to cut at both ends of the range.
    fn splits(&self, covered: &Covered) -> usize {
        let part = self.part(covered);
        let low = part.first().is_some_and(|region| region.start < covered.start);
        let high = part.last().is_some_and(|region| region.end() > covered.end);
        usize::from(low) + usize::from(high)
    }

    /// Cuts at both ends of the range, and gives the regions that then make it up. Room was made.
    fn split(&mut self, covered: &Covered) -> Range<usize> {
        let (low, high) = self.remains(covered);
        let Range { start: mut first, end: mut last } = covered.regions;
        if let Some(high) = high {
            self.cut(last - 1, covered.start, covered.end);
            self.list.insert(last, high);
        }
        if let Some(low) = low {
            self.cut(first, covered.start, covered.end);
            self.list.insert(first, low);
            (first, last) = (first + 1, last + 1);
        }
        first..last
    }

    /// Clips one region to a range that it overlaps.
    fn cut(&mut self, at: usize, start: u64, end: u64) {
        if let Some(region) = self.list.get_mut(at) {
            *region = region.clipped(start, end);
        }
    }

    fn put(&mut self, at: usize, value: Region<T>) {
        if let Some(region) = self.list.get_mut(at) {
            *region = value;
        }
    }

    fn put_some(&mut self, at: usize, value: Option<Region<T>>) {
        if let Some(value) = value {
            self.put(at, value);
        }
    }

    /// Makes sure that `more` regions can be added.
    fn make_room(&mut self, more: usize) -> Result<(), RegionError> {
        if self.most.saturating_sub(self.list.len()) < more {
            return Err(RegionError::TooManyRegions);
        }
        self.list.try_reserve(more).map_err(|_| RegionError::OutOfMemory)
    }
}
