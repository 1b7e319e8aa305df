//! The shortest way of calls and answers against the ordinary one: what both sides see is the same.

use super::ipc::{Pair, make_endpoint, mint};
use super::revocation::gone;
use super::{
    CAPS, MSG, REPLY, User, WAYS, World, call_sqe, error, here, recv_sqe, return_recv_sqe, return_sqe,
};
use crate::cap::Object;
use crate::cap::timer::Timer;
use crate::ipc::calls::Token;
use crate::ipc::ops::Buffers;
use crate::ipc::{deliver, direct};
use crate::task::end;
use crate::task::process::Status;
use crate::task::thread::Thread;
use crate::trap::HANDLERS;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, Op, Sqe, TransferSlot, TransportError, syscall};
use capos_mem::Resource;
use capos_schema::thread_control;
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

/// A call with copies and moves; what the server sees, the ids, and what both processes hold afterwards.
fn carry(way: u64, moves: &[bool]) -> (Seen, Vec<u64>, [u64; 2], i64) {
    let world = World::new();
    let pair = Pair::new(&world, 1);
    let held: Vec<(CapId, bool)> =
        moves.iter().map(|moved| (pair.client.hold(Object::Timer(Timer)), *moved)).collect();
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    for (n, (cap, moved)) in (0..).zip(&held) {
        let slot = if *moved { TransferSlot::moved(*cap) } else { TransferSlot::copy(*cap) };
        pair.client.set_word(CAPS + 8 * n, slot.0);
    }
    let beyond = CAPS + 8 * moves.len() as u32;
    pair.server.set_word(beyond, 7);
    pair.client.submit(Sqe { caps_send: moves.len() as u8, ..pair.call(b"two more") });
    pair.client.enter(1, way);
    assert!(pair.client.is_blocked() && is_running(0, &pair.server.thread.context));
    held.iter().for_each(|(cap, moved)| assert_eq!(gone(&pair.client, *cap), *moved));
    let ids: Vec<u64> = (0..).zip(moves).map(|(n, _)| pair.server.word(CAPS + 8 * n)).collect();
    ids.iter().for_each(|id| assert!(!gone(&pair.server, CapId::from_raw(*id))));
    assert_eq!(pair.server.word(beyond), 7);
    let slots = [&pair.client, &pair.server].map(|user| user.process().account.used(Resource::CapSlots));
    let call = seen(&pair.server, 8);
    pair.server.submit(return_recv_sqe(pair.right, call.0.token, 0));
    pair.server.enter(1, way);
    assert!(is_running(0, &pair.client.thread.context));
    (call, ids, slots, pair.client.returned())
}

#[test]
fn both_ways_carry_the_same() {
    for moves in [&[false][..], &[true], &[false, true], &[true, true, false]] {
        let [direct, ordinary] = WAYS.map(|way| carry(way, moves));
        assert_eq!(direct, ordinary);
        assert_eq!((usize::from(direct.0.0.caps), direct.0.0.result), (moves.len(), 8));
    }
}

#[test]
fn both_ways_refuse_to_carry_the_same() {
    for way in WAYS {
        let world = World::new();
        let pair = Pair::new(&world, 1);
        let held = pair.client.hold(Object::Timer(Timer));
        pair.server.submit(Sqe { caps_recv: 1, ..recv_sqe(pair.right) });
        pair.server.enter(1, syscall::FOREVER);
        let slots =
            || [&pair.client, &pair.server].map(|user| user.process().account.used(Resource::CapSlots));
        let before = slots();
        let refused = |list: &[TransferSlot], sqe: Sqe| {
            for (n, slot) in (0..).zip(list) {
                pair.client.set_word(CAPS + 8 * n, slot.0);
            }
            pair.client.submit(Sqe { caps_send: list.len() as u8, ..sqe });
            pair.client.enter(1, way);
            assert!(pair.server.is_blocked(), "the receiver waits on");
            assert_eq!(slots(), before);
            error(&pair.client.pop())
        };
        let (copy, good) = (TransferSlot::copy(held), pair.call(b""));
        assert_eq!(refused(&[TransferSlot::copy(CapId::NULL)], good), Some(TransportError::InvalidCap));
        assert_eq!(refused(&[copy, copy], good), Some(TransportError::PeerBudgetExhausted));
        let fixed = TransferSlot::moved(CapId::SELF_MEMORY);
        assert_eq!(refused(&[fixed], good), Some(TransportError::NotTransferable));
        assert_eq!(refused(&[copy], Sqe { caps_off: 4, ..good }), Some(TransportError::InvalidArgument));
        assert_eq!(refused(&[copy], Sqe { interface: 1, ..good }), Some(TransportError::WrongInterface));
        // The facet itself may go along.
        pair.client.set_word(CAPS, TransferSlot::moved(pair.facet).0);
        pair.client.submit(Sqe { caps_send: 1, ..good });
        pair.client.enter(1, way);
        let call = pair.server.pop();
        assert!(gone(&pair.client, pair.facet) && call.caps == 1);
        pair.server.submit(return_recv_sqe(pair.right, call.token, 0));
        pair.server.enter(1, way);
        assert_eq!(pair.client.pop().result, 0);
        pair.client.nothing();
    }
}

#[test]
fn a_call_that_carries_waits_for_as_many_and_as_long_as_it_is_told() {
    let world = World::new();
    let pair = Pair::new(&world, 1);
    let held = pair.client.hold(Object::Timer(Timer));
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.set_word(CAPS, TransferSlot::copy(held).0);
    pair.client.submit(Sqe { caps_send: 1, ..pair.call(b"") });
    pair.client.enter(1, 1_000_000);
    assert!(pair.client.is_blocked());
    fake::time::advance(2_000_000);
    (HANDLERS.timer)();
    assert!(!pair.client.is_blocked());
    let token = pair.server.pop().token;
    assert_eq!(pair.server.one(return_sqe(pair.right, token, 0)).result, 0);
    assert_eq!((pair.client.returned(), pair.client.pop().result), (0, 0));
    // What a kernel object does at once is one of two.
    let call = call_sqe(CapId::SELF_THREADS, thread_control::INTERFACE_ID, thread_control::YIELD, 0);
    for (min, sleeps) in [(1, false), (2, true)] {
        pair.client.submit(Sqe { caps_recv: 1, ..call });
        pair.client.enter(min, syscall::FOREVER);
        assert_eq!((pair.client.pop().outcome(), pair.client.is_blocked()), (0, sleeps));
    }
    assert_eq!(pair.client.returned(), 1, "of the first; the second sleeps on");
}

#[test]
fn what_was_revoked_in_the_middle_carries_nothing() {
    for way in WAYS {
        let world = World::new();
        let pair = Pair::new(&world, 1);
        let held = pair.client.hold(Object::Timer(Timer));
        pair.server.submit(recv_sqe(pair.right));
        pair.server.enter(1, syscall::FOREVER);
        pair.client.set_word(CAPS, TransferSlot::copy(held).0);
        // It goes between the look into the table and the endpoint: as if another processor had just taken it.
        let entry = pair.client.object(pair.facet);
        let Object::Client(facet) = entry else { panic!("a facet") };
        drop(pair.client.process().release(pair.facet));
        pair.client.process().loses_one();
        pair.client.submit(Sqe { caps_send: 1, ..pair.call(b"") });
        let (call, cpu) = (pair.client.thread.ring.queued(0), crate::task::cpu::here());
        assert!(!direct::carry_call(
            cpu,
            &pair.client.thread,
            &facet,
            pair.facet.raw(),
            &call,
            call.kind(),
            1
        ));
        assert!(pair.server.is_blocked());
        pair.client.enter(1, way);
        assert_eq!(error(&pair.client.pop()), Some(TransportError::InvalidCap));
    }
}

/// A server that has something to give up before it answers, and answers with a capability; what both sides see of the answer.
fn answer_last(way: u64) -> (Seen, Vec<Cqe>, i64, [u64; 2]) {
    let world = World::new();
    let pair = Pair::new(&world, 1);
    let given = pair.server.hold(Object::Timer(Timer));
    let kept = [pair.server.hold(Object::Timer(Timer)), pair.server.hold(Object::Timer(Timer))];
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.submit(Sqe { caps_recv: 1, ..pair.call(b"") });
    pair.client.enter(1, way);
    let token = pair.server.pop().token;
    pair.server.set_word(CAPS, TransferSlot::moved(given).0);
    for cap in kept {
        pair.server.submit(Sqe { op: Op::Release as u8, cap: cap.raw(), ..Sqe::default() });
    }
    pair.server.submit(Sqe { caps_send: 1, ..return_recv_sqe(pair.right, token, 8) });
    pair.server.enter(3, way);
    assert!(pair.server.is_blocked() && is_running(0, &pair.client.thread.context));
    assert!(kept.iter().chain([&given]).all(|cap| gone(&pair.server, *cap)));
    assert!(!gone(&pair.client, CapId::from_raw(pair.client.word(CAPS))));
    let answer = seen(&pair.client, 8);
    pair.client.submit(pair.call(b"next"));
    pair.client.enter(1, way);
    assert!(is_running(0, &pair.server.thread.context));
    let slots = [&pair.client, &pair.server].map(|user| user.process().account.used(Resource::CapSlots));
    let returned = pair.server.returned();
    (answer, (0..3).map(|_| pair.server.pop()).collect(), returned, slots)
}

#[test]
fn the_last_of_several_goes_the_same_way() {
    let [direct, ordinary] = WAYS.map(answer_last);
    assert_eq!(direct, ordinary);
    assert_eq!((direct.0.0.caps, direct.0.0.result, direct.2), (1, 8, 3));
    assert_eq!(direct.1[2].result, 4);
}

#[test]
fn what_waits_for_more_or_less_than_all_does_not_rest() {
    // The completion of the NOP is enough for the first, and for the second not all that there will be are enough.
    for (min, sleeps) in [(1, false), (3, true)] {
        let world = World::new();
        let pair = Pair::new(&world, 1);
        pair.server.submit(recv_sqe(pair.right));
        pair.server.enter(1, syscall::FOREVER);
        pair.client.submit(Sqe::default());
        pair.client.submit(pair.call(b"12345678"));
        pair.client.enter(min, syscall::FOREVER);
        assert_eq!(pair.client.is_blocked(), sleeps);
        let token = pair.server.pop().token;
        assert_eq!(pair.server.one(return_sqe(pair.right, token, 0)).result, 0);
        assert_eq!(pair.client.is_blocked(), sleeps);
    }
}

#[test]
fn a_right_that_was_given_up_in_the_middle_receives_nothing() {
    let world = World::new();
    let pair = Pair::new(&world, 1);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    pair.client.submit(pair.call(b""));
    pair.client.enter(1, syscall::FOREVER);
    let token = Token::from_raw(pair.server.pop().token);
    let held = deliver::held(&pair.server.thread, pair.right).expect("held");
    // Another processor has just begun to end what was received through it.
    held.0.note_given_up();
    pair.server.submit(return_recv_sqe(pair.right, token.raw(), 0));
    let (answer, cpu) = (pair.server.thread.ring.queued(1), crate::task::cpu::here());
    assert!(!direct::carry_answer(cpu, &pair.server.thread, &held, token, &answer, answer.kind(), 1));
    assert!(pair.client.is_blocked());
    assert!(held.0.give_up(pair.server.process().id, &mut 100));
    pair.client.run();
    assert_eq!(error(&pair.client.pop()), Some(TransportError::Disconnected));
}

#[test]
fn a_receive_through_a_right_that_was_given_up_meanwhile_is_refused() {
    let world = World::new();
    let server = world.start("server");
    let right = make_endpoint(&server, 1);
    let held = deliver::held(&server.thread, right).expect("held");
    // Another thread gives the right up.
    assert!(server.process().release(right).is_ok());
    held.0.note_given_up();
    server.submit(recv_sqe(right));
    let receive = server.thread.ring.queued(server.thread.sq_head.load(Ordering::Relaxed));
    let room = Buffers::read(&receive, receive.kind(), right.raw());
    let received = deliver::recv_at(&server.thread, right, held, &room);
    assert_eq!(received.err(), Some(TransportError::InvalidCap));
}

#[test]
fn who_has_another_call_under_way_does_not_rest() {
    let world = World::new();
    let (pair, other) = (Pair::new(&world, 1), world.start("other"));
    let right = make_endpoint(&other, 1);
    let facet = other.process().release(mint(&other, right, 7)).expect("just minted");
    let facet = pair.client.hold(facet.object);
    pair.server.submit(recv_sqe(pair.right));
    pair.server.enter(1, syscall::FOREVER);
    // Nobody receives the first; the second finds a server that rests.
    pair.client.submit(Sqe { cap: facet.raw(), user_data: 1, ..pair.call(b"") });
    pair.client.submit(Sqe { user_data: 2, ..pair.call(b"") });
    pair.client.enter(2, syscall::FOREVER);
    let token = pair.server.pop().token;
    assert_eq!(pair.server.one(return_sqe(pair.right, token, 0)).result, 0);
    assert!(pair.client.is_blocked(), "one is under way");
    let token = other.one(recv_sqe(right)).token;
    assert_eq!(other.one(return_sqe(right, token, 0)).result, 0);
    pair.client.run();
    assert_eq!(
        [pair.client.pop(), pair.client.pop()].map(|cqe| (cqe.user_data, cqe.result)),
        [(2, 0), (1, 0)]
    );
    assert_eq!(pair.client.returned(), 2);
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
