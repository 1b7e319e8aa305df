//! Taking away what backs a region, from whoever has it mapped: the pages stay reserved, so that nothing else comes to lie where a program
//! still looks for what it had.

use super::Regions;
use super::region::{Backing, LARGE_PAGES, PAGE, Protection, Region};

/// Pages that can be taken away.
#[must_use]
pub struct Withdrawal<'r, T> {
    regions: &'r mut Regions<T>,
    at: usize,
    start: u64,
    pages: usize,
}

impl<T: Clone + PartialEq> Regions<T> {
    /// The first pages that are backed by what is `wanted`: up to the end of their 2 MiB, or all of their region when the bookkeeping has no
    /// room for its being cut in two.
    pub fn withdrawal(&mut self, wanted: impl Fn(&T) -> bool) -> Option<Withdrawal<'_, T>> {
        let is_wanted =
            |region: &Region<T>| region.backing.as_ref().is_some_and(|backing| wanted(&backing.object));
        let at = self.list.iter().position(is_wanted)?;
        let region = self.list.get(at)?;
        let (start, all) = (region.start, region.pages);
        let piece = LARGE_PAGES - (start / PAGE) as usize % LARGE_PAGES;
        let fits = piece >= all || self.reservation_before(at).is_some() || self.make_room(1).is_ok();
        let pages = if fits { piece.min(all) } else { all };
        Some(Withdrawal { regions: self, at, start, pages })
    }

    /// Index of a reservation that ends where the region at `at` begins.
    fn reservation_before(&self, at: usize) -> Option<usize> {
        let before = at.checked_sub(1)?;
        let (low, high) = (self.list.get(before)?, self.list.get(at)?);
        (low.backing.is_none() && low.end() == high.start).then_some(before)
    }
}

impl<T: Clone + PartialEq> Withdrawal<'_, T> {
    /// Where they are, and how many.
    pub fn range(&self) -> (u64, usize) {
        (self.start, self.pages)
    }

    /// The region, if it is all of one: then it can be exchanged.
    pub fn whole(&self) -> Option<&Region<T>> {
        self.regions.list.get(self.at).filter(|region| region.pages == self.pages)
    }

    /// Puts something else in the place of a whole region. Gives what was there, for the caller to let go of when no translation is left.
    pub fn exchange(self, backing: Backing<T>) -> Option<Backing<T>> {
        let Withdrawal { regions, at, pages, .. } = self;
        let region = regions.list.get_mut(at).filter(|region| region.pages == pages)?;
        region.backing.replace(backing)
    }

    /// Takes them away. Gives what backed them, for the caller to let go of when no translation is left.
    pub fn withdraw(self) -> Option<Backing<T>> {
        let Withdrawal { regions, at, start, pages } = self;
        let before = regions.reservation_before(at);
        let region = regions.list.get(at)?;
        let backing = region.backing.clone();
        let rest = (pages < region.pages).then(|| region.clipped(start + pages as u64 * PAGE, region.end()));
        match (before.and_then(|before| regions.list.get_mut(before)), rest) {
            (Some(low), None) => {
                low.pages += pages;
                regions.list.remove(at);
            }
            (Some(low), Some(rest)) => {
                low.pages += pages;
                regions.put(at, rest);
            }
            (None, rest) => {
                regions.put(at, Region { start, pages, protection: Protection::None, backing: None });
                if let Some(rest) = rest {
                    regions.list.insert(at + 1, rest);
                }
            }
        }
        backing
    }
}
