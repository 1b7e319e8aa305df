//! Who waits: a node on the stack of each sleeping thread.

use super::parker::{Handle, park};
use super::{AtomicBool, AtomicPtr, Ordering};
use core::ptr::{NonNull, null_mut};

/// A thread that waits. It stays where it is until it was [woken](Waiter::wake), and is gone at any moment after that. Aligned so that the
/// lowest bit of its address is free.
#[repr(align(8))]
pub(super) struct Waiter {
    /// The one that came before; changed by its owner before it is in a list, and then by whoever owns the list.
    pub next: AtomicPtr<Waiter>,
    thread: Handle,
    woken: AtomicBool,
}

impl Waiter {
    /// The calling thread.
    pub fn new() -> Waiter {
        Waiter { next: AtomicPtr::new(null_mut()), thread: Handle::current(), woken: AtomicBool::new(false) }
    }

    /// To be called before it is put into a list (again).
    pub fn prepare(&self, next: *mut Waiter) {
        self.woken.store(false, Ordering::Relaxed);
        self.next.store(next, Ordering::Relaxed);
    }

    /// Sleeps until somebody has taken it out of the list and woken it.
    pub fn sleep(&self) {
        // Acquire: what was done before the wake-up is seen, and nobody looks at this any more.
        while !self.woken.load(Ordering::Acquire) {
            park();
        }
    }

    /// Wakes a waiter that was taken out of its list.
    ///
    /// # Safety
    /// The caller alone has taken it out, and nobody woke it since.
    pub unsafe fn wake(this: NonNull<Waiter>) {
        // SAFETY: it sleeps until the store below.
        let waiter = unsafe { this.as_ref() };
        let thread = waiter.thread.clone();
        // Release: we are done with it. It may be gone from here on.
        waiter.woken.store(true, Ordering::Release);
        thread.unpark();
    }
}
