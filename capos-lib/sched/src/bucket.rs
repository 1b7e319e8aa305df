//! A share of the processors' time: so much in every period, for all threads that share it, on all CPUs.
//!
//! Periods begin at the same moments for everybody, at multiples of [`PERIOD_NS`], so a CPU with many threads that wait for their shares needs one
//! alarm. A CPU takes time before it runs a thread ([`Bucket::take`]) and says afterwards how much it was ([`Bucket::settle`]). It may have
//! been more, as the kernel is not interrupted: that is a debt, which the next periods pay. What was not used in a period can be used in the
//! next, but not later. So whoever always has work gets its share exactly in the long run, and never, between any two moments, more than the
//! share of that time and two periods.

#[cfg(all(test, not(loom)))]
mod tests;

/// How long a period is, nanoseconds.
pub const PERIOD_NS: u64 = 10_000_000;

/// Periods' worth of time that can be there at most.
const DEPTH: i64 = 2;

/// What is left of a share.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// What comes each period, nanoseconds.
    quota: i64,
    /// What is there; below zero a debt.
    left: i64,
    /// The period for which it has come already.
    period: u64,
}

/// When the period after the one of `now` begins.
pub const fn next_period(now: u64) -> u64 {
    (now / PERIOD_NS).saturating_add(1).saturating_mul(PERIOD_NS)
}

impl Bucket {
    /// A share of that many hundredths of one CPU, from `now` on, with one period's worth in it.
    pub const fn new(percent: u32, now: u64) -> Bucket {
        let quota = quota(percent);
        Bucket { quota, left: quota, period: now / PERIOD_NS }
    }

    /// From now on it is another share. A debt stays.
    pub fn set_percent(&mut self, percent: u32) {
        self.quota = quota(percent);
        self.left = self.left.min(DEPTH * self.quota);
    }

    /// Takes up to `most` nanoseconds. 0 when nothing is left. Who is `pressed` may overdraw by one period's worth.
    pub fn take(&mut self, now: u64, most: u64, pressed: bool) -> u64 {
        self.fill(now);
        let floor = if pressed { -self.quota } else { 0 };
        let granted = u64::try_from(self.left - floor).unwrap_or(0).min(most);
        self.left -= signed(granted);
        granted
    }

    /// Of what was taken, `granted`, so much was `used`.
    pub fn settle(&mut self, granted: u64, used: u64) {
        let left = self.left.saturating_add(signed(granted)).saturating_sub(signed(used));
        self.left = left.min(DEPTH * self.quota);
    }

    /// What has come since somebody looked.
    fn fill(&mut self, now: u64) {
        let period = now / PERIOD_NS;
        let periods = signed(period.saturating_sub(self.period));
        if periods > 0 {
            let came = periods.saturating_mul(self.quota);
            self.left = self.left.saturating_add(came).min(DEPTH * self.quota);
            self.period = period;
        }
    }
}

const fn quota(percent: u32) -> i64 {
    // At most 2^32 * 10^5, which is far below 2^63.
    percent as i64 * (PERIOD_NS as i64 / 100)
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
