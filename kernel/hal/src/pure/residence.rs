//! Which processors may remember an address space's translations, so that only they are told of changes.
//!
//! Who loads the tables says so first, and who changes an entry writes it first: so either the one is told or the other reads what is new.

use crate::atomics::{AtomicU64, fence};
use core::sync::atomic::Ordering;

/// A bit for each processor.
pub struct Residence(AtomicU64);

impl Residence {
    /// No processor.
    pub const fn nowhere() -> Self {
        Residence(AtomicU64::new(0))
    }

    /// The processor with that bit has the tables loaded by `load`, which begins no walk before what comes before it is seen by all (a
    /// write to CR3 is such).
    #[inline]
    pub fn enter(&self, bit: u64, load: impl FnOnce()) {
        self.0.fetch_or(bit, Ordering::SeqCst);
        load();
    }

    /// It has loaded others.
    #[inline]
    pub fn leave(&self, bit: u64) {
        self.0.fetch_and(!bit, Ordering::SeqCst);
    }

    /// Who may remember an entry as it was before the caller wrote it.
    #[inline]
    pub fn after_change(&self) -> u64 {
        // A plain load may overtake the writes.
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed)
    }
}
