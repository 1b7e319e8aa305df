//! The time, for who asks often: the processor's own clock between looks at the kernel's.

use core::cell::Cell;
use rt::CallError;
use rt::generated::TimerClient;
use rt::time::ticks;

/// How long the processor's clock is believed without looking, nanoseconds, and how long it takes to find out how fast it is.
const BELIEF_NS: u64 = 20_000_000;
const LEARNING_NS: u64 = 1_000_000;

/// Time since boot, which never goes back.
pub struct Clock {
    timer: TimerClient,
    /// The kernel's time at the last look, and the processor's then.
    seen: Cell<(u64, u64)>,
    /// Nanoseconds of a tick, times 2^32; 0 while that is not known.
    scale: Cell<u64>,
    last: Cell<u64>,
}

impl Clock {
    /// By that one.
    pub fn new(timer: TimerClient) -> Clock {
        Clock { timer, seen: Cell::new((0, 0)), scale: Cell::new(0), last: Cell::new(0) }
    }

    /// To set alarms, and to sleep.
    pub fn timer(&self) -> &TimerClient {
        &self.timer
    }

    /// What time it is, nanoseconds since boot.
    #[inline]
    pub fn now(&self) -> Result<u64, CallError> {
        let (ns, at) = self.seen.get();
        let passed = scaled(ticks().wrapping_sub(at), self.scale.get());
        let now = match passed {
            Some(passed) if passed < BELIEF_NS => ns + passed,
            _ => self.look()?,
        };
        let now = now.max(self.last.get());
        self.last.set(now);
        Ok(now)
    }

    #[cold]
    fn look(&self) -> Result<u64, CallError> {
        let now = self.timer.now_blocking()?;
        let at = ticks();
        let (before, since) = self.seen.get();
        let (ns, passed) = (now.saturating_sub(before), at.wrapping_sub(since));
        if before == 0 || ns >= LEARNING_NS {
            // The first look has nothing to compare with.
            let scale = if before == 0 { 0 } else { ratio(ns, passed) };
            self.scale.set(scale);
            self.seen.set((now.max(1), at));
        }
        Ok(now)
    }
}

/// So many ticks in nanoseconds, if that is known.
fn scaled(ticks: u64, scale: u64) -> Option<u64> {
    let ns = (u128::from(ticks) * u128::from(scale)) >> 32;
    if scale == 0 { None } else { Some(u64::try_from(ns).unwrap_or(u64::MAX)) }
}

/// Nanoseconds of a tick, times 2^32; 0 when that can not be said.
fn ratio(ns: u64, ticks: u64) -> u64 {
    let ratio = (u128::from(ns) << 32).checked_div(u128::from(ticks)).unwrap_or(0);
    u64::try_from(ratio).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{ratio, scaled};

    #[test]
    fn ticks_become_nanoseconds() {
        let slow = ratio(1_000_000, 3_000_000);
        assert_eq!(scaled(9_000_000, slow).map(|ns| ns.div_ceil(1000)), Some(3000));
        assert_eq!(scaled(5, ratio(10, 10)), Some(5));
        assert_eq!((scaled(5, ratio(10, 0)), ratio(u64::MAX, 1)), (None, 0));
    }
}
