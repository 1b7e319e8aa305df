//! Processors: as many as the test wants, one of which is speaking at a time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// Most processors that the kernel will start.
pub const MAX_CPUS: usize = 64;

static COUNT: AtomicUsize = AtomicUsize::new(1);
static KICKED: AtomicU64 = AtomicU64::new(0);

std::thread_local! {
    static SPEAKER: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

pub(super) fn reset(cpus: usize) {
    COUNT.store(cpus, SeqCst);
    KICKED.store(0, SeqCst);
    become_cpu(0);
}

/// The processor this code runs on.
pub fn id() -> usize {
    SPEAKER.get()
}

/// How many processors run.
pub fn count() -> usize {
    COUNT.load(SeqCst)
}

/// Asks `cpu` to call its kick handler; a test sees it with [`take_kicks`].
pub fn kick(cpu: usize) {
    KICKED.fetch_or(1 << cpu, SeqCst);
}

/// The processor's interrupt controller id.
pub fn apic_id(cpu: usize) -> u32 {
    u32::try_from(cpu).unwrap_or(0)
}

/// What the processor offers, in words.
pub fn features() -> &'static str {
    "fake=on"
}

/// From now on this host thread speaks as `cpu`.
pub fn become_cpu(cpu: usize) {
    SPEAKER.set(cpu);
}

/// Bit mask of the processors that were kicked since the last call.
pub fn take_kicks() -> u64 {
    KICKED.swap(0, SeqCst)
}
