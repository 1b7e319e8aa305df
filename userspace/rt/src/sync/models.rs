//! Every interleaving of a few threads, by loom. Run with `RUSTFLAGS="--cfg loom" cargo test -p rt --lib --release`.
//!
//! A thread that nobody wakes is a deadlock, which loom reports; what the lock protects is a cell in which loom sees two at a time.

use super::list::Waiter;
use super::lock::{Condvar, Mutex};
use super::raw::RawLock;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ptr::null_mut;
use loom::cell::UnsafeCell;
use loom::thread;

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

struct Guarded {
    lock: RawLock,
    value: UnsafeCell<u32>,
}

// SAFETY: the cell is only touched under the lock, and loom fails the model when it is not.
unsafe impl Sync for Guarded {}
// SAFETY: as above.
unsafe impl Send for Guarded {}

impl Guarded {
    fn add(&self) {
        self.lock.lock();
        // SAFETY: loom checks that nobody else has it.
        self.value.with_mut(|value| unsafe { *value += 1 });
        self.lock.unlock();
    }
}

fn counts(threads: u32, turns: u32) {
    let guarded = Arc::new(Guarded { lock: RawLock::new(), value: UnsafeCell::new(0) });
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let guarded = guarded.clone();
            thread::spawn(move || (0..turns).for_each(|_| guarded.add()))
        })
        .collect();
    (0..turns).for_each(|_| guarded.add());
    for other in others {
        other.join().unwrap();
    }
    // SAFETY: all others have ended.
    assert_eq!(guarded.value.with(|value| unsafe { *value }), threads * turns);
}

#[test]
fn two_threads_take_turns_and_nobody_sleeps_for_ever() {
    model(|| counts(2, 2));
}

#[test]
fn with_three_there_is_a_list_to_take_somebody_out_of() {
    model(|| counts(3, 1));
}

#[test]
fn a_lock_that_is_taken_is_not_taken_twice() {
    model(|| {
        let lock = Arc::new(RawLock::new());
        let theirs = lock.clone();
        let other = thread::spawn(move || {
            let mine = theirs.try_lock();
            if mine {
                theirs.unlock();
            }
        });
        lock.lock();
        assert!(!lock.try_lock());
        lock.unlock();
        other.join().unwrap();
        assert!(lock.try_lock());
    });
}

#[test]
fn a_change_notifies_who_waits_for_it() {
    model(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = shared.clone();
        let other = thread::spawn(move || {
            *theirs.0.lock() = true;
            theirs.1.notify_one();
        });
        let guard = shared.1.wait_while(shared.0.lock(), |done| !*done);
        assert!(*guard);
        drop(guard);
        other.join().unwrap();
    });
}

#[test]
fn a_change_can_notify_all() {
    model(|| {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let theirs = shared.clone();
        let other = thread::spawn(move || {
            let mut guard = theirs.1.wait_while(theirs.0.lock(), |count| *count == 0);
            *guard += 1;
            drop(guard);
            theirs.1.notify_all();
        });
        *shared.0.lock() += 1;
        shared.1.notify_all();
        drop(shared.1.wait_while(shared.0.lock(), |count| *count < 2));
        other.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_gives_up_the_value_before_it_is_in_the_list_sleeps_for_ever() {
    model(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let theirs = shared.clone();
        let other = thread::spawn(move || {
            *theirs.0.lock() = true;
            theirs.1.notify_one();
        });
        let done = *shared.0.lock();
        if !done {
            // What `Condvar::wait` must not do: here the notification gets lost.
            let own = Waiter::new();
            own.prepare(null_mut());
            shared.1.enqueue(&own);
            own.sleep();
        }
        other.join().unwrap();
    });
}
