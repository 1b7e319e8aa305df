//! Every interleaving of the two ends, by loom. Run with `RUSTFLAGS="--cfg loom" cargo test -p capos-ring --release`.
//!
//! The queues are as short as the protocol allows (shorter than the contract allows), so that they wrap within a few entries, and
//! the indices begin just below the wrap of 32 bits.

use crate::sync::Ordering;
use crate::sync::model::Memory;
use crate::{KernelRing, UserRing};
use capos_abi::ring::header;
use capos_abi::{Cqe, RingShape, Sqe};
use loom::thread;
use std::boxed::Box;

const SHAPE: RingShape = RingShape { sq_entries: 2, cq_entries: 2, arena_pages: 1 };
const START: u32 = u32::MAX - 1;
const ENTRIES: u32 = 3;

fn sqe(n: u32) -> Sqe {
    Sqe { user_data: u64::from(n), aux: !u64::from(n), ..Sqe::default() }
}

fn cqe(n: u32) -> Cqe {
    Cqe { user_data: u64::from(n), badge: !u64::from(n), ..Cqe::default() }
}

/// Runs the two ends against each other in every way.
fn model(user: fn(&UserRing), kernel: fn(&KernelRing)) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(move || {
        let memory: Box<Memory> = Memory::new(SHAPE.pages() * capos_abi::PAGE_SIZE, START);
        // SAFETY: both ends are gone before the memory is: the thread is joined, and both are locals.
        let (ours, theirs) =
            unsafe { (KernelRing::new(memory.start(), SHAPE), UserRing::new(memory.start(), SHAPE)) };
        let thread = thread::spawn(move || user(&theirs));
        kernel(&ours);
        thread.join().unwrap();
        drop(memory);
    });
}

/// Submits everything, waiting for room.
fn submit_all(user: &UserRing) {
    for n in 0..ENTRIES {
        while user.submit(&sqe(n)).is_err() {
            thread::yield_now();
        }
    }
}

/// Takes everything, and finds each entry whole, once and in order.
fn take_all(kernel: &KernelRing) {
    let mut done = 0;
    while done < ENTRIES {
        let head = START.wrapping_add(done);
        let pending = kernel.sq_pending(head).expect("an honest user is never found corrupt");
        for n in 0..pending {
            assert_eq!(kernel.read_sqe(head.wrapping_add(n)), sqe(done));
            done += 1;
        }
        kernel.publish_sq_head(START.wrapping_add(done));
        thread::yield_now();
    }
    assert_eq!(done, ENTRIES);
}

/// Completes everything, waiting for room.
fn complete_all(kernel: &KernelRing) {
    for n in 0..ENTRIES {
        let tail = START.wrapping_add(n);
        while kernel.cq_space(tail).expect("an honest user is never found corrupt") == 0 {
            thread::yield_now();
        }
        kernel.write_cqe(tail, &cqe(n));
        kernel.publish_cq_tail(tail.wrapping_add(1));
    }
}

/// Takes every completion, and finds each whole, once and in order.
fn pop_all(user: &UserRing) {
    let mut done = 0;
    while done < ENTRIES {
        match user.pop() {
            Some(found) => {
                assert_eq!(found, cqe(done));
                done += 1;
            }
            None => thread::yield_now(),
        }
    }
    assert_eq!(user.pop(), None);
}

#[test]
fn submissions_arrive_whole_once_and_in_order() {
    model(submit_all, take_all);
}

#[test]
fn completions_arrive_whole_once_and_in_order() {
    model(pop_all, complete_all);
}

#[test]
fn a_message_is_written_before_its_completion_is_seen() {
    fn user(ring: &UserRing) {
        while ring.pop().is_none() {
            thread::yield_now();
        }
        assert_eq!(ring.arena_word(8), 77);
    }
    fn kernel(ring: &KernelRing) {
        ring.arena_store(8, 77).expect("in the arena");
        ring.write_cqe(START, &cqe(0));
        ring.publish_cq_tail(START.wrapping_add(1));
    }
    model(user, kernel);
}

/// Submits one entry with a tail that does not order it: what loom must catch.
fn submit_without_order(user: &UserRing) {
    user.write_sqe(START, &sqe(0));
    user.store_header(header::SQ_TAIL, START.wrapping_add(1), Ordering::Relaxed);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_submission_tail_is_caught() {
    model(submit_without_order, |kernel| {
        while kernel.sq_pending(START) == Ok(0) {
            thread::yield_now();
        }
        kernel.read_sqe(START);
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_completion_tail_is_caught() {
    model(
        |user| {
            while user.pop().is_none() {
                thread::yield_now();
            }
        },
        |kernel| {
            kernel.write_cqe(START, &cqe(0));
            kernel.store_header(header::CQ_TAIL, START.wrapping_add(1), Ordering::Relaxed);
        },
    );
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_head_published_before_reading_is_caught() {
    model(submit_all, |kernel| {
        let mut done = 0;
        while done < ENTRIES {
            let head = START.wrapping_add(done);
            if kernel.sq_pending(head) != Ok(0) {
                done += 1;
                kernel.publish_sq_head(head.wrapping_add(1));
                kernel.read_sqe(head);
            }
            thread::yield_now();
        }
    });
}

impl UserRing {
    /// A word of the arena; the slices of the real one have no meaning in a model.
    fn arena_word(&self, off: usize) -> u64 {
        // SAFETY: models name words of the arena.
        unsafe { self.block.load_u64(self.arena_off + off) }
    }
}
