//! The kernel's spin lock.
//!
//! The kernel runs with interrupts off, so a spin lock needs no interrupt guard. While the order of locks is checked (order.rs), a lock that
//! was given back has another word: then the short way to it fails, and the long one looks. So the check costs nothing where a lock is
//! taken, and who only tries goes without what it wanted.

use crate::order::{self, Rank};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU8, Ordering};

/// Nobody has it.
const FREE: u8 = 0;
/// Somebody took it the short way.
const HELD: u8 = 1;
/// Nobody has it, and whoever takes it is looked at.
const WATCHED: u8 = 2;
/// Somebody was.
const WATCHED_HELD: u8 = 3;

/// A spin lock. The order of locks is written down in docs/src/concepts/locks.md.
pub struct Lock<T> {
    word: AtomicU8,
    rank: Rank,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one guard at a time, from whichever CPU: what a mutex does, under the same bounds.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Lock<T> {}

/// Proof that a [`Lock`] is held that was waited for.
pub struct Guard<'a, T>(&'a Lock<T>);

/// Proof that a [`Lock`] is held that was only tried.
pub struct Tried<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    /// An open lock around `value`.
    pub const fn new(rank: Rank, value: T) -> Self {
        Lock { word: AtomicU8::new(FREE), rank, value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        if !self.swap(FREE, HELD) {
            self.wait();
        }
        Guard(self)
    }

    /// Takes the lock if nobody has it, and nobody is looked at who takes it: while the order is checked all go the ways that wait.
    #[inline]
    pub fn try_lock(&self) -> Option<Tried<'_, T>> {
        (self.swap(FREE, HELD) || self.is_unwatched_now()).then_some(Tried(self))
    }

    #[inline]
    fn swap(&self, from: u8, to: u8) -> bool {
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        if order::is_checked() {
            order::expect(self.rank);
        }
        loop {
            match self.word.load(Ordering::Relaxed) {
                FREE if self.swap(FREE, HELD) => return,
                WATCHED if self.swap(WATCHED, WATCHED_HELD) => return order::taken(self.rank),
                _ => {}
            }
            // The lock's holder may be waiting for something of this CPU.
            #[cfg(target_os = "none")]
            crate::vm::flush::poll();
            core::hint::spin_loop();
        }
    }

    /// A report of a panic tries locks when nobody looks any more.
    #[cold]
    #[inline(never)]
    fn is_unwatched_now(&self) -> bool {
        !order::is_checked() && self.swap(WATCHED, HELD)
    }

    #[cold]
    #[inline(never)]
    fn give_back_watched(&self) {
        if self.word.load(Ordering::Relaxed) == WATCHED_HELD {
            order::given_back(self.rank);
        }
        self.word.store(WATCHED, Ordering::Release);
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if order::is_checked() {
            self.0.give_back_watched();
        } else {
            self.0.word.store(FREE, Ordering::Release);
        }
    }
}

impl<T> Drop for Tried<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.word.store(FREE, Ordering::Release);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: whoever made the guard took the lock, which is given back when the guard goes, so there is no other.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed for as long.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Deref for Tried<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: as for the other guard.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Tried<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for the other guard.
        unsafe { &mut *self.0.value.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;
    use crate::fake::order;
    use crate::order::{Rank, check_from_now_on};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::string::String;

    /// What is said of `work` when the order is checked and both locks have been taken before.
    fn breach(
        first: Rank,
        then: Rank,
        work: impl FnOnce(&Lock<u32>, &Lock<u32>),
    ) -> Option<String> {
        let (first, then) = (Lock::new(first, 1), Lock::new(then, 2));
        check_from_now_on();
        drop(first.lock());
        drop(then.lock());
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&first, &then)));
        order::forget();
        outcome.err().map(|text| *text.downcast::<String>().unwrap())
    }

    fn nested(first: &Lock<u32>, then: &Lock<u32>) {
        let held = first.lock();
        assert_eq!(*then.lock() + *held, 3);
    }

    #[test]
    fn upwards_is_fine_again_and_again() {
        let work = |first: &Lock<u32>, then: &Lock<u32>| {
            for _ in 0..3 {
                nested(first, then);
                let (held, other) = (first.lock(), then.lock());
                // Not in the order of a stack.
                drop(held);
                drop(other);
                drop(then.lock());
                drop(first.lock());
            }
        };
        assert_eq!(breach(Rank::Meeting, Rank::Thread, work), None);
        assert_eq!(breach(Rank::Table, Rank::Table, work), None);
    }

    #[test]
    fn downwards_is_reported_with_both_ranks() {
        let said = breach(Rank::Queue, Rank::Thread, nested);
        assert_eq!(said.as_deref(), Some("lock order: Thread is waited for while Queue is held"));
        assert!(breach(Rank::Queue, Rank::Queue, nested).is_some());
    }

    #[test]
    fn a_lock_that_is_held_is_not_waited_for_out_of_order_either() {
        // On one thread this would wait for ever.
        let said = breach(Rank::Queue, Rank::List, |first, _| drop((first.lock(), first.lock())));
        assert_eq!(said.as_deref(), Some("lock order: Queue is waited for while Queue is held"));
    }

    #[test]
    fn nothing_is_looked_at_when_nobody_asked() {
        let (low, high) = (Lock::new(Rank::Exit, 1), Lock::new(Rank::Device, 2));
        let _held = high.lock();
        assert!(low.try_lock().is_some() && *low.lock() == 1);
        assert!(high.try_lock().is_none());
    }

    #[test]
    fn who_tries_a_watched_lock_goes_without_it_until_nobody_looks() {
        let work = |first: &Lock<u32>, _: &Lock<u32>| assert!(first.try_lock().is_none());
        assert_eq!(breach(Rank::Meeting, Rank::Thread, work), None);
        let lock = Lock::new(Rank::List, 0);
        check_from_now_on();
        drop(lock.lock());
        order::forget();
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn one_at_a_time_watched_or_not() {
        for watched in [false, true] {
            let total = Lock::new(Rank::Thread, 0u32);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        if watched {
                            check_from_now_on();
                        }
                        for _ in 0..1000 {
                            *total.lock() += 1;
                        }
                    });
                }
            });
            assert_eq!(*total.lock(), 4000);
        }
    }
}
