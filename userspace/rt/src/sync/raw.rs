//! A lock of one word: the lowest bit says that somebody has it, the rest is the list of those who wait, the newest first.
//!
//! Anybody may put itself at the head of the list; only who has the lock takes somebody out, and that is whoever has waited longest. So
//! there is never more than one who takes out, and what is in the list stays alive.

use super::list::Waiter;
use super::{AtomicPtr, Ordering};
use core::ptr::{NonNull, null_mut};

const LOCKED: usize = 1;

/// A lock around nothing.
pub(super) struct RawLock {
    state: AtomicPtr<Waiter>,
}

fn is_locked(state: *mut Waiter) -> bool {
    state.addr() & LOCKED != 0
}

fn locked(state: *mut Waiter) -> *mut Waiter {
    state.map_addr(|address| address | LOCKED)
}

fn free(state: *mut Waiter) -> *mut Waiter {
    state.map_addr(|address| address & !LOCKED)
}

impl RawLock {
    /// A free one.
    #[cfg(not(all(test, loom)))]
    pub const fn new() -> Self {
        RawLock { state: AtomicPtr::new(null_mut()) }
    }

    /// A free one.
    #[cfg(all(test, loom))]
    pub fn new() -> Self {
        RawLock { state: AtomicPtr::new(null_mut()) }
    }

    /// Takes it if it is free.
    pub fn try_lock(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        !is_locked(state) && self.exchange(state, locked(state), Ordering::Acquire)
    }

    /// Takes it, waiting for whoever has it.
    #[inline]
    pub fn lock(&self) {
        if !self.exchange(null_mut(), locked(null_mut()), Ordering::Acquire) {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        let own = Waiter::new();
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if !is_locked(state) {
                if self.exchange(state, locked(state), Ordering::Acquire) {
                    return;
                }
                continue;
            }
            own.prepare(free(state));
            let entry = NonNull::from(&own).as_ptr();
            // Release: whoever takes it out sees what is in it.
            if self.exchange(state, locked(entry), Ordering::AcqRel) {
                own.sleep();
            }
        }
    }

    /// Gives it back, and wakes whoever has waited longest.
    #[inline]
    pub fn unlock(&self) {
        if !self.exchange(locked(null_mut()), null_mut(), Ordering::Release) {
            self.wake_oldest();
        }
    }

    #[cold]
    fn wake_oldest(&self) {
        let oldest = loop {
            // Acquire: everything in the list was written before it was put there.
            let state = self.state.load(Ordering::Acquire);
            let Some(newest) = NonNull::new(free(state)) else { return };
            // SAFETY: we have the lock, so all that are in the list stay there and asleep.
            let (oldest, before) = unsafe { oldest(newest) };
            match before {
                // SAFETY: as above.
                Some(before) => unsafe {
                    before.as_ref().next.store(null_mut(), Ordering::Relaxed);
                    self.give_up();
                    break oldest;
                },
                // Alone: it goes with the lock, unless somebody has come before it meanwhile.
                None if self.exchange(state, null_mut(), Ordering::Release) => break oldest,
                None => {}
            }
        };
        // SAFETY: we have taken it out.
        unsafe { Waiter::wake(oldest) };
    }

    /// Gives the lock back and leaves the list as it is.
    fn give_up(&self) {
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if self.exchange(state, free(state), Ordering::Release) {
                return;
            }
        }
    }

    #[inline]
    fn exchange(&self, from: *mut Waiter, to: *mut Waiter, order: Ordering) -> bool {
        self.state.compare_exchange(from, to, order, Ordering::Relaxed).is_ok()
    }
}

/// The last of a list, and who comes before it.
///
/// # Safety
/// Nobody takes anything out of the list meanwhile.
unsafe fn oldest(newest: NonNull<Waiter>) -> (NonNull<Waiter>, Option<NonNull<Waiter>>) {
    let (mut here, mut before) = (newest, None);
    // SAFETY: what is in the list is alive.
    while let Some(next) = NonNull::new(unsafe { here.as_ref() }.next.load(Ordering::Relaxed)) {
        (before, here) = (Some(here), next);
    }
    (here, before)
}
