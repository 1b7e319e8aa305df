//! What each CPU holds while the order of locks is checked.

use super::cpu::{self, MAX_CPUS};
use crate::order::Held;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Written once while the kernel starts, before other CPUs run, and once by whoever reports a breach.
static ON: AtomicBool = AtomicBool::new(false);
/// Each used by its own CPU alone.
static HELD: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

pub(crate) fn switch(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

#[inline(always)]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

pub(crate) fn held() -> Held {
    Held(HELD.get(cpu::id()).map_or(0, |held| held.load(Ordering::Relaxed)))
}

pub(crate) fn set_held(now: Held) {
    if let Some(held) = HELD.get(cpu::id()) {
        held.store(now.0, Ordering::Relaxed);
    }
}
