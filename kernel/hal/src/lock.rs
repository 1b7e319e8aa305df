//! The kernel's spin lock.
//!
//! The kernel runs with interrupts off, so a spin lock needs no interrupt guard.
//!
//! While the order of locks is checked (order.rs), a lock that nobody has has another word: then the short way to it fails, and the long one
//! looks. Giving back takes the bits away that say who has it, and leaves the others. So the check costs nothing while it is off.

use crate::atomics::{AtomicU16, spin_loop};
use crate::order::{self, LockRank, Mode};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering;

/// Nobody has it.
const FREE: u16 = 0;
/// Somebody has it.
const HELD: u16 = 1;
/// Whoever takes it is looked at. While it is held, the tag of the processor that has it stands in the word, too.
const WATCHED: u16 = 2;
/// It is not decided yet whether this one is watched: it is new, or was used before anybody had said.
const FRESH: u16 = 4;

/// A spin lock. The order of locks is written down in docs/src/concepts/locks.md. It is not moved any more once it was taken.
pub struct Lock<T> {
    word: AtomicU16,
    rank: LockRank,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one guard at a time, from whichever CPU: what a mutex does, under the same bounds.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Lock<T> {}

/// Proof that a [`Lock`] is held.
pub struct Guard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    /// An open lock around `value`.
    pub const fn new(rank: LockRank, value: T) -> Self {
        Lock { word: AtomicU16::new(FRESH), rank, value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        if !self.swap(FREE, HELD) {
            self.wait();
        }
        Guard(self)
    }

    /// Takes the lock if nobody has it. Who only tries waits for nobody, so the order does not bind it. What is watched, or was never taken
    /// before, may be taken with `WATCHED` only: ways on which every instruction counts are there twice.
    #[inline]
    pub fn try_lock<const WATCHED: bool>(&self) -> Option<Guard<'_, T>> {
        // Not `then_some`: that would make a guard in any case, and drop it.
        (self.swap(FREE, HELD) || WATCHED && self.take_otherwise()).then(|| Guard(self))
    }

    #[inline]
    fn swap(&self, from: u16, to: u16) -> bool {
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        if order::mode() == Mode::On {
            order::expect(self.rank, watched());
        }
        while !self.take_otherwise() {
            // The lock's holder may be waiting for something of this CPU.
            #[cfg(target_os = "none")]
            crate::vm::flush::poll();
            spin_loop();
        }
    }

    /// Takes it, if nobody has it, whatever else its word says.
    #[cold]
    #[inline(never)]
    fn take_otherwise(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        let held = match (word, order::mode()) {
            (FREE, _) | (FRESH, Mode::Off) => HELD,
            (FRESH, Mode::Undecided) => FRESH | HELD,
            (FRESH, Mode::On) | (WATCHED, _) => watched(),
            _ => return false,
        };
        let taken = self.swap(word, held);
        if taken && held & WATCHED != 0 {
            order::taken(&self.word, self.rank, held);
        }
        taken
    }
}

/// The word of a watched lock that this processor has.
fn watched() -> u16 {
    WATCHED | HELD | order::tag() << 3
}

impl<T> Drop for Lock<T> {
    fn drop(&mut self) {
        if self.word.load(Ordering::Relaxed) & WATCHED != 0 {
            order::forget(&self.word);
        }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Only who has the lock changes its word, and this is one instruction.
        let word = self.0.word.load(Ordering::Relaxed) & (WATCHED | FRESH);
        self.0.word.store(word, Ordering::Release);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Lock;
    use crate::fake::{cpu, order as held};
    use crate::order::{LockRank, decide};
    use std::boxed::Box;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::string::String;

    type Locks<'l> = (&'l Lock<u32>, &'l Lock<u32>);

    /// What is said of `work` with two locks when the order is checked.
    fn breach(low: LockRank, high: LockRank, work: impl FnOnce(Locks<'_>)) -> Option<String> {
        let (low, high) = (Lock::new(low, 1), Lock::new(high, 2));
        decide(true);
        let outcome = catch_unwind(AssertUnwindSafe(|| work((&low, &high))));
        held::forget_all();
        outcome.err().map(|text| *text.downcast::<String>().unwrap())
    }

    fn nested((first, then): Locks<'_>) {
        let held = first.lock();
        assert_eq!(*then.lock() + *held, 3);
    }

    #[test]
    fn upwards_is_fine_again_and_again() {
        let work = |(low, high): Locks<'_>| {
            for _ in 0..20 {
                nested((low, high));
                let (held, other) = (low.lock(), high.lock());
                // Not in the order of a stack.
                drop(held);
                drop(other);
                drop(high.lock());
                drop(low.lock());
            }
        };
        assert_eq!(breach(LockRank::Meeting, LockRank::Thread, work), None);
        assert_eq!(breach(LockRank::Table, LockRank::Table, work), None);
    }

    #[test]
    fn downwards_is_reported_with_both_ranks() {
        let said = breach(LockRank::Thread, LockRank::Queue, |(low, high)| nested((high, low)));
        assert_eq!(said.as_deref(), Some("lock order: Thread is waited for while Queue is held"));
        assert!(breach(LockRank::Queue, LockRank::Queue, nested).is_some());
    }

    #[test]
    fn a_lock_that_is_held_is_not_waited_for_out_of_order_either() {
        // Nobody would ever give it back: the report comes before the wait.
        let said = breach(LockRank::Queue, LockRank::List, |(low, _)| drop((low.lock(), low.lock())));
        assert_eq!(said.as_deref(), Some("lock order: Queue is waited for while Queue is held"));
    }

    #[test]
    fn nothing_is_looked_at_when_nobody_asked() {
        decide(false);
        let (low, high) = (Lock::new(LockRank::Exit, 1), Lock::new(LockRank::Device, 2));
        let _held = high.lock();
        assert!(low.try_lock::<true>().is_some() && *low.lock() == 1);
        assert!(high.try_lock::<true>().is_none());
    }

    #[test]
    fn who_only_tries_is_not_bound_by_the_order_and_binds_who_waits() {
        let work = |(low, high): Locks<'_>| {
            let held = high.lock();
            let tried = low.try_lock::<true>().unwrap();
            assert!(low.try_lock::<true>().is_none() && high.try_lock::<true>().is_none());
            drop((held, tried));
            nested((low, high));
        };
        assert_eq!(breach(LockRank::Meeting, LockRank::Thread, work), None);
        let wrong = |(low, high): Locks<'_>| {
            let _tried = high.try_lock::<true>();
            drop(low.lock());
        };
        assert!(breach(LockRank::Meeting, LockRank::Thread, wrong).is_some());
    }

    #[test]
    fn what_was_used_before_anybody_had_said_is_watched_afterwards() {
        held::forget_all();
        let (low, high) = (Lock::new(LockRank::Meeting, 1), Lock::new(LockRank::Thread, 2));
        nested((&high, &low));
        decide(true);
        let outcome = catch_unwind(AssertUnwindSafe(|| nested((&high, &low))));
        held::forget_all();
        assert!(outcome.is_err());
    }

    #[test]
    fn locks_of_other_processors_and_locks_that_are_gone_are_nobodys() {
        let work = |(low, high): Locks<'_>| {
            let gone = Box::new(Lock::new(LockRank::Device, 0));
            drop(gone.lock());
            core::mem::forget(gone.lock());
            drop(gone);
            let theirs = high.lock();
            cpu::become_cpu(1);
            drop(low.lock());
            cpu::become_cpu(0);
            drop(theirs);
        };
        assert_eq!(breach(LockRank::Thread, LockRank::Queue, work), None);
        cpu::become_cpu(0);
    }

    #[test]
    fn one_at_a_time_watched_or_not() {
        for watched in [false, true] {
            let total = Lock::new(LockRank::Thread, 0u32);
            std::thread::scope(|scope| {
                for id in 0..4 {
                    let total = &total;
                    scope.spawn(move || {
                        cpu::become_cpu(id);
                        decide(watched);
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

#[cfg(all(test, loom))]
mod models {
    use super::{FRESH, Lock};
    use crate::models::Word;
    use crate::order::{self, LockRank};
    use core::sync::atomic::Ordering;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn one_at_a_time_has_a_lock_and_sees_what_the_last_did() {
        order::decide(false);
        loom::model(|| {
            let lock = Arc::new(Lock::new(LockRank::List, Word::new(0)));
            assert_eq!(lock.word.load(Ordering::Relaxed), FRESH);
            let other = lock.clone();
            let adds = |lock: &Lock<Word>| {
                let word = lock.lock();
                word.set(word.get() + 1);
            };
            let theirs = thread::spawn(move || adds(&other));
            if let Some(word) = lock.try_lock::<true>() {
                word.set(word.get() + 1);
            } else {
                adds(&lock);
            }
            theirs.join().unwrap();
            assert_eq!(lock.lock().get(), 2);
        });
    }
}
