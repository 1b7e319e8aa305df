//! What the fake processors hold while the order of locks is checked. Each thread of the host has its own: tests do not meet.

use super::cpu::{self, MAX_CPUS};
use crate::order::Held;
use std::cell::Cell;

std::thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static HELD: [Cell<u64>; MAX_CPUS] = const { [const { Cell::new(0) }; MAX_CPUS] };
}

/// Off again, and nothing is held.
pub fn forget() {
    ON.set(false);
    HELD.with(|held| held.iter().for_each(|held| held.set(0)));
}

pub(crate) fn switch(on: bool) {
    ON.set(on);
}

pub(crate) fn is_on() -> bool {
    ON.get()
}

pub(crate) fn held() -> Held {
    Held(HELD.with(|held| held.get(cpu::id()).map_or(0, Cell::get)))
}

pub(crate) fn set_held(now: Held) {
    HELD.with(|held| held.get(cpu::id()).map(|held| held.set(now.0)));
}
