//! The shortest ways of threads that have other operations pending, as servers have receives: what is seen is the same as the ordinary way.

use super::bindings::Waiter;
use super::direct_events::Turns;
use super::ipc::{Pair, make_endpoint};
use super::{LIMITS, MSG, REPLY, User, WAYS, World, call_sqe, error, here, recv_sqe, return_recv_sqe};
use crate::ipc::direct_events;
use crate::task::create::Limits;
use crate::task::process::Status;
use crate::task::{end, schedule};
use crate::trap::HANDLERS;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError, syscall};
use capos_schema::{endpoint_factory, signaller};
use core::sync::atomic::Ordering;
use kernel_hal::fake;
use kernel_hal::user::is_running;
use std::vec::Vec;

/// What nobody sends anything to, with so many receives pending there: the first of them alone, or all of them at once.
fn keep_company(user: &User, count: u64, alone: bool) -> CapId {
    let right = make_endpoint(user, 8);
    for n in 0..count {
        let place = REPLY + 512 * n as u32;
        user.submit(Sqe { user_data: 100 + n, msg_off: place, msg_len: 64, ..recv_sqe(right) });
        if alone {
            user.poll();
        }
    }
    user.poll();
    right
}

/// Whether the one submission of a running thread, a `WAIT`, goes the shortest way.
fn goes_directly(user: &User) -> bool {
    let (thread, head) = (&user.thread, user.thread.sq_head.load(Ordering::Relaxed));
    let submission = thread.ring.queued(head);
    thread.sq_head.store(head.wrapping_add(1), Ordering::Relaxed);
    let goes = direct_events::wait_beside(here(), thread, &submission, submission.kind());
    schedule::settle(here());
    goes
}

/// Two that take turns, each with receives of its own pending; everything that both see.
fn turns(way: u64, count: u64, alone: bool) -> Vec<(Cqe, i64)> {
    let world = World::new();
    let (left, right) = (Waiter::of(world.start("left")), Waiter::of(world.start("right")));
    let moved = |from: &Waiter, bits, to: &Waiter| {
        let signal = from.signaller(bits, 0);
        to.user.hold(from.user.process().release(signal).expect("held").object)
    };
    let (to_left, to_right) = (moved(&left, 0b10, &right), moved(&right, 0b01, &left));
    keep_company(&left.user, count, alone);
    keep_company(&right.user, count, alone);
    left.user.submit(left.wait(CapId::NULL));
    left.user.enter(1, way);
    let mut found = Vec::new();
    for _ in 0..3 {
        for (waiter, signal, next) in [(&right, to_left, &left), (&left, to_right, &right)] {
            waiter.user.submit(waiter.wait(signal));
            waiter.user.enter(1, way);
            assert!(waiter.user.is_blocked() && is_running(0, &next.user.thread.context));
            found.push((next.user.pop(), next.user.returned()));
            next.user.nothing();
        }
    }
    found
}

#[test]
fn two_take_turns_whatever_else_they_have_pending() {
    for (count, alone) in [(1, true), (3, true), (3, false), (8, false)] {
        let [direct, ordinary] = WAYS.map(|way| turns(way, count, alone));
        assert_eq!(direct, ordinary);
        assert!(direct.iter().all(|(cqe, returned)| (cqe.user_data, cqe.result, *returned) == (8, 0, 1)));
    }
}

#[test]
fn a_wait_beside_receives_rests_and_takes_turns_directly() {
    for alone in [true, false] {
        let world = World::new();
        let turns = Turns::new(&world);
        keep_company(&turns.right.user, 3, alone);
        // The left one rests alone, and then beside receives, too.
        for _ in 0..2 {
            turns.right.user.submit(turns.right.wait(turns.to_left));
            turns.right.user.run();
            assert!(goes_directly(&turns.right.user));
            assert!(is_running(0, &turns.left.user.thread.context));
            assert_eq!(turns.left.user.pop().badge, 0b10);
            keep_company(&turns.left.user, 2, alone);
            turns.left.user.submit(turns.left.wait(turns.to_right));
            assert!(goes_directly(&turns.left.user));
            assert!(is_running(0, &turns.right.user.thread.context));
            assert_eq!((turns.right.user.pop().badge, turns.right.user.returned()), (0b01, 1));
        }
        // Without a signal it only rests.
        turns.right.user.submit(turns.right.wait(CapId::NULL));
        assert!(goes_directly(&turns.right.user) && turns.right.user.is_blocked());
    }
}

#[test]
fn bits_that_are_there_end_a_wait_directly_and_are_not_there_twice() {
    for (count, alone) in [(0, true), (3, true), (3, false)] {
        let world = World::new();
        let turns = Turns::new(&world);
        let (user, own) = (&turns.right.user, turns.right.signaller(0b100, 0));
        keep_company(user, count, alone);
        let signal = || user.one(call_sqe(own, signaller::INTERFACE_ID, signaller::SIGNAL, 0));
        let seen = WAYS.map(|way| {
            signal();
            user.submit(turns.right.wait(CapId::NULL));
            user.enter(1, way);
            assert!(!user.is_blocked());
            (user.pop(), user.returned())
        });
        assert_eq!(seen[0], seen[1], "the ordinary way and the shortest one");
        assert_eq!((seen[0].0.badge, seen[0].1), (0b100, 1));
        signal();
        user.submit(turns.right.wait(CapId::NULL));
        user.run();
        assert!(goes_directly(user) && !user.is_blocked());
        assert_eq!((user.pop().badge, user.returned()), (0b100, 1));
        user.submit(turns.right.wait(CapId::NULL));
        assert!(goes_directly(user) && user.is_blocked(), "what is left is to sleep");
    }
}

#[test]
fn what_was_completed_and_not_seen_is_not_slept_over() {
    for way in WAYS {
        let world = World::new();
        let turns = Turns::new(&world);
        let user = &turns.right.user;
        keep_company(user, 2, true);
        user.submit(Sqe { op: Op::Nop as u8, user_data: 7, ..Sqe::default() });
        user.poll();
        user.submit(turns.right.wait(CapId::NULL));
        user.enter(1, way);
        assert!(!user.is_blocked());
        assert_eq!((user.returned(), user.pop().user_data), (1, 7));
        user.submit(turns.right.wait(CapId::NULL));
        user.poll();
        // That it was not looked at when the wait began is found out under the lock.
        user.submit(Sqe { op: Op::Nop as u8, ..Sqe::default() });
        user.poll();
        user.submit(turns.right.wait(CapId::NULL));
        assert!(!goes_directly(user));
        user.thread.put_back();
        user.pop();
    }
}

#[test]
fn no_more_is_pending_than_was_paid_for() {
    for way in WAYS {
        let world = World::new();
        let limits = Limits { endpoint_entries: 256, ..LIMITS };
        let waiter = Waiter::of(User::of(&world.process_with("full", &limits)));
        let user = &waiter.user;
        let most = user.thread.shape.sq_entries;
        let right = make_endpoint(user, most);
        for _ in 0..most {
            user.submit(Sqe { msg_len: 64, ..recv_sqe(right) });
        }
        user.poll();
        user.submit(waiter.wait(CapId::NULL));
        user.enter(1, way);
        assert_eq!(error(&user.pop()), Some(TransportError::TooManyInFlight));
    }
}

/// A server with receives and a client; the server sleeps in a wait for bits.
struct Busy {
    pair: Pair,
    event: CapId,
    signal: CapId,
}

impl Busy {
    fn new(world: &World, way: u64, alone: bool) -> Busy {
        let pair = Pair::new(world, 8);
        let event = super::notification_of(&pair.server);
        let waiter = Waiter { user: User::playing(pair.server.thread.clone()), event };
        let signal = pair.client.hold(waiter.user.object(waiter.signaller(0b100, 0)));
        let Waiter { user: server, .. } = waiter;
        for n in 0..3u32 {
            server.submit(Sqe {
                user_data: n.into(),
                msg_off: REPLY + 512 * n,
                msg_len: 64,
                ..recv_sqe(pair.right)
            });
            if alone {
                server.poll();
            }
        }
        server.poll();
        server.submit(Sqe { op: Op::Wait as u8, cap: event.raw(), user_data: 8, ..Sqe::default() });
        server.enter(1, way);
        assert!(server.is_blocked());
        let pair = Pair { server, ..pair };
        Busy { pair, event, signal }
    }

    /// Calls, and has the call answered by a server that sleeps again with that; in whose time the server works.
    fn exchange(&self, way: u64) -> ((Cqe, i64), (Cqe, i64), bool) {
        let Pair { server, client, right, .. } = &self.pair;
        client.submit(self.pair.call(b"question"));
        client.enter(1, way);
        assert!(client.is_blocked() && is_running(0, &server.thread.context));
        let before = schedule::time_of(client.process());
        fake::time::advance(1_000);
        let is_for_client = schedule::time_of(client.process()) > before;
        let call = (server.pop(), server.returned());
        let place = REPLY + 512 * call.0.user_data as u32;
        assert_eq!(server.get(place, 8), b"question");
        server.put(MSG, b"answer!!");
        let answer = return_recv_sqe(*right, call.0.token, 8);
        server.submit(Sqe { reply_off: place, reply_len: 64, user_data: call.0.user_data, ..answer });
        server.enter(1, way);
        assert!(server.is_blocked() && is_running(0, &client.thread.context));
        let answer = (client.pop(), client.returned());
        assert_eq!(client.get(REPLY, 8), b"answer!!");
        server.nothing();
        (call, answer, is_for_client)
    }
}

#[test]
fn calls_come_to_a_server_that_waits_for_bits_and_go_back_from_it() {
    for alone in [true, false] {
        let [direct, ordinary] = WAYS.map(|way| {
            let world = World::new();
            let busy = Busy::new(&world, way, alone);
            [busy.exchange(way), busy.exchange(way), busy.exchange(way)]
        });
        assert_eq!(
            direct.map(|(call, answer, _)| (call, answer)),
            ordinary.map(|(call, answer, _)| (call, answer))
        );
        assert_eq!(direct.map(|(.., is_for_client)| is_for_client), [true; 3]);
        assert_eq!(ordinary.map(|(.., is_for_client)| is_for_client), [false; 3]);
    }
}

#[test]
fn the_wait_stays_while_calls_come() {
    for way in WAYS {
        let world = World::new();
        let busy = Busy::new(&world, way, true);
        busy.exchange(way);
        let Pair { server, client, .. } = &busy.pair;
        client.one(call_sqe(busy.signal, signaller::INTERFACE_ID, signaller::SIGNAL, 0));
        server.run();
        let bits = server.pop();
        assert_eq!((bits.user_data, bits.badge, server.returned()), (8, 0b100, 1));
        server.nothing();
        // And the receives stay while bits come.
        server.submit(Sqe { op: Op::Wait as u8, cap: busy.event.raw(), user_data: 8, ..Sqe::default() });
        server.enter(1, way);
        busy.exchange(way);
    }
}

#[test]
fn calls_of_the_kernel_are_answered_and_others_waited_for_beside_what_is_pending() {
    for way in WAYS {
        let world = World::new();
        let busy = Busy::new(&world, way, true);
        let Pair { server, client, .. } = &busy.pair;
        keep_company(client, 2, true);
        let params = endpoint_factory::CreateParams { depth: 1 };
        client
            .call_for_cap(
                CapId::SELF_ENDPOINTS,
                endpoint_factory::INTERFACE_ID,
                endpoint_factory::CREATE,
                &params,
            )
            .expect("an endpoint");
        let (_, answer, is_for_client) = busy.exchange(way);
        assert_eq!((answer.1, is_for_client), (1, way == syscall::FOREVER));
        // The client goes while its call is worked on: the wait of the server, and its receives, are still there.
        client.submit(busy.pair.call(b"question"));
        client.enter(1, way);
        let token = server.pop().token;
        end::end_process(client.process(), Status::Killed);
        server.submit(return_recv_sqe(busy.pair.right, token, 0));
        server.enter(1, way);
        let found = [server.pop(), server.pop()];
        assert_eq!(found[0].flags, cqe_flags::UNREFERENCED);
        assert_eq!((error(&found[1]), server.ring.pop()), (Some(TransportError::StaleToken), None));
    }
}

#[test]
fn who_rests_beside_others_can_be_taken_back() {
    for way in WAYS {
        let world = World::new();
        let busy = Busy::new(&world, way, true);
        let server = &busy.pair.server;
        // The right to wait goes, and with it the wait; the receives stay.
        let event = server.process().release(busy.event).expect("held");
        drop(event);
        server.run();
        assert_eq!((error(&server.pop()), server.returned()), (Some(TransportError::Canceled), 1));
        server.nothing();
        // And who dies like that leaves nothing.
        let other = Busy::new(&world, way, false);
        end::end_process(other.pair.server.process(), Status::Killed);
        (HANDLERS.kick)();
        other.pair.client.submit(other.pair.call(b""));
        other.pair.client.enter(1, way);
        assert_eq!(error(&other.pair.client.pop()), Some(TransportError::Disconnected));
    }
}
