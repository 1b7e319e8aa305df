//! Why a thread that runs must not go on. Others set it under the lock of the thread's state, so nobody misses it who looks under that lock.

use crate::task::thread::Thread;
use core::sync::atomic::Ordering;

/// It is to end.
pub(super) const DOOMED: u8 = 1;
/// It is to stop for a debugger.
pub(super) const STOP: u8 = 2;

impl Thread {
    /// Whether it will never return to user mode.
    #[inline]
    pub fn is_doomed(&self) -> bool {
        self.attention.load(Ordering::Acquire) & DOOMED != 0
    }

    /// Whether it is to stop. Only while it runs; one that has just gone to sleep looks for that itself.
    pub fn is_to_stop(&self) -> bool {
        self.attention.load(Ordering::Acquire) & STOP != 0
    }

    /// Whether it is to end or to stop.
    #[inline]
    pub fn needs_attention(&self) -> bool {
        self.attention.load(Ordering::Acquire) != 0
    }
}
