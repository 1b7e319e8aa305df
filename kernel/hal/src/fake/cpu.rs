//! Processors: as many as the test wants, one of which is speaking at a time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// Most processors that the kernel will start.
pub const MAX_CPUS: usize = 64;

static COUNT: AtomicUsize = AtomicUsize::new(1);
static KICKED: AtomicU64 = AtomicU64::new(0);
static ANSWER: Mutex<Option<fn()>> = Mutex::new(None);

std::thread_local! {
    static SPEAKER: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

pub(super) fn reset(cpus: usize) {
    COUNT.store(cpus, SeqCst);
    KICKED.store(0, SeqCst);
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = None;
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

/// How many processors there are.
pub fn present() -> usize {
    count()
}

/// Asks `cpu` to call its kick handler; a test sees it with [`take_kicks`], or has it answered with [`answer_kicks`].
pub fn kick(cpu: usize) {
    KICKED.fetch_or(1 << cpu, SeqCst);
    let handler = *ANSWER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handler) = handler {
        let here = id();
        become_cpu(cpu);
        handler();
        become_cpu(here);
    }
}

/// From now on a kicked processor is as fast as can be: it has called `handler` before the kick returns.
pub fn answer_kicks(handler: fn()) {
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = Some(handler);
}

/// The processor's interrupt controller id.
pub fn apic_id(cpu: usize) -> u32 {
    u32::try_from(cpu).unwrap_or(0)
}

/// How often others have made `cpu` forget translations: there are none here.
pub fn shootdowns(_cpu: usize) -> u64 {
    0
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
