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
use crate::task::thread::{State, Thread};
use capos_abi::{Cqe, Op};
use capos_ring::{Kind, Queued};
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
    let mut serving = server.state.try_lock::<true>()?;
    // Who calls himself finds himself locked.
    let mut own = caller.state.try_lock::<true>()?;
    let mut taken = 0;
    for call in submissions(caller, head, end) {
        let kind = call.kind();
        if !kind.is(Op::Call) || call.cap() != cap || call.interface() != interface {
            break;
        }
        let call = Buffers::read(&call, kind, cap);
        let (Some(vacancy), Some(receiver)) = (calls.vacancy(), receivers.last()) else { break };
        if !Ref::ptr_eq(&receiver.thread, &server) {
            break;
        }
        let Some(room) = serving.receives(receiver.id) else { break };
        if call.message.len() > room.message.len() || !check::bare(&caller.ring, &call) {
            break;
        }
        let waiting = Waiting::Call(facet.endpoint.clone());
        let Ok(id) = caller.begin_next(&mut own, head.wrapping_add(taken + 1), call, waiting) else { break };
        // From here on nothing can fail.
        copy(&caller.ring, call.message, &server.ring, room.message.off());
        let cqe = Cqe {
            user_data: room.user_data,
            result: call.message.len() as i32,
            method: kind.method(),
            token: vacancy.token().raw(),
            badge: facet.badge,
            ..Cqe::default()
        };
        end_one(&mut serving, &server, receiver, &cqe);
        let loan = loans::lend(&mut serving, &server, caller);
        let Some(receiver) = receivers.pop() else { break };
        vacancy.put_received(Ticket { thread: caller.clone(), id }, facet.badge, receiver.thread, loan);
        taken += 1;
    }
    let woken = taken > 0 && serving.wake_if_served(&server);
    drop(serving);
    Some(Run { taken, woken: woken.then_some(server) })
}

/// `RETURN_RECV`s to calls that one client waits for and nobody lent anything for, while no other call waits.
#[inline(never)]
fn answers(server: &Ref<Thread>, head: u32, end: u32) -> Option<Run> {
    let table = server.process.table.lock();
    let first = server.ring.queued(head);
    let (right, token) = (first.interface(), first.cap());
    let Ok(Object::Endpoint(held)) = table.lookup_word(right).map(|entry| &entry.object) else { return None };
    let endpoint = &held.endpoint;
    let mut state = endpoint.try_lock::<true>().filter(|state| state.is_quiet())?;
    let received = state.calls.received_by(server, Token::from_raw(token));
    let caller = received.as_ref().and_then(|call| call.caller()).map(|ticket| ticket.thread.clone());
    let caller = caller?;
    let mut calling = caller.state.try_lock::<true>()?;
    let mut own = server.state.try_lock::<true>()?;
    let mut taken = 0;
    for answer in submissions(server, head, end) {
        let kind = answer.kind();
        if !kind.is_with_room(Op::ReturnRecv)
            || answer.interface() != right
            || !endpoint.takes_receivers(&state)
        {
            break;
        }
        let answer = Buffers::read(&answer, kind, answer.cap());
        let received = state.calls.received_by(server, Token::from_raw(answer.cap));
        let Some(received) = received.filter(|call| call.loan().is_none()) else { break };
        let Some(ticket) = received.caller().filter(|ticket| Ref::ptr_eq(&ticket.thread, &caller)) else {
            break;
        };
        let Some(to) = calling.receives(ticket.id) else { break };
        if answer.message.len() > to.answer.len() || !check::bare(&server.ring, &answer) {
            break;
        }
        let waiting = Waiting::Message(endpoint.clone());
        let Ok(id) = server.begin_next(&mut own, head.wrapping_add(taken + 1), answer.next(), waiting) else {
            break;
        };
        // From here on nothing can fail.
        copy(&server.ring, answer.message, &caller.ring, to.answer.off());
        let cqe = Cqe { user_data: to.user_data, result: answer.message.len() as i32, ..Cqe::default() };
        end_one(&mut calling, &caller, ticket, &cqe);
        // Who received it receives again.
        if let Some((_, Some(thread))) = received.take().map(Arrived::sides) {
            state.receivers.push(Ticket { thread, id });
        }
        taken += 1;
    }
    let woken = taken > 0 && calling.wake_if_served(&caller);
    drop(calling);
    Some(Run { taken, woken: woken.then_some(caller) })
}

/// Ends an operation of `thread`, which sleeps on for the moment.
#[inline(always)]
fn end_one(state: &mut State, thread: &Thread, ticket: &Ticket, cqe: &Cqe) {
    // The endpoint has others who know it: this is not its end. (Taken apart here, as dropping any of them is a call.)
    match state.ops.end(ticket.id) {
        Some(Waiting::Call(endpoint) | Waiting::Message(endpoint)) => drop(endpoint),
        other => drop(other),
    }
    thread.append(state, cqe);
}
