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
}

impl<T> Regions<T> {
    /// The start of a free range in the dynamic part, with a guard page before and behind it. What is large enough for large pages begins
    /// where those fit, if it is to show an object from page `phase` on whose pages 0, 512, 1024... begin large pages.
    ///
    /// # Errors
    /// [`RegionError::BadRange`] for no pages at all, [`RegionError::NoSpace`].
    ///
    /// With the place in the list that a region there has.
    pub(super) fn find_free(&self, pages: usize, phase: usize) -> Result<(u64, usize), RegionError> {
        if pages == 0 {
            return Err(RegionError::BadRange);
        }
        let length = u64::try_from(pages).ok().and_then(|pages| pages.checked_mul(PAGE));
        let phase = (pages >= LARGE_PAGES).then_some((phase % LARGE_PAGES) as u64 * PAGE);
        let wanted = Wanted { length: length.ok_or(RegionError::NoSpace)?, phase };
        let found = self.gap_from(self.hint, wanted);
        found.or_else(|| self.gap_from(self.bounds.dynamic_start, wanted)).ok_or(RegionError::NoSpace)
    }

    /// Where `wanted` fits first into a gap at or above `from`, and before which region.
    fn gap_from(&self, from: u64, wanted: Wanted) -> Option<(u64, usize)> {
        let mut gap = from;
        let mut at = self.first_reaching(from);
        loop {
            let start = wanted.start_from(gap.checked_add(PAGE)?)?;
            let end = start.checked_add(wanted.length)?.checked_add(PAGE)?;
            let next = self.list.get(at);
            if next.is_none_or(|next| end <= next.start) {
                return (end <= self.bounds.dynamic_end).then_some((start, at));
            }
            gap = next?.end();
            at += 1;
        }
    }
}
