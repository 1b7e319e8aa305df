//! What the fake processors hold while the order of locks is checked. Each thread of the host has its own: tests do not meet.

use super::cpu::{self, MAX_CPUS};
use crate::atomics::AtomicU16;
use crate::order::{ENTRIES, Entry, LockRank, Mode};
use core::ptr;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

std::thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Undecided) };
    static APART: Cell<bool> = const { Cell::new(false) };
    static TAKEN: RefCell<Option<BTreeSet<Taken>>> = const { RefCell::new(None) };
    static HELD: [[Entry; ENTRIES]; MAX_CPUS] = const { [const { [const { Entry::new() }; ENTRIES] }; MAX_CPUS] };
}

/// A lock that was taken: its rank, and where it is.
pub type Taken = (LockRank, usize);

/// The locks that `work` takes, while their order is checked.
pub fn taken_by(work: impl FnOnce()) -> BTreeSet<Taken> {
    TAKEN.set(Some(BTreeSet::new()));
    work();
    TAKEN.take().unwrap_or_default()
}

pub(crate) fn write_down(word: &AtomicU16, rank: LockRank) {
    TAKEN.with_borrow_mut(|taken| {
        taken.as_mut().map(|taken| taken.insert((rank, ptr::from_ref(word).addr())))
    });
}

/// Nobody has said whether the order is checked, and nothing is held.
pub fn forget_all() {
    MODE.set(Mode::Undecided);
    APART.set(false);
    with_all(Entry::clear);
}

pub(crate) fn mode() -> Mode {
    MODE.get()
}

pub(crate) fn set_mode(mode: Mode) {
    MODE.set(mode);
}

pub(crate) fn tag() -> u16 {
    u16::try_from(cpu::id()).unwrap_or(u16::MAX)
}

pub(crate) fn with_own<R>(work: impl FnOnce(&[Entry]) -> R) -> R {
    HELD.with(|held| work(held.get(cpu::id()).map_or(&[], |own| own)))
}

pub(crate) fn with_all(work: impl Fn(&Entry)) {
    // A lock may be dropped by a thread that has gone as far as to drop this.
    let _ = HELD.try_with(|held| held.iter().flatten().for_each(work));
}

pub(crate) fn is_apart() -> bool {
    APART.get()
}

pub(crate) fn set_apart(apart: bool) -> bool {
    APART.replace(apart)
}
