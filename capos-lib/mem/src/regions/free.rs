//! Finding room: first fit from a hint on, with a free page on either side so that running off one region faults.

use super::Regions;
use super::region::{PAGE, RegionError};

impl<T: Clone> Regions<T> {
    /// The start of a free range in the dynamic part, with a guard page before and behind it.
    ///
    /// # Errors
    /// [`RegionError::BadRange`] for no pages at all, [`RegionError::NoSpace`].
    pub fn find_free(&self, pages: usize) -> Result<u64, RegionError> {
        if pages == 0 {
            return Err(RegionError::BadRange);
        }
        let guarded = u64::try_from(pages).ok().and_then(|pages| pages.checked_add(2)?.checked_mul(PAGE));
        let length = guarded.ok_or(RegionError::NoSpace)?;
        let found = self.gap_from(self.hint, length);
        let gap =
            found.or_else(|| self.gap_from(self.bounds.dynamic_start, length)).ok_or(RegionError::NoSpace)?;
        Ok(gap + PAGE)
    }

    /// Start of the first gap of `length` bytes at or above `from`.
    fn gap_from(&self, from: u64, length: u64) -> Option<u64> {
        let mut start = from;
        for region in self.list.iter().skip(self.first_reaching(from)) {
            if region.start.saturating_sub(start) >= length {
                break;
            }
            start = region.end();
        }
        let end = start.checked_add(length)?;
        if end <= self.bounds.dynamic_end { Some(start) } else { None }
    }
}
