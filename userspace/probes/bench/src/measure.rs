//! Medians of many repetitions.

use alloc::vec::Vec;
use probe::{Audit, Nursery, Report};
use rt::CallError;
use rt::time::ticks;

/// What measuring needs.
pub struct Bench {
    /// Prefix of the figures wanted.
    pub only: &'static str,
    /// Samples of each median.
    pub samples: usize,
    pub report: Report,
    pub nursery: Nursery,
    pub audit: Audit,
}

/// Repetitions within a sample, so that reading the clock costs nothing.
const REPETITIONS: u64 = 16;
/// Repetitions before the first sample.
const WARM_UP: u64 = 64;

impl Bench {
    /// Whether somebody wants that figure.
    pub fn wants(&self, name: &str) -> bool {
        name.starts_with(self.only)
    }

    /// Reports the median cost of `operation`.
    pub fn figure(
        &self,
        name: &str,
        operation: impl FnMut() -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        if self.wants(name) {
            let value = self.median(operation)?;
            self.report.figure(name, value);
        }
        Ok(())
    }

    /// The median cost of `operation`.
    pub fn median(&self, mut operation: impl FnMut() -> Result<(), CallError>) -> Result<u64, CallError> {
        for _ in 0..WARM_UP {
            operation()?;
        }
        let mut samples = Vec::with_capacity(self.samples);
        for _ in 0..self.samples.max(1) {
            let start = ticks();
            for _ in 0..REPETITIONS {
                operation()?;
            }
            samples.push((ticks() - start) / REPETITIONS);
        }
        Ok(middle(&mut samples))
    }
}

/// The middle one.
pub fn middle(samples: &mut [u64]) -> u64 {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::middle;

    #[test]
    fn the_middle_ignores_outliers() {
        assert_eq!(middle(&mut [900, 3, 1, 2, 4]), 3);
        assert_eq!(middle(&mut [7]), 7);
        assert_eq!(middle(&mut []), 0);
    }
}
