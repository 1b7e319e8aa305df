//! The two queues in good order.

use super::{Pair, SMALL};
use crate::{QueueFull, UserRing};
use capos_abi::ring::header;
use capos_abi::{Cqe, RingShape, Sqe};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use std::collections::VecDeque;

fn sqe(n: u64) -> Sqe {
    Sqe {
        op: 1,
        method: 7,
        user_data: n,
        cap: !n,
        interface: n << 32,
        msg_len: 64,
        aux: n + 1,
        ..Sqe::default()
    }
}

fn cqe(n: u64) -> Cqe {
    Cqe { user_data: n, result: -3, flags: 1, caps: 2, method: 9, token: !n, badge: n << 20 }
}

#[test]
fn a_new_ring_is_empty_in_both_directions() {
    let pair = Pair::small();
    assert_eq!(pair.kernel.sq_pending(0), Ok(0));
    assert_eq!(pair.kernel.cq_space(0), Ok(16));
    assert_eq!(pair.kernel.cq_waiting(0), Ok(0));
    assert_eq!((pair.user.pop(), pair.user.submitted(), pair.user.completions()), (None, 0, 0));
}

#[test]
fn a_submission_arrives_with_every_field() {
    let pair = Pair::small();
    let sent = Sqe {
        op: 1,
        flags: 2,
        method: 0x0304,
        caps_send: 5,
        caps_recv: 6,
        reserved0: 0x0708,
        user_data: 9,
        cap: 10,
        interface: 11,
        msg_off: 12,
        msg_len: 13,
        reply_off: 14,
        reply_len: 15,
        caps_off: 16,
        reserved1: 17,
        aux: 18,
    };
    pair.user.submit(&sent).unwrap();
    assert_eq!(pair.kernel.sq_pending(0), Ok(1));
    assert_eq!(pair.kernel.read_sqe(0), sent);
}

#[test]
fn a_completion_arrives_with_every_field() {
    let pair = Pair::small();
    pair.kernel.write_cqe(0, &cqe(5));
    assert_eq!(pair.user.pop(), None, "nothing is seen before it is published");
    pair.kernel.publish_cq_tail(1);
    assert_eq!(pair.user.completions(), 1);
    assert_eq!(pair.user.pop(), Some(cqe(5)));
    assert_eq!(pair.user.pop(), None);
}

#[test]
fn a_full_submission_queue_says_so_until_the_kernel_takes_some() {
    let pair = Pair::small();
    (0..8).for_each(|n| pair.user.submit(&sqe(n)).unwrap());
    assert_eq!(pair.user.submit(&sqe(8)), Err(QueueFull));
    assert_eq!(pair.kernel.sq_pending(0), Ok(8));
    pair.kernel.publish_sq_head(3);
    assert_eq!(pair.user.submitted(), 5);
    (8..11).for_each(|n| pair.user.submit(&sqe(n)).unwrap());
    assert_eq!(pair.user.submit(&sqe(11)), Err(QueueFull));
    assert_eq!(pair.kernel.sq_pending(3), Ok(8));
    assert_eq!(pair.kernel.read_sqe(10), sqe(10));
}

#[test]
fn a_full_completion_queue_has_no_space_until_the_user_pops() {
    let pair = Pair::small();
    (0..16).for_each(|n| pair.kernel.write_cqe(n, &cqe(u64::from(n))));
    pair.kernel.publish_cq_tail(16);
    assert_eq!((pair.kernel.cq_space(16), pair.kernel.cq_waiting(16)), (Ok(0), Ok(16)));
    assert_eq!(pair.user.pop(), Some(cqe(0)));
    assert_eq!((pair.kernel.cq_space(16), pair.kernel.cq_waiting(16)), (Ok(1), Ok(15)));
}

#[test]
fn indices_run_through_the_wrap_of_32_bits() {
    let pair = Pair::small();
    let start = u32::MAX - 3;
    for offset in [header::SQ_TAIL, header::SQ_HEAD, header::CQ_TAIL, header::CQ_HEAD] {
        pair.poke(offset, start);
    }
    // SAFETY: a second user's end for the same block, but the first is not used in this test.
    let user = unsafe { UserRing::new(pair.raw, SMALL) };
    for n in 0..20 {
        let index = start.wrapping_add(n);
        user.submit(&sqe(u64::from(n))).unwrap();
        assert_eq!(pair.kernel.sq_pending(index), Ok(1));
        assert_eq!(pair.kernel.read_sqe(index), sqe(u64::from(n)));
        pair.kernel.publish_sq_head(index.wrapping_add(1));
        assert_eq!(pair.kernel.cq_space(index), Ok(16));
        pair.kernel.write_cqe(index, &cqe(u64::from(n)));
        pair.kernel.publish_cq_tail(index.wrapping_add(1));
        assert_eq!(user.pop(), Some(cqe(u64::from(n))));
    }
}

#[test]
fn the_header_describes_the_block() {
    let pair = Pair::small();
    pair.kernel.init_header(77, 88, 99);
    let words =
        [header::MAGIC_OFF, header::SQ_ENTRIES, header::CQ_ENTRIES, header::ARENA_LEN, header::STARTUP_LEN];
    assert_eq!(words.map(|offset| pair.peek(offset)), [header::MAGIC, 8, 16, 4096, 99]);
    assert_eq!((pair.peek(header::THREAD_ID), pair.peek(header::PROCESS_ID)), (77, 88));
    assert_eq!((pair.user.startup_len(), pair.user.shape()), (99, pair.kernel.shape()));
}

#[test]
fn a_user_finds_its_ring_from_the_header_alone() {
    let shape = RingShape { sq_entries: 16, cq_entries: 64, arena_pages: 3 };
    let pair = Pair::new(shape);
    pair.kernel.init_header(1, 2, 0);
    // SAFETY: the pair's own user end is not used in this test.
    let user = unsafe { UserRing::attach(pair.raw) }.expect("there is a ring");
    assert_eq!(user.shape(), shape);
    user.submit(&sqe(1)).unwrap();
    assert_eq!(pair.kernel.read_sqe(0), sqe(1));
}

#[test]
fn what_is_not_a_ring_is_not_attached_to() {
    let pair = Pair::small();
    // SAFETY: the pair's own user end is not used in this test.
    assert!(unsafe { UserRing::attach(pair.raw) }.is_none(), "no magic");
    pair.kernel.init_header(1, 2, 0);
    pair.poke(header::SQ_ENTRIES, 9);
    // SAFETY: as above.
    assert!(unsafe { UserRing::attach(pair.raw) }.is_none(), "no valid shape");
}

#[test]
#[cfg_attr(miri, ignore = "too long; the loom models cover it")]
fn two_threads_exchange_everything_once_and_in_order() {
    let pair = Pair::small();
    let (kernel, user) = (&pair.kernel, Shared(&pair.user));
    std::thread::scope(|scope| {
        scope.spawn(move || echo(kernel, 20_000));
        scope.spawn(move || converse(user, 20_000));
    });
}

/// Lends the user's end to one other thread.
struct Shared<'a>(&'a UserRing);
// SAFETY: only the thread it is moved to uses it.
unsafe impl Send for Shared<'_> {}

fn echo(kernel: &crate::KernelRing, count: u32) {
    let mut done = 0;
    while done < count {
        let pending = kernel.sq_pending(done).expect("good indices");
        for index in done..done + pending {
            while kernel.cq_space(index).expect("good indices") == 0 {
                std::thread::yield_now();
            }
            kernel.write_cqe(index, &cqe(kernel.read_sqe(index).user_data));
            kernel.publish_sq_head(index + 1);
            kernel.publish_cq_tail(index + 1);
        }
        done += pending;
        std::thread::yield_now();
    }
}

fn converse(user: Shared<'_>, count: u64) {
    let Shared(user) = user;
    let (mut sent, mut seen) = (0, 0);
    while seen < count {
        while sent < count && user.submit(&sqe(sent)).is_ok() {
            sent += 1;
        }
        while let Some(answer) = user.pop() {
            assert_eq!(answer, cqe(seen));
            seen += 1;
        }
        std::thread::yield_now();
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: if cfg!(miri) { 1 } else { 256 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_queues_follow_a_pair_of_fifos(start in any::<u32>(), steps in prop::collection::vec(0u8..4, 0..if cfg!(miri) { 40 } else { 200 })) {
        let pair = Pair::small();
        for offset in [header::SQ_TAIL, header::SQ_HEAD, header::CQ_TAIL, header::CQ_HEAD] {
            pair.poke(offset, start);
        }
        // SAFETY: the pair's own user end is not used in this test.
        let user = unsafe { UserRing::new(pair.raw, SMALL) };
        let (mut sq, mut cq) = (VecDeque::new(), VecDeque::new());
        let (mut head, mut tail, mut next) = (start, start, 0u64);
        for step in steps {
            next += 1;
            match step {
                0 => {
                    let full = sq.len() == 8;
                    prop_assert_eq!(user.submit(&sqe(next)).is_err(), full);
                    if !full { sq.push_back(next); }
                }
                1 => if let Some(expected) = sq.pop_front() {
                    prop_assert_eq!(pair.kernel.read_sqe(head), sqe(expected));
                    head = head.wrapping_add(1);
                    pair.kernel.publish_sq_head(head);
                },
                2 => if pair.kernel.cq_space(tail) != Ok(0) {
                    pair.kernel.write_cqe(tail, &cqe(next));
                    tail = tail.wrapping_add(1);
                    pair.kernel.publish_cq_tail(tail);
                    cq.push_back(next);
                },
                _ => prop_assert_eq!(user.pop(), cq.pop_front().map(cqe)),
            }
            prop_assert_eq!(pair.kernel.sq_pending(head).map(|n| n as usize), Ok(sq.len()));
            prop_assert_eq!(pair.kernel.cq_waiting(tail).map(|n| n as usize), Ok(cq.len()));
            prop_assert!(cq.len() <= 16);
        }
    }
}
