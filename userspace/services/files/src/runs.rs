//! Which pages of the memory that a device reaches are in use.

/// Words of 64 pages.
const WORDS: usize = 8;
/// Pages.
const PAGES: u64 = 64 * WORDS as u64;

/// A bit for each page in use.
pub struct Runs {
    used: [u64; WORDS],
}

impl Runs {
    /// None is.
    pub const fn new() -> Runs {
        Runs { used: [0; WORDS] }
    }

    /// The first of `count` pages in a row, at most 64, that are in use from now on.
    pub fn take(&mut self, count: u64) -> Option<u64> {
        if !(1..=64).contains(&count) {
            return None;
        }
        let mask = u64::MAX >> (64 - count);
        // Within a word: the pieces are few sizes, and the waste is small.
        for (word, used) in (0..).step_by(64).zip(&mut self.used) {
            let mut shift = 0;
            while shift + count <= 64 {
                let clash = *used >> shift & mask;
                if clash == 0 {
                    *used |= mask << shift;
                    return Some(word + shift);
                }
                // Behind the last page that is in the way.
                shift += 64 - u64::from(clash.leading_zeros());
            }
        }
        None
    }

    /// They are not any more.
    pub fn give(&mut self, first: u64, count: u64) {
        let inside = first < PAGES && (1..=64 - first % 64).contains(&count);
        if let Some(used) = self.used.get_mut((first / 64) as usize).filter(|_| inside) {
            *used &= !(u64::MAX >> (64 - count) << (first % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGES, Runs};
    use std::vec::Vec;

    #[test]
    fn runs_never_meet_and_come_back() {
        let mut runs = Runs::new();
        let mut taken: Vec<(u64, u64)> = Vec::new();
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let count = (state >> 33) % 40 + 1;
            if state >> 62 == 0 || taken.len() > 100 {
                if !taken.is_empty() {
                    let (first, count) = taken.swap_remove((state >> 40) as usize % taken.len());
                    runs.give(first, count);
                }
            } else if let Some(first) = runs.take(count) {
                assert!(first + count <= PAGES);
                assert!(
                    taken.iter().all(|(start, length)| first + count <= *start || start + length <= first)
                );
                taken.push((first, count));
            }
        }
        taken.drain(..).for_each(|(first, count)| runs.give(first, count));
        assert_eq!((0..8).filter_map(|_| runs.take(64)).count(), 8, "all of it is free again");
        assert_eq!((runs.take(1), runs.take(0), runs.take(65)), (None, None, None));
    }
}
