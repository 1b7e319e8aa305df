//! Time that passes when the test says so.

use super::cpu;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

static NOW: AtomicU64 = AtomicU64::new(0);
static STEP: AtomicU64 = AtomicU64::new(0);
static DELAY: AtomicU64 = AtomicU64::new(0);
static ARMED: [AtomicU64; cpu::MAX_CPUS] = [const { AtomicU64::new(u64::MAX) }; cpu::MAX_CPUS];

pub(super) fn reset() {
    NOW.store(0, SeqCst);
    STEP.store(0, SeqCst);
    DELAY.store(0, SeqCst);
    ARMED.iter().for_each(|armed| armed.store(u64::MAX, SeqCst));
}

/// Nanoseconds since boot.
pub fn now_ns() -> u64 {
    NOW.fetch_add(STEP.load(SeqCst), SeqCst)
}

/// A count that goes up evenly: here as time does.
pub fn ticks() -> u64 {
    NOW.load(SeqCst)
}

/// How long so many ticks are, in nanoseconds.
pub fn ticks_to_ns(ticks: u64) -> u64 {
    ticks
}

/// Asks for the timer handler at `deadline_ns` on this CPU; `u64::MAX` asks for none.
pub fn arm(deadline_ns: u64) {
    ARMED[cpu::id()].store(deadline_ns, SeqCst);
    advance(DELAY.load(SeqCst));
}

/// Nanoseconds since 1970, if known.
pub fn wall_clock_ns() -> Option<u64> {
    Some(1_700_000_000_000_000_000 + now_ns())
}

/// The clock, in words.
pub fn describe() -> &'static str {
    "source=fake"
}

/// From now on so much time passes whenever somebody looks at the clock.
pub fn pass_with_each_look(ns: u64) {
    STEP.store(ns, SeqCst);
}

/// From now on so much time passes whenever somebody sets the timer, as on a machine whose host looks at others then.
pub fn pass_when_armed(ns: u64) {
    DELAY.store(ns, SeqCst);
}

/// Lets time pass.
pub fn advance(ns: u64) {
    NOW.fetch_add(ns, SeqCst);
}

/// When `cpu` asked to be called.
pub fn armed(cpu: usize) -> u64 {
    ARMED[cpu].load(SeqCst)
}
