//! What each CPU holds while the order of locks is checked.

use super::cpu::{self, MAX_CPUS, local};
use crate::order::{ENTRIES, Entry, Mode};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Written once while the kernel starts, before other CPUs run, and once by whoever reports a breach.
static MODE: AtomicU8 = AtomicU8::new(Mode::Undecided as u8);
/// Each written by its own CPU, but that who drops a lock clears it everywhere.
static HELD: [[Entry; ENTRIES]; MAX_CPUS] = [const { [const { Entry::new() }; ENTRIES] }; MAX_CPUS];
/// Which of them are doing what takes no global lock. Each written by its own CPU.
static APART: [AtomicBool; MAX_CPUS] = [const { AtomicBool::new(false) }; MAX_CPUS];

pub(crate) fn mode() -> Mode {
    match MODE.load(Ordering::Relaxed) {
        mode if mode == Mode::On as u8 => Mode::On,
        mode if mode == Mode::Off as u8 => Mode::Off,
        _ => Mode::Undecided,
    }
}

pub(crate) fn set_mode(mode: Mode) {
    MODE.store(mode as u8, Ordering::Relaxed);
}

/// Only asked for when the mode is decided: then every CPU that runs has its number.
pub(crate) fn tag() -> u16 {
    u16::try_from(local::id()).unwrap_or(u16::MAX)
}

pub(crate) fn with_own<R>(work: impl FnOnce(&[Entry]) -> R) -> R {
    work(HELD.get(local::id()).map_or(&[], |own| own))
}

pub(crate) fn with_all(work: impl Fn(&Entry)) {
    HELD.iter().take(cpu::present()).flatten().for_each(work);
}

/// Whether this CPU is doing what takes no global lock.
pub(crate) fn is_apart() -> bool {
    APART.get(local::id()).is_some_and(|apart| apart.load(Ordering::Relaxed))
}

/// From now on it is, or not; gives whether it was.
pub(crate) fn set_apart(apart: bool) -> bool {
    APART.get(local::id()).is_some_and(|place| place.swap(apart, Ordering::Relaxed))
}
