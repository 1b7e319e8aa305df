//! Medians of many repetitions.

use alloc::vec::Vec;
use core::cell::Cell;
use probe::{Audit, Fields, Nursery, Report};
use rt::CallError;
use rt::generated::DeviceManagerClient;
use rt::time::{Mark, mark, ticks};

/// What measuring needs.
pub struct Bench {
    /// Prefix of the figures wanted.
    pub only: &'static str,
    /// Samples of each median.
    pub samples: usize,
    pub report: Report,
    pub nursery: Nursery,
    pub audit: Audit,
    /// Series of regions measured so far.
    pub series: Cell<u32>,
    /// Only where there are devices to measure.
    pub devices: Option<DeviceManagerClient>,
}

/// What is measured: from its start to its stop, by the processor's clock and by a host that counts.
pub struct Region(u64);

impl Region {
    /// Starts one; one that is never stopped does not count.
    #[inline]
    pub fn start() -> Region {
        mark(Mark::Start);
        Region(ticks())
    }

    /// Its ticks.
    #[inline]
    pub fn stop(self) -> u64 {
        let ticks = ticks() - self.0;
        mark(Mark::Stop);
        ticks
    }
}

/// What was measured.
#[derive(Clone, Copy)]
pub struct Cost {
    /// The median of the regions of a series.
    pub ticks: u64,
    /// How many times each region did the same.
    pub operations: u64,
    /// Which series it was, from 0.
    series: u32,
}

impl Cost {
    /// Which series it was.
    pub fn series(self) -> u32 {
        self.series
    }

    /// The same, but each operation did so many things.
    pub fn of(self, things: u64) -> Cost {
        Cost { operations: self.operations * things, ..self }
    }

    /// Of one operation.
    fn each(self) -> u64 {
        self.ticks / self.operations.max(1)
    }
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
            let cost = self.median(operation)?;
            self.tell(name, cost);
        }
        Ok(())
    }

    /// Ends a series whose regions took `ticks` in the middle.
    pub fn cost(&self, ticks: u64, operations: u64) -> Cost {
        mark(Mark::Series);
        let series = self.series.get();
        self.series.set(series + 1);
        Cost { ticks, operations, series }
    }

    /// Reports a figure. What a host counted is in the series of that number, and of so many operations.
    pub fn tell(&self, name: &str, cost: Cost) {
        self.report.event("figure", fields(name, cost.each(), cost));
    }

    /// Reports a figure that a host alone can count: time passes in it without instructions.
    pub fn tell_counted(&self, name: &str, cost: Cost) {
        self.report.event("figure", named(name, cost));
    }

    /// Reports by how much `with` costs more than `without`.
    pub fn tell_difference(&self, name: &str, with: Cost, without: Cost) {
        let value = with.each().saturating_sub(without.each());
        self.report.event("figure", fields(name, value, with).value("less", without.series));
    }

    /// The median cost of `operation`.
    pub fn median(&self, mut operation: impl FnMut() -> Result<(), CallError>) -> Result<Cost, CallError> {
        for _ in 0..WARM_UP {
            operation()?;
        }
        let mut samples = Vec::with_capacity(self.samples);
        for _ in 0..self.samples.max(1) {
            let region = Region::start();
            for _ in 0..REPETITIONS {
                operation()?;
            }
            samples.push(region.stop());
        }
        Ok(self.cost(middle(&mut samples), REPETITIONS))
    }
}

fn fields(name: &str, value: u64, cost: Cost) -> Fields {
    named(name, cost).value("value", value)
}

fn named(name: &str, cost: Cost) -> Fields {
    let fields = Fields::new().text("name", name).text("unit", "instructions");
    fields.value("series", cost.series).value("operations", cost.operations)
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
