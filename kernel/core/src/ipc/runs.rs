//! Runs: many calls of one client for one server, or answers of one server for one client, in one go.
//!
//! Who batches has them come one behind the other, and what they need is mostly the same: the capability, the endpoint, the other thread.
//! All of it is looked up and locked once for the whole run, as in `direct.rs`: tried only, since the table is locked throughout. A run ends
//! before the first submission that is not as plain as the others; that one goes the ordinary way, which alone says what is wrong.

use crate::cap::{self, Object};
use crate::ipc::calls::{Arrived, Token};
use crate::ipc::deliver::copy;
use crate::ipc::endpoint::State as AtEndpoint;
use crate::ipc::loans;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::ring::check;
use crate::task::schedule;
use crate::task::thread::{self, State, Thread};
use capos_abi::{Cqe, Op};
use capos_ring::{Kind, Queued};
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;

/// Takes what it can of the submissions of the current thread from `head` to before `end`, of which the first is of that kind. Gives how many,
/// which is none if they are neither calls nor answers.
#[inline]
pub(crate) fn take(thread: &Ref<Thread>, kind: Kind, head: u32, end: u32) -> u32 {
    let run = if kind.is(Op::Call) {
        calls(thread, head, end)
    } else if kind.is_with_room(Op::ReturnRecv) {
        answers(thread, head, end)
    } else {
        None
    };
    let Some(Run { taken, woken }) = run else { return 0 };
    if let Some(woken) = woken {
        schedule::make_ready(woken);
    }
    taken
}

/// What became of a run.
struct Run {
    /// How many submissions were taken.
    taken: u32,
    /// Who waited for that.
    woken: Option<Ref<Thread>>,
}

/// The submissions of a run.
fn submissions<'t>(thread: &'t Ref<Thread>, head: u32, end: u32) -> impl Iterator<Item = Queued<'t>> {
    (0..end.wrapping_sub(head)).map(move |n| thread.ring.queued(head.wrapping_add(n)))
}

/// `CALL`s of one server, which waits for them all in the same thread.
#[inline(never)]
fn calls(caller: &Ref<Thread>, head: u32, end: u32) -> Option<Run> {
    let table = caller.process.table.lock();
    let first = caller.ring.queued(head);
    let (cap, interface) = (first.cap(), first.interface());
    let facet = cap::server_at(&table, cap, interface)?;
    let mut state = facet.endpoint.try_lock::<true>()?;
    let AtEndpoint { calls, receivers, .. } = &mut *state;
    let server = receivers.last().map(|receiver| receiver.thread.clone())?;
    let mut serving = server.state.try_lock::<true>().filter(|state| state.run != thread::Run::Dead)?;
    // Who calls himself finds himself locked.
    let mut own = caller.state.try_lock::<true>()?;
    let mut taken = 0;
    for call in submissions(caller, head, caller.most_begun(&own, head, end)) {
        let kind = call.kind();
        if !kind.is(Op::Call) || call.cap() != cap || call.interface() != interface {
            break;
        }
        let call = Buffers::read(&call, kind, cap);
        let (Some(vacancy), Some(receiver)) = (calls.vacancy(), receivers.last()) else { break };
        if !Ref::ptr_eq(&receiver.thread, &server) {
            break;
        }
        let (Some(opening), Some(receive)) = (own.ops.opening(), serving.ops.at_endpoint(receiver.id)) else {
            break;
        };
        let Buffers { user_data, message: room, .. } = *receive.buffers();
        if call.message.len() > room.len() || !check::bare(&caller.ring, &call) {
            break;
        }
        let Some(endpoint) = receive.end() else { break };
        // From here on nothing can fail.
        copy(&caller.ring, call.message, &server.ring, room.off());
        let cqe = Cqe {
            user_data,
            result: call.message.len() as i32,
            method: kind.method(),
            token: vacancy.token().raw(),
            badge: facet.badge,
            ..Cqe::default()
        };
        server.append_ahead(&serving, taken, &cqe);
        taken += 1;
        let id = opening.begin(call, Waiting::Call(endpoint));
        let loan = loans::lend(&mut serving, &server, caller);
        let Some(receiver) = receivers.pop() else { break };
        vacancy.put_received(Ticket { thread: caller.clone(), id }, facet.badge, receiver.thread, loan);
    }
    Some(close(caller, head, &server, &mut serving, taken))
}

/// `RETURN_RECV`s to calls that one client waits for and nobody lent anything for, while no other call waits.
#[inline(never)]
fn answers(server: &Ref<Thread>, head: u32, end: u32) -> Option<Run> {
    let table = server.process.table.lock();
    let first = server.ring.queued(head);
    let (right, token) = (first.interface(), first.cap());
    let Ok(Object::Endpoint(held)) = table.lookup_word(right).map(|entry| &entry.object) else { return None };
    let mut state = held.endpoint.try_lock::<true>().filter(|state| state.is_quiet())?;
    let received = state.calls.received_by(server, Token::from_raw(token));
    let caller = received.as_ref().and_then(|call| call.caller()).map(|ticket| ticket.thread.clone());
    let caller = caller?;
    let mut calling = caller.state.try_lock::<true>().filter(|state| state.run != thread::Run::Dead)?;
    let mut own = server.state.try_lock::<true>()?;
    let mut taken = 0;
    for answer in submissions(server, head, server.most_begun(&own, head, end)) {
        let kind = answer.kind();
        if !kind.is_with_room(Op::ReturnRecv)
            || answer.interface() != right
            || !held.endpoint.takes_receivers(&state)
        {
            break;
        }
        let answer = Buffers::read(&answer, kind, answer.cap());
        let received = state.calls.received_by(server, Token::from_raw(answer.cap));
        let Some(received) = received.filter(|call| call.loan().is_none()) else { break };
        let Some(ticket) = received.caller().filter(|ticket| Ref::ptr_eq(&ticket.thread, &caller)) else {
            break;
        };
        let (Some(opening), Some(call)) = (own.ops.opening(), calling.ops.at_endpoint(ticket.id)) else {
            break;
        };
        let Buffers { user_data, answer: room, .. } = *call.buffers();
        if answer.message.len() > room.len() || !check::bare(&server.ring, &answer) {
            break;
        }
        let Some(endpoint) = call.end() else { break };
        // From here on nothing can fail.
        copy(&server.ring, answer.message, &caller.ring, room.off());
        let cqe = Cqe { user_data, result: answer.message.len() as i32, ..Cqe::default() };
        caller.append_ahead(&calling, taken, &cqe);
        taken += 1;
        let id = opening.begin(answer.next(), Waiting::Message(endpoint));
        // Who received it receives again.
        if let Some((_, Some(thread))) = received.take().map(Arrived::sides) {
            state.receivers.push(Ticket { thread, id });
        }
    }
    Some(close(server, head, &caller, &mut calling, taken))
}

/// Tells both sides of a run that began with submission `head` of `thread` and gave `other` as many completions.
#[inline(always)]
fn close(thread: &Thread, head: u32, other: &Ref<Thread>, state: &mut State, taken: u32) -> Run {
    thread.sq_head.store(head.wrapping_add(taken), Ordering::Relaxed);
    other.tell_of(state, taken);
    let woken = taken > 0 && state.wake_if_served(other);
    if woken {
        // Who rested was promised one.
        other.tell_waiting(state);
    }
    Run { taken, woken: woken.then(|| other.clone()) }
}
