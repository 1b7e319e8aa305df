//! How one processor has another do something and knows when it is done, without a lock.

use crate::atomics::AtomicU64;
use core::sync::atomic::Ordering;

/// What others want of a processor, by counting: it does everything at once.
pub struct Mailbox {
    wanted: AtomicU64,
    done: AtomicU64,
}

impl Mailbox {
    /// Nothing is wanted.
    pub const fn new() -> Self {
        Mailbox { wanted: AtomicU64::new(0), done: AtomicU64::new(0) }
    }

    /// Wants it of the owner once more: after what the caller has written. Gives what to look for.
    pub fn ask(&self) -> u64 {
        self.wanted.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Whether it was done after that was asked.
    pub fn has_done(&self, ticket: u64) -> bool {
        self.done.load(Ordering::Acquire) >= ticket
    }

    /// For the owner: does what is wanted, if anything is.
    #[inline]
    pub fn serve(&self, work: impl FnOnce()) {
        let wanted = self.wanted.load(Ordering::SeqCst);
        if self.done.load(Ordering::Relaxed) != wanted {
            work();
            self.done.store(wanted, Ordering::Release);
        }
    }

    /// How often it was wanted.
    pub fn asked(&self) -> u64 {
        self.wanted.load(Ordering::Relaxed)
    }
}
