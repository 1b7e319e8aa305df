//! Who may use something that goes from processor to processor: one at a time, and each sees what the one before has left.

use crate::atomics::AtomicUsize;
use core::sync::atomic::Ordering;

const NOBODY: usize = usize::MAX;

/// The processor that has it.
pub struct Owner(AtomicUsize);

impl Owner {
    /// Nobody.
    pub const fn nobody() -> Self {
        Owner(AtomicUsize::new(NOBODY))
    }

    /// Whether processor `cpu` has it. Of others the answer may be old as soon as it is given.
    #[inline]
    pub fn is(&self, cpu: usize) -> bool {
        self.0.load(Ordering::Relaxed) == cpu
    }

    /// `cpu` has it from now on, if nobody has.
    #[inline(always)]
    pub fn try_take(&self, cpu: usize) -> bool {
        self.0.compare_exchange(NOBODY, cpu, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Nobody has it any more.
    #[inline]
    pub fn let_go(&self) {
        self.0.store(NOBODY, Ordering::Release);
    }
}
