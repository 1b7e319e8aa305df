//! The shortest way of `WAIT` against the ordinary one.

use super::bindings::Waiter;
use super::{User, WAYS, World, call_sqe, error};
use crate::task::process::Status;
use crate::task::{end, schedule};
use crate::trap::HANDLERS;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError, syscall};
use capos_schema::signaller;
use kernel_hal::fake;
use kernel_hal::user::is_running;

/// Two that take turns, and what each holds to signal the other.
pub(super) struct Turns {
    pub left: Waiter,
    pub right: Waiter,
    pub to_left: CapId,
    pub to_right: CapId,
}

/// Gives what `owner` holds to `to`.
fn moved(owner: &User, id: CapId, to: &User) -> CapId {
    to.hold(owner.process().release(id).expect("held").object)
}

impl Turns {
    /// Two equals, of whom the left one waits already.
    pub fn new(world: &World) -> Self {
        Turns::at(world, 10, 10)
    }

    /// The same with their priorities.
    fn at(world: &World, left: u8, right: u8) -> Self {
        let left = Waiter::of(world.start_at("left", left));
        let to_left = left.signaller(0b10, 0);
        left.user.submit(left.wait(CapId::NULL));
        left.user.enter(1, syscall::FOREVER);
        let right = Waiter::of(world.start_at("right", right));
        let to_left = moved(&left.user, to_left, &right.user);
        let to_right = moved(&right.user, right.signaller(0b01, 0), &left.user);
        Turns { left, right, to_left, to_right }
    }

    /// The right one signals the left one and waits.
    pub fn turn(&self, way: u64) {
        self.right.user.submit(self.right.wait(self.to_left));
        self.right.user.enter(1, way);
    }
}

/// A thread's completion, and what its system call answered.
fn seen(user: &User) -> (Cqe, i64) {
    (user.pop(), user.returned())
}

#[test]
fn both_ways_bring_the_same_bits_and_change_who_runs() {
    let [direct, ordinary] = WAYS.map(|way| {
        let world = World::new();
        let turns = Turns::new(&world);
        let mut found = std::vec::Vec::new();
        for _ in 0..3 {
            turns.turn(way);
            assert!(turns.right.user.is_blocked() && is_running(0, &turns.left.user.thread.context));
            found.push(seen(&turns.left.user));
            turns.left.user.submit(turns.left.wait(turns.to_right));
            turns.left.user.enter(1, way);
            assert!(turns.left.user.is_blocked() && is_running(0, &turns.right.user.thread.context));
            found.push(seen(&turns.right.user));
        }
        found
    });
    assert_eq!(direct, ordinary);
    let [(to_left, returned), (to_right, _), ..] = direct[..] else { panic!("six turns") };
    assert_eq!((to_left.badge, to_right.badge, returned), (0b10, 0b01, 1));
}

#[test]
fn bits_that_are_there_are_taken_instead_of_sleeping() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        let own = turns.right.signaller(0b100, 0);
        turns.right.user.submit(turns.right.wait(own));
        turns.right.user.enter(1, way);
        assert_eq!(seen(&turns.right.user).0.badge, 0b100, "who signals himself does not sleep");
        // Bits that came before, while somebody waits to be signalled.
        turns.right.user.one(call_sqe(own, signaller::INTERFACE_ID, signaller::SIGNAL, 0));
        turns.turn(way);
        assert_eq!(seen(&turns.right.user).0.badge, 0b100);
        turns.left.user.run();
        assert_eq!(turns.left.user.pop().badge, 0b10);
    }
}

#[test]
fn each_works_in_its_own_time_and_nothing_is_left() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        let time = || [&turns.left, &turns.right].map(|side| schedule::time_of(side.user.process()));
        turns.turn(way);
        let before = time();
        fake::time::advance(1_000);
        let spent = [time()[0] - before[0], time()[1] - before[1]];
        assert_eq!((spent[0] > 0, spent[1]), (true, 0), "the left one runs");
        // The notifications go with their holders and signallers.
        assert_eq!(turns.left.used(), 1);
        turns.left.user.pop();
        turns.left.release(turns.to_right);
        turns.left.release(turns.left.event);
        drop(turns.right.user.process().release(turns.to_left));
        assert_eq!(turns.left.used(), 0);
    }
}

#[test]
fn both_ways_refuse_the_same() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        let refused = |sqe: Sqe| {
            turns.right.user.submit(sqe);
            turns.right.user.enter(1, way);
            assert!(turns.left.user.is_blocked(), "nobody was signalled");
            error(&turns.right.user.pop())
        };
        let good = turns.right.wait(turns.to_left);
        assert_eq!(refused(Sqe { reserved1: 1, ..good }), Some(TransportError::InvalidArgument));
        assert_eq!(refused(Sqe { flags: 1, ..good }), Some(TransportError::InvalidArgument));
        assert_eq!(refused(Sqe { interface: 999, ..good }), Some(TransportError::InvalidCap));
        assert_eq!(refused(Sqe { cap: 999, ..good }), Some(TransportError::InvalidCap));
        assert_eq!(refused(Sqe { interface: good.cap, ..good }), Some(TransportError::WrongKind));
        assert_eq!(refused(Sqe { cap: good.interface, ..good }), Some(TransportError::WrongKind));
    }
}

#[test]
fn who_rests_can_be_taken_back() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        turns.turn(way);
        turns.left.user.pop();
        // The right to wait goes, and with it the wait.
        let event = turns.right.user.process().release(turns.right.event).expect("held");
        drop(event);
        turns.right.user.run();
        assert_eq!(error(&turns.right.user.pop()), Some(TransportError::Canceled));
        // Nobody hears the signal any more, and nobody sleeps after it.
        turns.left.user.run();
        turns.left.user.submit(turns.left.wait(turns.to_right));
        turns.left.user.enter(1, way);
        assert_eq!(error(&turns.left.user.pop()), Some(TransportError::Disconnected));
        // The left one dies asleep: its place is free, and the bits wait for whoever comes.
        turns.left.user.submit(turns.left.wait(CapId::NULL));
        turns.left.user.enter(1, syscall::FOREVER);
        end::end_process(turns.left.user.process(), Status::Killed);
        (HANDLERS.kick)();
    }
}

#[test]
fn a_more_urgent_thread_runs_before_whoever_is_signalled() {
    for way in WAYS {
        let world = World::new();
        // The more urgent one is ready, and waits for the most urgent, who signals the least urgent.
        let turns = Turns::at(&world, 5, 20);
        let urgent = world.start_at("urgent", 10);
        turns.turn(way);
        assert!(turns.right.user.is_blocked() && is_running(0, &urgent.thread.context));
        end::end_process(urgent.process(), Status::Killed);
        (HANDLERS.kick)();
        turns.left.user.run();
        assert_eq!(turns.left.user.pop().badge, 0b10);
    }
}

#[test]
fn a_second_waiter_keeps_its_turn() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        let event = turns.left.user.object(turns.left.event);
        let other = world.start("other");
        let own = other.hold(event);
        let wait = |user: &User, own: CapId| {
            user.submit(Sqe { op: Op::Wait as u8, cap: own.raw(), user_data: 9, ..Sqe::default() });
            user.enter(1, syscall::FOREVER);
        };
        wait(&other, own);
        turns.turn(way);
        assert!(is_running(0, &turns.left.user.thread.context) && other.is_blocked());
        assert_eq!(turns.left.user.pop().badge, 0b10);
        // Now the other one is the first.
        wait(&turns.left.user, turns.left.event);
        turns.right.user.process().release(turns.right.event).map(drop).expect("held");
        turns.right.user.run();
        turns.right.user.pop();
        let event = super::notification_of(&turns.right.user);
        turns.right.user.submit(Sqe { cap: event.raw(), ..turns.right.wait(turns.to_left) });
        turns.right.user.enter(1, way);
        assert!(is_running(0, &other.thread.context) && turns.left.user.is_blocked());
        assert_eq!(other.pop().badge, 0b10);
    }
}
