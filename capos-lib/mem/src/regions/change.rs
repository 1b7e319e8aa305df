//! Changes. Each checks everything and makes room first, and from then on cannot fail.
//!
//! Where page tables are to be changed in between, the first half gives a guard, which keeps the regions as they are, and the guard
//! does the second half.

use super::Regions;
use super::region::{Backing, Protection, Region, RegionError, pages_between};
use core::ops::Range;

/// A range of addresses that is covered by the regions `regions` without a hole.
struct Covered {
    start: u64,
    end: u64,
    regions: Range<usize>,
}

/// A free range that has room in the list.
#[must_use]
pub struct Placement<'r, T> {
    regions: &'r mut Regions<T>,
    start: u64,
    pages: usize,
    at: usize,
}

impl<T> Placement<'_, T> {
    /// Where it is.
    #[inline]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Puts a region there, and gives its start.
    pub fn place(self, protection: Protection, backing: Option<Backing<T>>) -> u64 {
        let Placement { regions, start, pages, at } = self;
        let region = Region { start, pages, protection, backing };
        regions.hint = region.end();
        regions.recent = at;
        regions.list.insert(at, region);
        start
    }
}

/// A range that is reserved and not backed, with room in the list for its parts.
#[must_use]
pub struct Commitment<'r, T> {
    regions: &'r mut Regions<T>,
    covered: Covered,
}

impl<T: Clone + PartialEq> Commitment<'_, T> {
    /// Backs it.
    pub fn commit(self, protection: Protection, backing: Backing<T>) {
        let Commitment { regions, covered } = self;
        let inner = regions.split(&covered);
        // Several reservations next to each other become one region.
        if inner.len() > 1 {
            regions.list.drain(inner.start + 1..inner.end);
        }
        if let Some(region) = regions.list.get_mut(inner.start) {
            let pages = pages_between(covered.start, covered.end);
            *region = Region { start: covered.start, pages, protection, backing: Some(backing) };
        }
    }
}

/// A range that is reserved or backed throughout, with room in the list for what is left beside it.
#[must_use]
pub struct Removal<'r, T> {
    regions: &'r mut Regions<T>,
    covered: Covered,
}

impl<T: Clone + PartialEq> Removal<'_, T> {
    /// Start and length of its parts that are backed, by ascending address.
    pub fn backed(&self) -> impl Iterator<Item = (u64, usize)> {
        let (start, end) = (self.covered.start, self.covered.end);
        let backed = self.regions.part(&self.covered).iter().filter(|region| region.backing.is_some());
        backed.map(move |region| {
            let (low, high) = (region.start.max(start), region.end().min(end));
            (low, pages_between(low, high))
        })
    }

    /// Takes it out.
    pub fn remove(self) {
        let Removal { regions, covered } = self;
        let (low, high) = regions.remains(&covered);
        let Range { start: first, end: last } = covered.regions;
        // Only overwrites, inserts into room that was made, and drains: the order keeps the list from growing beyond that room.
        match (low, high, last - first) {
            (None, None, 1) => drop(regions.list.remove(first)),
            (Some(low), Some(high), 1) => {
                regions.put(first, low);
                regions.list.insert(first + 1, high);
            }
            (low, high, _) => {
                let keep_low = usize::from(low.is_some());
                let keep_high = usize::from(high.is_some());
                regions.put_some(first, low);
                regions.put_some(last - 1, high);
                regions.list.drain(first + keep_low..last - keep_high);
            }
        }
    }
}

impl<T: Clone + PartialEq> Regions<T> {
    /// Sets `pages` pages of address space aside somewhere and gives their start.
    ///
    /// # Errors
    /// Those of [`Regions::placement`].
    pub fn reserve(&mut self, pages: usize) -> Result<u64, RegionError> {
        Ok(self.placement(pages, 0)?.place(Protection::None, None))
    }

    /// A place for `pages` pages, found and kept free: see [`Placement`]. `phase` is the number of the first page in what is to lie
    /// there, which matters for large pages.
    ///
    /// # Errors
    /// [`RegionError::BadRange`] for no pages at all, [`RegionError::NoSpace`]; too many regions, no memory.
    pub fn placement(&mut self, pages: usize, phase: usize) -> Result<Placement<'_, T>, RegionError> {
        let (start, at) = self.find_free(pages, phase)?;
        self.make_room(1)?;
        Ok(Placement { regions: self, start, pages, at })
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
    /// Those of [`Regions::commitment`].
    pub fn commit(
        &mut self,
        start: u64,
        pages: usize,
        protection: Protection,
        backing: Backing<T>,
    ) -> Result<(), RegionError> {
        self.commitment(start, pages)?.commit(protection, backing);
        Ok(())
    }

    /// A reserved range, or a part of one, that can be backed: see [`Commitment`].
    ///
    /// # Errors
    /// [`RegionError::Exists`] when some of it is backed, [`RegionError::NotFound`] when some of it is not reserved; bad ranges,
    /// too many regions, no memory.
    pub fn commitment(&mut self, start: u64, pages: usize) -> Result<Commitment<'_, T>, RegionError> {
        let covered = self.covered(start, pages)?;
        if self.part(&covered).iter().any(|region| region.backing.is_some()) {
            return Err(RegionError::Exists);
        }
        self.make_room(self.splits(&covered))?;
        Ok(Commitment { regions: self, covered })
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
        for region in self.list.get_mut(inner.clone()).unwrap_or_default() {
            region.protection = protection;
        }
        self.join(inner);
        Ok(())
    }

    /// Backs one page of a backed range by something else; gives what it was.
    ///
    /// # Errors
    /// [`RegionError::NotFound`] when it is not backed; a bad address, too many regions, no memory.
    pub fn exchange(&mut self, start: u64, backing: Backing<T>) -> Result<Backing<T>, RegionError> {
        let covered = self.covered(start, 1)?;
        if self.part(&covered).iter().any(|region| region.backing.is_none()) {
            return Err(RegionError::NotFound);
        }
        self.make_room(self.splits(&covered))?;
        let inner = self.split(&covered);
        let place = self.list.get_mut(inner.start).and_then(|region| region.backing.as_mut());
        place.map(|place| core::mem::replace(place, backing)).ok_or(RegionError::NotFound)
    }

    /// Makes one region of neighbours among `inner` and beside it that go on in each other: a program that changes protections to and
    /// fro would have more and more regions.
    fn join(&mut self, inner: Range<usize>) {
        let (first, last) = (inner.start.saturating_sub(1), inner.end.min(self.list.len().saturating_sub(1)));
        for at in (first..last).rev() {
            let (Some(low), Some(high)) = (self.list.get(at), self.list.get(at + 1)) else { continue };
            if low.continues_in(high) {
                let pages = low.pages + high.pages;
                self.list.remove(at + 1);
                if let Some(low) = self.list.get_mut(at) {
                    low.pages = pages;
                }
            }
        }
    }

    /// A range, reserved or backed, that can be taken out: see [`Removal`].
    ///
    /// # Errors
    /// [`RegionError::NotFound`] when some of it is not there; bad ranges, too many regions, no memory.
    pub fn removal(&mut self, start: u64, pages: usize) -> Result<Removal<'_, T>, RegionError> {
        let covered = self.covered(start, pages)?;
        // A hole in the middle of one region is the only removal that leaves more regions than before.
        let grows = self.splits(&covered).saturating_sub(covered.regions.len());
        self.make_room(grows)?;
        Ok(Removal { regions: self, covered })
    }

    /// Takes a range out, reserved or backed.
    ///
    /// # Errors
    /// Those of [`Regions::removal`].
    pub fn remove(&mut self, start: u64, pages: usize) -> Result<(), RegionError> {
        self.removal(start, pages)?.remove();
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

    pub(super) fn put(&mut self, at: usize, value: Region<T>) {
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
    pub(super) fn make_room(&mut self, more: usize) -> Result<(), RegionError> {
        if self.most.saturating_sub(self.list.len()) < more {
            return Err(RegionError::TooManyRegions);
        }
        self.list.try_reserve(more).map_err(|_| RegionError::OutOfMemory)
    }
}
