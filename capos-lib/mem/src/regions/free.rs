//! Finding room: first fit from a hint on, with a free page on either side so that running off one region faults.

use super::Regions;
use super::region::{LARGE_PAGES, PAGE, RegionError};

/// What is looked for: a length in bytes, and where in a large page it is to begin, if that matters.
#[derive(Clone, Copy)]
struct Wanted {
    length: u64,
    phase: Option<u64>,
}

impl Wanted {
    /// The lowest fitting start at or above `at`.
    fn start_from(&self, at: u64) -> Option<u64> {
        const LARGE: u64 = LARGE_PAGES as u64 * PAGE;
        let Some(phase) = self.phase else { return Some(at) };
        at.checked_add(phase.wrapping_sub(at) % LARGE)
    }

    /// Where it starts in a gap that begins at `gap`, and where the guard page behind it ends.
    fn place_above(&self, gap: u64) -> Option<(u64, u64)> {
        let start = self.start_from(gap.checked_add(PAGE)?)?;
        Some((start, start.checked_add(self.length)?.checked_add(PAGE)?))
    }
}

impl<T> Regions<T> {
    /// The start of a free range in the dynamic part, with a guard page before and behind it. What is large enough for large pages begins
    /// where those fit, if it is to show an object from page `phase` on whose pages 0, 512, 1024... begin large pages.
    ///
    /// # Errors
    /// [`RegionError::BadRange`] for no pages at all, and for more than an empty space has room for; [`RegionError::NoSpace`].
    ///
    /// With the place in the list that a region there has.
    pub(super) fn find_free(&self, pages: usize, phase: usize) -> Result<(u64, usize), RegionError> {
        if pages == 0 {
            return Err(RegionError::BadRange);
        }
        let length = u64::try_from(pages).ok().and_then(|pages| pages.checked_mul(PAGE));
        let phase = (pages >= LARGE_PAGES).then_some((phase % LARGE_PAGES) as u64 * PAGE);
        let wanted = Wanted { length: length.ok_or(RegionError::BadRange)?, phase };
        let found = self.gap_from(self.hint, wanted);
        found.or_else(|| self.gap_from(self.bounds.dynamic_start, wanted)).ok_or_else(|| self.no_room(wanted))
    }

    /// Why there is no room for `wanted`: others are in the way, or there never is.
    #[cold]
    fn no_room(&self, wanted: Wanted) -> RegionError {
        let place = wanted.place_above(self.bounds.dynamic_start);
        let ever = place.is_some_and(|(_, end)| end <= self.bounds.dynamic_end);
        if ever { RegionError::NoSpace } else { RegionError::BadRange }
    }

    /// Where `wanted` fits first into a gap at or above `from`, and before which region.
    fn gap_from(&self, from: u64, wanted: Wanted) -> Option<(u64, usize)> {
        let mut gap = from;
        let mut at = self.first_reaching(from);
        loop {
            let (start, end) = wanted.place_above(gap)?;
            let next = self.list.get(at);
            if next.is_none_or(|next| end <= next.start) {
                return (end <= self.bounds.dynamic_end).then_some((start, at));
            }
            gap = next?.end();
            at += 1;
        }
    }
}
