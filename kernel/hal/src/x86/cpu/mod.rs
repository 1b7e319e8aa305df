//! Processors: who they are and how to make them look up.

pub(super) mod control;
pub(super) mod fpu;
pub(super) mod local;
pub(super) mod probe;
pub(super) mod tables;

use super::apic;
use super::traps::vectors;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Most processors that the kernel will start.
pub const MAX_CPUS: usize = 64;

static COUNT: AtomicUsize = AtomicUsize::new(1);

static PRESENT: AtomicUsize = AtomicUsize::new(1);

pub(super) fn set_count(count: usize, present: usize) {
    COUNT.store(count, Ordering::Release);
    PRESENT.store(present, Ordering::Release);
}

/// How many processors the machine has, those that are left alone included.
pub fn present() -> usize {
    PRESENT.load(Ordering::Relaxed)
}

/// The processor this code runs on.
#[inline]
pub fn id() -> usize {
    local::id()
}

/// How many processors run.
#[inline]
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Makes `cpu` call its kick handler soon. Unknown numbers are ignored.
pub fn kick(cpu: usize) {
    if let Some(local) = local::of(cpu).filter(|_| cpu < count()) {
        apic::send(local.apic_id.load(Ordering::Relaxed), vectors::KICK);
    }
}

/// The processor's interrupt controller id; 0 for unknown numbers.
pub fn apic_id(cpu: usize) -> u32 {
    local::of(cpu).map_or(0, |local| local.apic_id.load(Ordering::Relaxed))
}

/// How often others have made `cpu` forget translations of user memory; 0 for unknown numbers.
pub fn shootdowns(cpu: usize) -> u64 {
    local::of(cpu).map_or(0, |local| local.flushes.asked())
}

/// What the processor offers, as `name=on` and `name=absent`.
pub fn features() -> &'static str {
    probe::describe()
}
