//! Permits: none is lost, none counts twice.

use super::processes::new_thread;
use super::{User, World, error};
use crate::task::process::Status;
use crate::task::{create, end};
use capos_abi::ring::sqe_flags;
use capos_abi::{Cqe, Op, RingShape, Sqe, TransportError, syscall};
use kernel_hal::fake;

fn park(user_data: u64, mask: u64) -> Sqe {
    Sqe { op: Op::Park as u8, cap: mask, user_data, ..Sqe::default() }
}

fn unpark(target: &User, bits: u64) -> Sqe {
    Sqe { op: Op::Unpark as u8, cap: target.thread.id, interface: bits, user_data: 99, ..Sqe::default() }
}

fn bits(cqe: &Cqe) -> (u64, i32, u64) {
    (cqe.user_data, cqe.result, cqe.badge)
}

/// Two threads of one process.
fn pair(world: &World) -> (User, User) {
    let first = world.start("a");
    let new = new_thread(RingShape::DEFAULT, 10);
    let second = create::thread(first.process(), &new).unwrap_or_else(|error| panic!("{error:?}"));
    create::run(&second);
    (first, User::playing(second))
}

#[test]
fn a_permit_that_comes_first_is_not_lost_and_counts_once() {
    let world = World::new();
    let (sleeper, waker) = pair(&world);
    for given in [0b01, 0b01, 0b10] {
        assert_eq!(waker.one(unpark(&sleeper, given)).result, 0);
    }
    assert_eq!(bits(&sleeper.one(park(1, 0b01))), (1, 0, 0b01));
    assert_eq!(bits(&sleeper.one(park(2, u64::MAX))), (2, 0, 0b10));
    sleeper.submit(park(3, u64::MAX));
    sleeper.poll();
    sleeper.nothing();
}

#[test]
fn who_is_parked_wakes_up_for_its_own_bits_only() {
    let world = World::new();
    let (sleeper, waker) = pair(&world);
    sleeper.submit(park(1, 0b110));
    sleeper.enter(1, syscall::FOREVER);
    assert!(sleeper.is_blocked());
    assert_eq!(waker.one(unpark(&sleeper, 0b001)).result, 0);
    assert!(sleeper.is_blocked());
    assert_eq!(waker.one(unpark(&sleeper, 0b101)).result, 0);
    sleeper.run();
    assert_eq!((sleeper.returned(), bits(&sleeper.pop())), (1, (1, 0, 0b100)));
    assert_eq!(bits(&sleeper.one(park(2, 0b111))), (2, 0, 0b001));
}

#[test]
fn a_park_ends_by_cancel_by_deadline_and_with_its_thread() {
    let world = World::new();
    let (sleeper, waker) = pair(&world);
    sleeper.submit(park(1, 1));
    sleeper.submit(Sqe { op: Op::Cancel as u8, aux: 1, user_data: 2, ..Sqe::default() });
    sleeper.poll();
    assert_eq!(error(&sleeper.pop()), Some(TransportError::Canceled));
    assert_eq!(sleeper.pop().result, 0);
    let at = kernel_hal::time::now_ns() + 500;
    sleeper.submit(Sqe { flags: sqe_flags::DEADLINE, aux: at, ..park(3, 1) });
    sleeper.enter(1, syscall::FOREVER);
    fake::time::advance(500);
    (crate::trap::HANDLERS.timer)();
    sleeper.run();
    assert_eq!(error(&sleeper.pop()), Some(TransportError::TimedOut));
    // Nobody waits any more: a permit stays for the next.
    assert_eq!(waker.one(unpark(&sleeper, 1)).result, 0);
    assert_eq!(bits(&sleeper.one(park(4, 1))), (4, 0, 1));
    sleeper.submit(park(5, 1));
    sleeper.enter(1, syscall::FOREVER);
    end::end_process(sleeper.process(), Status::Killed);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let world = World::new();
    let (sleeper, waker) = pair(&world);
    let stranger = world.start("b");
    let invalid = Some(TransportError::InvalidArgument);
    assert_eq!(error(&sleeper.one(park(1, 0))), invalid);
    assert_eq!(error(&waker.one(unpark(&sleeper, 0))), invalid);
    assert_eq!(
        error(&stranger.one(unpark(&sleeper, 1))),
        invalid,
        "threads of others are none of its business"
    );
    assert_eq!(error(&waker.one(Sqe { cap: 1 << 40, ..unpark(&sleeper, 1) })), invalid);
    assert_eq!(error(&sleeper.one(Sqe { flags: sqe_flags::EXCEPTION, ..park(1, 1) })), invalid);
    sleeper.submit(park(1, 1));
    sleeper.poll();
    assert_eq!(error(&sleeper.one(park(2, 2))), Some(TransportError::TooManyInFlight));
}
