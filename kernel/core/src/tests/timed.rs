//! Operations with a deadline, and everything that can come before it, after it and at the same time.

use super::{MSG, User, World, call_sqe, error, recv_sqe, return_recv_sqe, return_sqe};
use crate::cap::Object;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::ops::{Buffers, OpId, Pending, Waiting};
use crate::ipc::timed;
use crate::task::process::Status;
use crate::task::{end, reap};
use crate::trap::HANDLERS;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError, syscall};
use capos_schema::{Encode, timer};
use kernel_hal::{fake, time};

const INTERFACE: u64 = 7;

struct Fixture {
    client: User,
    server: User,
    right: CapId,
    facet: CapId,
}

impl Fixture {
    fn new(world: &World) -> Self {
        let (server, client) = (world.start("server"), world.start("client"));
        let right = Endpoint::create(4, &server.process().account).unwrap_or_else(|_| panic!("memory"));
        let facet = Endpoint::mint(&right.endpoint, 1, INTERFACE).unwrap_or_else(|_| panic!("memory"));
        let (right, facet) = (server.hold(Object::Endpoint(right)), client.hold(Object::Client(facet)));
        Fixture { client, server, right, facet }
    }

    /// A call that has so many nanoseconds.
    fn call(&self, user_data: u64, ns: u64) -> Sqe {
        Sqe { user_data, ..within(ns, call_sqe(self.facet, INTERFACE, 1, 8)) }
    }

    fn received(&self) -> Cqe {
        let cqe = self.server.one(recv_sqe(self.right));
        assert_eq!(cqe.result, 8);
        cqe
    }
}

fn within(ns: u64, sqe: Sqe) -> Sqe {
    Sqe { flags: sqe.flags | sqe_flags::DEADLINE, aux: time::now_ns() + ns, ..sqe }
}

fn pass(ns: u64) {
    fake::time::advance(ns);
    (HANDLERS.timer)();
}

fn timed_out(cqe: &Cqe) -> bool {
    error(cqe) == Some(TransportError::TimedOut)
}

/// Alarms that wait on this CPU.
fn alarms() -> usize {
    super::here().deadlines.lock().len()
}

#[test]
fn a_queued_call_ends_at_its_deadline_and_not_before() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.client.submit(fixture.call(5, 1000));
    fixture.client.enter(1, syscall::FOREVER);
    assert!(fixture.client.is_blocked());
    pass(999);
    assert!(fixture.client.is_blocked());
    pass(1);
    fixture.client.run();
    let cqe = fixture.client.pop();
    assert_eq!((cqe.user_data, timed_out(&cqe)), (5, true));
    fixture.server.submit(recv_sqe(fixture.right));
    fixture.server.poll();
    fixture.server.nothing();
}

#[test]
fn a_received_call_ends_and_its_answer_is_stale() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.client.submit(fixture.call(5, 1000));
    fixture.client.poll();
    let token = fixture.received().token;
    pass(1000);
    fixture.client.poll();
    assert!(timed_out(&fixture.client.pop()));
    let late = fixture.server.one(return_sqe(fixture.right, token, 0));
    assert_eq!(error(&late), Some(TransportError::StaleToken));
}

#[test]
fn an_answer_in_time_disarms_the_alarm() {
    let world = World::new();
    for wait in super::WAYS {
        let fixture = Fixture::new(&world);
        let before = alarms();
        fixture.server.submit(recv_sqe(fixture.right));
        fixture.server.enter(1, wait);
        fixture.client.submit(fixture.call(5, 1000));
        fixture.client.enter(1, syscall::FOREVER);
        assert!(fixture.client.is_blocked());
        fixture.server.run();
        let token = fixture.server.pop().token;
        fixture.server.submit(return_recv_sqe(fixture.right, token, 0));
        fixture.server.enter(1, syscall::FOREVER);
        fixture.client.run();
        assert_eq!((fixture.client.pop().result, alarms()), (0, before));
        pass(5000);
        fixture.client.poll();
        fixture.client.nothing();
        end::end_process(fixture.server.process(), Status::Killed);
        end::end_process(fixture.client.process(), Status::Killed);
    }
}

#[test]
fn what_can_be_done_at_once_is_done_however_late() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    let clock = fixture.client.hold(Object::Timer(crate::cap::timer::Timer));
    fake::time::advance(10_000);
    let now = call_sqe(clock, timer::INTERFACE_ID, timer::NOW, 0);
    let late = |sqe: Sqe| Sqe { flags: sqe_flags::DEADLINE, aux: 1, ..sqe };
    assert_eq!(fixture.client.one(late(now)).result, 16);
    assert!(timed_out(&fixture.client.one(late(call_sqe(fixture.facet, INTERFACE, 1, 8)))));
    assert_eq!(alarms(), 0);
}

#[test]
fn receives_sleeps_and_next_receives_have_deadlines_too() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.server.submit(within(100, recv_sqe(fixture.right)));
    fixture.server.poll();
    pass(100);
    fixture.server.poll();
    assert!(timed_out(&fixture.server.pop()));

    fixture.client.submit(fixture.call(1, 5000));
    fixture.client.poll();
    let token = fixture.received().token;
    fixture.server.submit(within(100, return_recv_sqe(fixture.right, token, 0)));
    fixture.server.poll();
    fixture.client.poll();
    assert_eq!(fixture.client.pop().result, 0, "the answer went out");
    pass(100);
    fixture.server.poll();
    assert!(timed_out(&fixture.server.pop()));

    let clock = fixture.client.hold(Object::Timer(crate::cap::timer::Timer));
    let mut message = [0; 64];
    let params = timer::SleepUntilParams { ns: time::now_ns() + 1_000_000 };
    let len = capos_schema::Encode::encode(&params, &mut message).expect("it fits");
    fixture.client.put(super::MSG, &message[..len]);
    let sleep = call_sqe(clock, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32);
    fixture.client.submit(within(100, sleep));
    fixture.client.poll();
    pass(100);
    fixture.client.poll();
    assert!(timed_out(&fixture.client.pop()));
    assert_eq!(alarms(), 0, "the sleep's own alarm went with it");
}

#[test]
fn a_cancel_before_the_deadline_counts_and_one_after_it_is_too_late() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    let cancel = Sqe { op: Op::Cancel as u8, aux: 5, user_data: 6, ..Sqe::default() };
    fixture.client.submit(fixture.call(5, 1000));
    fixture.client.submit(cancel);
    fixture.client.poll();
    assert_eq!(error(&fixture.client.pop()), Some(TransportError::Canceled));
    assert_eq!((fixture.client.pop().result, alarms()), (0, 0));
    fixture.client.submit(fixture.call(5, 1000));
    fixture.client.poll();
    pass(1000);
    fixture.client.submit(cancel);
    fixture.client.poll();
    assert!(timed_out(&fixture.client.pop()));
    assert_eq!(error(&fixture.client.pop()), Some(TransportError::InvalidArgument));
    fixture.client.nothing();
}

/// What the alarm of the operation pending now would name.
fn pending(user: &User) -> (OpId, Waiting) {
    user.thread.state.lock().ops.next_from(0).expect("something is pending")
}

#[test]
fn an_alarm_that_comes_late_finds_nothing_not_even_in_the_same_slot() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    fixture.client.submit(fixture.call(5, 1000));
    fixture.client.poll();
    let (id, waiting) = pending(&fixture.client);
    let token = fixture.received().token;
    fixture.server.one(return_sqe(fixture.right, token, 0));
    fixture.client.poll();
    assert_eq!(fixture.client.pop().user_data, 5);
    // Another CPU has taken the alarm out, and gets on with it only now that the next operation is in the same slot.
    fixture.client.submit(fixture.call(6, 1000));
    fixture.client.poll();
    let (next, _) = pending(&fixture.client);
    assert_eq!(next.number() % 4096, id.number() % 4096, "the same slot");
    timed::expire(&fixture.client.thread, id, TransportError::TimedOut);
    assert!(end::take_ticket(&fixture.client.thread, id, waiting).is_none());
    fixture.client.poll();
    fixture.client.nothing();
    let token = fixture.received().token;
    fixture.server.one(return_sqe(fixture.right, token, 0));
    fixture.client.poll();
    assert_eq!((fixture.client.pop().user_data, alarms()), (6, 0));
}

#[test]
fn a_thread_that_ends_leaves_no_alarm() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    for n in 0..5 {
        fixture.client.submit(fixture.call(n, u64::MAX / 2));
    }
    fixture.client.poll();
    assert_eq!(fixture.client.pop().user_data, 4, "four fit the queue");
    assert_eq!(alarms(), 4);
    end::end_process(fixture.client.process(), Status::Killed);
    assert_eq!(alarms(), 0);
}

/// A thread is killed on one CPU, and before everything of it is taken back there, another CPU comes across its operation.
#[test]
fn an_operation_of_a_dead_thread_that_somebody_else_finds_leaves_no_alarm() {
    for receives in [false, true] {
        let world = World::new();
        let fixture = Fixture::new(&world);
        super::audit::from_now_on(false);
        let (receive, call) = (recv_sqe(fixture.right), fixture.call(1, u64::MAX / 2));
        let (dying, its, other, others) = if receives {
            (
                &fixture.server,
                within(u64::MAX / 2, receive),
                &fixture.client,
                Sqe { flags: 0, aux: 0, ..call },
            )
        } else {
            (&fixture.client, call, &fixture.server, receive)
        };
        dying.submit(its);
        dying.enter(1, syscall::FOREVER);
        assert_eq!((dying.is_blocked(), alarms()), (true, 1));
        assert_eq!(dying.thread.die(None), Ok(true));
        other.submit(others);
        other.poll();
        other.nothing();
        reap::begin(dying.process());
        assert!(dying.thread.state.lock().ops.next_from(0).is_none());
        assert_eq!(alarms(), 0, "receives: {receives}");
    }
}

#[test]
fn many_deadlines_end_each_its_own_operation() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    for turn in 0..3 {
        for n in 0..4 {
            fixture.client.submit(fixture.call(n, 100 * (4 - n)));
        }
        fixture.client.poll();
        for n in (0..4).rev() {
            pass(100);
            fixture.client.poll();
            let cqe = fixture.client.pop();
            assert_eq!((cqe.user_data, timed_out(&cqe)), (n, true), "turn {turn}");
            fixture.client.nothing();
        }
    }
}

#[test]
fn operations_that_never_wait_have_no_deadline() {
    let world = World::new();
    let fixture = Fixture::new(&world);
    for op in [Op::Nop, Op::Return, Op::Release, Op::Cancel, Op::Unpark] {
        let sqe = Sqe { op: op as u8, flags: sqe_flags::DEADLINE, aux: 1 << 60, ..Sqe::default() };
        assert_eq!(error(&fixture.client.one(sqe)), Some(TransportError::InvalidArgument), "{op:?}");
    }
    let unknown = Sqe { op: 200, flags: sqe_flags::DEADLINE, ..Sqe::default() };
    assert_eq!(error(&fixture.client.one(unknown)), Some(TransportError::UnknownOp));
    let other = Sqe { flags: sqe_flags::DEADLINE | 1 << 7, ..fixture.call(1, 5) };
    assert_eq!(error(&fixture.client.one(other)), Some(TransportError::InvalidArgument));
}

#[test]
fn without_memory_for_the_alarm_the_operation_ends_and_says_so() {
    for n in 0..6 {
        let world = World::new();
        let fixture = Fixture::new(&world);
        fixture.client.submit(fixture.call(1, 1000));
        fake::fail_nth_allocation(n);
        fixture.client.poll();
        let whole = fake::never_fail();
        match fixture.client.ring.pop() {
            Some(cqe) => assert_eq!(error(&cqe), Some(TransportError::OutOfMemory)),
            None => {
                assert_eq!(alarms(), 1);
                if whole {
                    return;
                }
            }
        }
        end::end_process(fixture.client.process(), Status::Killed);
        assert_eq!(alarms(), 0);
    }
    panic!("more than six allocations");
}

#[test]
fn a_walk_over_as_many_as_there_may_be_comes_to_an_end() {
    let mut timed = timed::Timed::new();
    let pending = || Pending { buffers: Buffers::NONE, waiting: Waiting::Parked };
    let last = loop {
        match timed.begin(pending()) {
            Ok(id) => assert!(timed.search(id.following(), |_| true).is_none(), "{id:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(last, TransportError::TooManyInFlight);
}

#[test]
fn no_more_pend_than_were_paid_for_with_or_without_a_deadline() {
    let world = World::new();
    let user = world.start("user");
    let entries = user.thread.shape.sq_entries;
    let clock = user.hold(Object::Timer(crate::cap::timer::Timer));
    let mut message = [0; 64];
    let len = timer::SleepUntilParams { ns: 1 << 50 }.encode(&mut message).expect("it fits");
    user.put(MSG, &message[..len]);
    let sleep = |deadline: bool| {
        let call = call_sqe(clock, timer::INTERFACE_ID, timer::SLEEP_UNTIL, len as u32);
        let flags = if deadline { sqe_flags::DEADLINE } else { 0 };
        user.submit(Sqe { flags, aux: 1 << 49, ..call });
        user.poll();
    };
    for n in 0..entries {
        sleep(n % 2 == 0);
    }
    user.nothing();
    for deadline in [true, false] {
        sleep(deadline);
        assert_eq!(error(&user.pop()), Some(TransportError::TooManyInFlight), "{deadline}");
    }
}
