//! A continuous health check of a random number source, after NIST SP 800-90B, section 4.4: the repetition count test and the
//! adaptive proportion test, on 64-bit samples.
//!
//! A sound source repeats a 64-bit value with probability 2^-64, so already one repetition in a row or a few in a window are
//! proof enough that it is stuck.

/// Samples per window of the adaptive proportion test.
const WINDOW: u32 = 512;
/// The window's first value may come back this often, itself included.
const MOST_OF_WINDOW: u32 = 3;

/// State of the checks over one source's samples.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    last: Option<u64>,
    window_value: u64,
    window_left: u32,
    window_count: u32,
    failed: bool,
}

impl Health {
    /// Nothing seen yet.
    pub const fn new() -> Self {
        Health { last: None, window_value: 0, window_left: 0, window_count: 0, failed: false }
    }

    /// Looks at one sample. `false` from the first failed check on, for ever: a source that was broken once is not trusted again.
    pub fn accept(&mut self, sample: u64) -> bool {
        let stuck = self.last == Some(sample) || sample == 0 || sample == u64::MAX;
        self.last = Some(sample);
        if self.window_left == 0 {
            (self.window_value, self.window_left, self.window_count) = (sample, WINDOW, 0);
        }
        self.window_left -= 1;
        self.window_count += u32::from(sample == self.window_value);
        self.failed |= stuck || self.window_count > MOST_OF_WINDOW;
        !self.failed
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Health, WINDOW};

    fn mix(n: u64) -> u64 {
        (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn different_values_are_accepted() {
        let mut health = Health::new();
        assert!((0..10_000).all(|n| health.accept(mix(n))));
    }

    #[test]
    fn a_value_twice_in_a_row_is_refused_for_ever() {
        let mut health = Health::new();
        assert!(health.accept(5) && !health.accept(5));
        assert!(!health.accept(6));
    }

    #[test]
    fn all_zeros_and_all_ones_are_refused() {
        assert!(!Health::new().accept(0));
        assert!(!Health::new().accept(u64::MAX));
    }

    #[test]
    fn a_value_that_keeps_coming_back_is_refused() {
        let mut health = Health::new();
        let refused =
            (0..u64::from(WINDOW)).position(|n| !health.accept(if n % 2 == 0 { 77 } else { mix(n) }));
        assert_eq!(refused, Some(6));
    }

    #[test]
    fn each_window_counts_anew() {
        let mut health = Health::new();
        let sample = |n: u64| if n.is_multiple_of(300) { 77 } else { mix(n) };
        assert!((0..100_000).all(|n| health.accept(sample(n))));
    }
}
