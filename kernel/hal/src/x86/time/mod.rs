//! Time: the TSC, scaled to nanoseconds since boot, and one deadline per CPU.

mod calibrate;
mod hpet;
mod pit;
mod rtc;

use super::apic::timer;
use super::cpu::local;
use super::cpu::probe::features;
use crate::pure::rate::Rate;
use alloc::format;
use alloc::string::String;
use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use spin::Once;

pub(super) use calibrate::NoClock;

/// TSC at boot.
static START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds per TSC tick.
static TO_NS: AtomicU64 = AtomicU64::new(0);
/// TSC ticks per nanosecond.
static TO_TSC: AtomicU64 = AtomicU64::new(0);
/// Local timer ticks per nanosecond.
static TO_COUNT: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds since 1970 at boot, or 0 when unknown.
static EPOCH: AtomicU64 = AtomicU64::new(0);
static USE_DEADLINE: AtomicBool = AtomicBool::new(false);
static TEXT: Once<String> = Once::new();

const SECOND: u64 = 1_000_000_000;

#[inline]
fn tsc() -> u64 {
    // SAFETY: CPUID reported a TSC.
    unsafe { _rdtsc() }
}

fn rate(of: &AtomicU64) -> Rate {
    Rate::from_raw(of.load(Ordering::Relaxed))
}

/// Finds out how fast the clocks run. On the boot CPU, with its local APIC on. `boot_seconds` is the loader's date, if it has one.
pub(super) fn init(boot_seconds: Option<u64>) -> Result<(), NoClock> {
    let found = calibrate::run()?;
    let start = tsc();
    START.store(start, Ordering::Relaxed);
    let store = |to: &AtomicU64, rate: Option<Rate>| {
        to.store(rate.ok_or(NoClock)?.to_raw(), Ordering::Relaxed);
        Ok(())
    };
    store(&TO_NS, Rate::new(SECOND, found.tsc_hz))?;
    store(&TO_TSC, Rate::new(found.tsc_hz, SECOND))?;
    store(&TO_COUNT, Rate::new(found.count_hz, SECOND))?;
    USE_DEADLINE.store(features().tsc_deadline, Ordering::Relaxed);
    let date = rtc::unix_seconds().or(boot_seconds);
    EPOCH.store(date.unwrap_or(0).saturating_mul(SECOND), Ordering::Relaxed);
    let (timer, invariant) = (timer_name(), if features().invariant_tsc { "yes" } else { "no" });
    TEXT.call_once(|| {
        format!(
            "clock=tsc hz={} invariant={invariant} calibrated_by={} timer={timer} timer_hz={}",
            found.tsc_hz, found.source, found.count_hz
        )
    });
    Ok(())
}

fn timer_name() -> &'static str {
    if USE_DEADLINE.load(Ordering::Relaxed) { "tsc-deadline" } else { "local-apic" }
}

/// Sets up this CPU's timer. After [`init`].
pub(super) fn init_cpu() {
    if USE_DEADLINE.load(Ordering::Relaxed) {
        timer::use_deadline();
    } else {
        timer::use_count();
    }
}

/// A count that goes up evenly, for sums of small differences: see [`ticks_to_ns`].
#[inline]
pub fn ticks() -> u64 {
    tsc().wrapping_sub(START.load(Ordering::Relaxed))
}

/// How long so many [`ticks`] are, in nanoseconds.
pub fn ticks_to_ns(ticks: u64) -> u64 {
    rate(&TO_NS).convert(ticks)
}

/// Nanoseconds since boot.
#[inline]
pub fn now_ns() -> u64 {
    rate(&TO_NS).convert(tsc().saturating_sub(START.load(Ordering::Relaxed)))
}

/// Asks for the timer handler at `deadline_ns` on this CPU, at once if that has passed; `u64::MAX` asks for none.
#[inline]
pub fn arm(deadline_ns: u64) {
    local::this().deadline.set(deadline_ns);
    program(deadline_ns);
}

fn program(deadline_ns: u64) {
    let by_deadline = USE_DEADLINE.load(Ordering::Relaxed);
    match (deadline_ns, by_deadline) {
        (u64::MAX, true) => timer::deadline(0),
        (u64::MAX, false) => timer::stop(),
        (_, true) => {
            // One tick more than computed, so that the deadline has passed when it fires.
            let ticks = rate(&TO_TSC).convert(deadline_ns);
            timer::deadline(ticks.saturating_add(START.load(Ordering::Relaxed)).saturating_add(1));
        }
        (_, false) => {
            let wait = deadline_ns.saturating_sub(now_ns());
            let ticks = rate(&TO_COUNT).convert(wait).saturating_add(1);
            timer::count_down(u32::try_from(ticks).unwrap_or(u32::MAX));
        }
    }
}

/// The timer fired: whether the deadline has passed. If not (it was further away than the timer counts, or fired a hair early) the
/// timer is set again.
pub(super) fn expired() -> bool {
    let deadline = &local::this().deadline;
    if now_ns() < deadline.get() {
        program(deadline.get());
        return false;
    }
    deadline.set(u64::MAX);
    true
}

/// Nanoseconds since 1970, if known.
pub fn wall_clock_ns() -> Option<u64> {
    match EPOCH.load(Ordering::Relaxed) {
        0 => None,
        epoch => Some(epoch.saturating_add(now_ns())),
    }
}

/// The clock, in words.
pub fn describe() -> &'static str {
    TEXT.get().map_or("clock=none", String::as_str)
}
