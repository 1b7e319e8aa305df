//! The shortest way of calls and answers against the ordinary one: what both sides see is the same.

use super::ipc::{Pair, make_endpoint, mint};
use super::{MSG, REPLY, User, WAYS, World, error, here, recv_sqe, return_recv_sqe, return_sqe};
use crate::task::end;
use crate::task::process::Status;
use crate::task::thread::Thread;
use crate::trap::HANDLERS;
use capos_abi::ring::cqe_flags;
use capos_abi::{Cqe, Sqe, TransportError, syscall};
use core::sync::atomic::Ordering;
use kernel_hal::fake;
use kernel_hal::sync::Ref;
use kernel_hal::user::is_running;
use std::vec::Vec;

/// What one side sees: its completion, what its system call answered, the bytes that came.
type Seen = (Cqe, i64, Vec<u8>);

fn seen(user: &User, len: usize) -> Seen {
    (user.pop(), user.returned(), user.get(REPLY, len))
}

/// A call of `len` bytes and its answer, twice; everything that both sides see.
fn exchange(way: u64, call_len: u32, answer_len: u32) -> Vec<Seen> {
    let world = World::new();
    let pair = Pair::new(&world, 2);
    let mut found = Vec::new();
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    for round in 0..2 {
        let bytes: Vec<u8> = (0..call_len).map(|n| n as u8 ^ round).collect();
        pair.client.submit(pair.call(&bytes));
        pair.client.enter(1, way);
        assert!(pair.client.is_blocked() && is_running(0, &pair.server.thread.context));
        let call = seen(&pair.server, call_len as usize);
        let token = call.0.token;
        found.push(call);
        let bytes: Vec<u8> = (0..answer_len).map(|n| n as u8 ^ 0x80 ^ round).collect();
        pair.server.put(MSG, &bytes);
        pair.server.submit(return_recv_sqe(pair.right, token, answer_len));
        pair.server.enter(1, way);
        assert!(pair.server.is_blocked() && is_running(0, &pair.client.thread.context));
        found.push(seen(&pair.client, answer_len as usize));
        pair.client.nothing();
        pair.server.nothing();
    }
    found
}

#[test]
fn both_ways_bring_the_same_to_both_sides() {
    for (call, answer) in [(0, 0), (8, 0), (0, 8), (64, 64), (13, 27), (256, 264), (4096, 4096)] {
        let [direct, ordinary] = WAYS.map(|way| exchange(way, call, answer));
        assert_eq!(direct, ordinary, "{call} there, {answer} back");
        assert_eq!((direct.len(), direct[1].0.result), (4, answer as i32));
    }
}

#[test]
fn both_ways_refuse_the_same() {
    for way in WAYS {
        let world = World::new();
        let pair = Pair::new(&world, 1);
        pair.server.submit(Sqe { msg_len: 8, ..recv_sqe(pair.right) });
        pair.server.enter(1, syscall::FOREVER);
        let refused = |sqe: Sqe| {
            pair.client.submit(sqe);
            pair.client.enter(1, way);
            assert!(pair.server.is_blocked(), "the receiver waits on");
            error(&pair.client.pop())
        };
        let good = pair.call(b"12345678");
        assert_eq!(refused(Sqe { msg_len: 9, ..good }), Some(TransportError::MessageTooLarge));
        assert_eq!(refused(Sqe { msg_off: 4, ..good }), Some(TransportError::InvalidArgument));
        assert_eq!(refused(Sqe { flags: 1, ..good }), Some(TransportError::InvalidArgument));
        assert_eq!(refused(Sqe { interface: 1, ..good }), Some(TransportError::WrongInterface));
        assert_eq!(refused(Sqe { caps_send: 17, ..good }), Some(TransportError::InvalidArgument));
        // An answer too large is the caller's error, and the server waits for the next.
        pair.client.submit(Sqe { reply_len: 8, ..good });
        pair.client.enter(1, way);
        let token = pair.server.pop().token;
        pair.server.submit(return_recv_sqe(pair.right, token, 16));
        pair.server.enter(1, way);
        assert_eq!(error(&pair.client.pop()), Some(TransportError::ReplyTooLarge));
        assert!(pair.server.is_blocked());
        // A token answers once.
        pair.client.submit(good);
        pair.client.enter(1, way);
        pair.server.pop();
        pair.server.submit(return_recv_sqe(pair.right, token, 0));
        pair.server.enter(1, way);
        assert_eq!(error(&pair.server.pop()), Some(TransportError::StaleToken));
    }
}

#[test]
fn what_the_shortest_way_leaves_can_be_taken_back() {
    for way in WAYS {
        let world = World::new();
        let pair = Pair::new(&world, 1);
        let rests = |thread: &Ref<Thread>| thread.state.lock().ops.next_from(0).is_some();
        let resting = || (rests(&pair.server.thread), rests(&pair.client.thread));
        pair.server.submit(recv_sqe(pair.right));
        pair.server.enter(1, syscall::FOREVER);
        assert_eq!(resting(), (true, false));
        pair.client.submit(pair.call(b""));
        pair.client.enter(1, way);
        assert_eq!(resting(), (false, true));
        let token = pair.server.pop().token;
        pair.server.submit(return_recv_sqe(pair.right, token, 0));
        pair.server.enter(1, way);
        assert_eq!(resting(), (true, false));
        pair.client.pop();
        // The client dies with its call received: the server's answer comes too late. Depth 1 has room again.
        pair.client.submit(pair.call(b""));
        pair.client.enter(1, way);
        let token = pair.server.pop().token;
        end::end_process(pair.client.process(), Status::Killed);
        assert_eq!(
            error(&pair.server.one(return_sqe(pair.right, token, 0))),
            Some(TransportError::StaleToken)
        );
        assert_eq!(resting(), (false, false));
    }
    for way in WAYS {
        // The server dies with a call received.
        let world = World::new();
        let pair = Pair::new(&world, 1);
        pair.server.submit(recv_sqe(pair.right));
        pair.server.enter(1, syscall::FOREVER);
        pair.client.submit(pair.call(b""));
        pair.client.enter(1, way);
        end::end_process(pair.server.process(), Status::Killed);
        (crate::trap::HANDLERS.kick)();
        pair.client.run();
        assert_eq!(error(&pair.client.pop()), Some(TransportError::Disconnected));
    }
}

/// A server that sleeps at its endpoint, and a client that runs, with their priorities.
fn pair_of(world: &World, server: u8, client: u8) -> Pair {
    let server = world.start_at("server", server);
    let right = make_endpoint(&server, 4);
    let facet = mint(&server, right, 42);
    server.submit(recv_sqe(right));
    server.enter(1, syscall::FOREVER);
    let client = world.start_at("client", client);
    let entry = server.process().release(facet).expect("just minted");
    let facet = client.hold(entry.object);
    Pair { server, client, right, facet }
}

#[test]
fn a_server_goes_on_with_what_waits_instead_of_sleeping() {
    for facet_goes in [false, true] {
        let world = World::new();
        let pair = Pair::new(&world, 4);
        pair.server.submit(recv_sqe(pair.right));
        pair.server.enter(1, syscall::FOREVER);
        pair.client.submit(pair.call(b""));
        if !facet_goes {
            pair.client.submit(pair.call(b"second"));
        }
        pair.client.enter(1, syscall::FOREVER);
        let token = pair.server.pop().token;
        if facet_goes {
            drop(pair.client.process().release(pair.facet));
        }
        pair.server.submit(return_recv_sqe(pair.right, token, 0));
        pair.server.enter(1, syscall::FOREVER);
        pair.server.run();
        let expected = if facet_goes { (0, cqe_flags::UNREFERENCED) } else { (6, 0) };
        let next = pair.server.pop();
        assert_eq!((next.result, next.flags, next.badge), (expected.0, expected.1, 42));
    }
}

#[test]
fn no_more_receivers_wait_than_the_endpoint_is_deep() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world, 1);
    let object = pair.server.object(pair.right);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    let token = pair.server.pop().token;
    // Meanwhile somebody on the other CPU waits there, too.
    fake::cpu::become_cpu(1 - kernel_hal::cpu::id());
    let heir = world.start("heir");
    let right = heir.hold(object);
    heir.submit(recv_sqe(right));
    heir.enter(1, syscall::FOREVER);
    pair.server.submit(return_recv_sqe(pair.right, token, 0));
    pair.server.enter(1, syscall::FOREVER);
    pair.server.run();
    assert_eq!(error(&pair.server.pop()), Some(TransportError::TooManyInFlight));
}

#[test]
fn a_caller_of_lower_priority_does_not_go_before_others() {
    let world = World::new();
    let pair = pair_of(&world, 9, 5);
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    let other = world.start_at("other", 7);
    assert!(is_running(0, &pair.server.thread.context));
    let token = pair.server.pop().token;
    pair.server.submit(return_recv_sqe(pair.right, token, 0));
    pair.server.enter(1, syscall::FOREVER);
    assert!(is_running(0, &other.thread.context));
}

#[test]
fn the_caller_pays_for_the_server_and_for_itself() {
    let world = World::new();
    let pair = pair_of(&world, 10, 10);
    let spent = |user: &User| user.process().cpu_ticks.load(Ordering::Relaxed);
    pair.client.run();
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    let before = (spent(&pair.server), spent(&pair.client));
    fake::time::advance(1000);
    // Somebody else runs in between: then the server goes on in its own time.
    let other = world.start("other");
    other.run();
    assert_eq!((spent(&pair.server), spent(&pair.client)), (before.0, before.1 + 1000));
    pair.server.run();
    let token = pair.server.pop().token;
    fake::time::advance(200);
    pair.server.submit(return_recv_sqe(pair.right, token, 0));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.run();
    fake::time::advance(30);
    pair.client.enter(1, syscall::FOREVER);
    other.run();
    assert_eq!((spent(&pair.server), spent(&pair.client)), (before.0 + 200, before.1 + 1030));
}

#[test]
fn a_receiver_with_a_timeout_leaves_no_alarm_behind() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, 1_000_000);
    assert!(here().deadlines.lock().next().is_some());
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    assert!(is_running(0, &pair.server.thread.context));
    assert!(here().deadlines.lock().next().is_none());
}

#[test]
fn a_caller_that_is_to_end_does_not_sleep_first() {
    let world = World::with_cpus(2);
    let pair = Pair::new(&world, 4);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.run();
    pair.client.submit(pair.call(b""));
    // Another CPU marks it and finds it running.
    let here = kernel_hal::cpu::id();
    fake::cpu::become_cpu(1 - here);
    end::end_process(pair.client.process(), Status::Killed);
    fake::cpu::become_cpu(here);
    // It neither sleeps nor comes back to its program, which would find nothing done.
    (HANDLERS.syscall)(1, syscall::FOREVER, syscall::CAP_ENTER);
    assert!(pair.client.thread.is_dead());
}

#[test]
fn a_call_of_ones_own_endpoint_by_another_thread_s_receive_is_found() {
    let world = World::new();
    let pair = Pair::new(&world, 4);
    // The only receiver is the caller itself: its receive is served while it sleeps for any one completion.
    let object = pair.client.object(pair.facet);
    let own = pair.server.hold(object);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.poll();
    pair.server.submit(super::call_sqe(own, 0x77, 5, 0));
    pair.server.enter(1, syscall::FOREVER);
    assert!(!pair.server.is_blocked());
    assert_eq!((pair.server.returned(), pair.server.pop().badge), (1, 42));
}
