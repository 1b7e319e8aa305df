//! The way of a message: from the caller's arena to the receiver's, and the answer back.
//!
//! A message is copied once, arena to arena, between two pinned ring blocks. Nothing is buffered in the kernel: a call that finds no
//! receiver stays where it is, and its sender may not expect the kernel to notice if it changes meanwhile.
//!
//! Whatever happens at an endpoint happens under its lock, delivery included, with the lock of one thread after the other inside.
//! Tickets taken out and threads made ready are dealt with after it.

use crate::cap::Object;
use crate::cap::long::{self, Job};
use crate::ipc::calls::{Arrived, Token};
use crate::ipc::endpoint::{Endpoint, State};
use crate::ipc::loans;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::ipc::transfer::{self, TransferFault};
use crate::task::slice::STEP;
use crate::task::thread::{self, Thread};
use crate::task::{revoke, schedule};
use capos_abi::ring::{cqe_flags, sqe_flags};
use capos_abi::{CapId, Cqe, TransportError};
use capos_ring::{KernelRing, Span};
use kernel_hal::sync::Ref;

/// `CALL` of an endpoint's facet. `Ok` means that the call is under way and will complete by itself.
#[inline]
pub(crate) fn call(
    caller: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    badge: u64,
    buffers: &Buffers,
) -> Result<(), TransportError> {
    let id = caller.begin(*buffers, Waiting::Call(endpoint.clone()))?;
    let server = send(caller, endpoint, badge, Ticket { thread: caller.clone(), id }, buffers);
    if let Some(server) = server.inspect_err(|_| caller.end(id))? {
        schedule::make_ready(server);
    }
    Ok(())
}

/// Hands a call to a receiver that waits, and gives the receiver if that wakes it; or queues the call.
#[inline]
fn send(
    caller: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    badge: u64,
    ticket: Ticket,
    from: &Buffers,
) -> Result<Option<Ref<Thread>>, TransportError> {
    loop {
        let mut state = endpoint.lock();
        if state.closed {
            return Err(TransportError::Disconnected);
        }
        // From here on whoever revokes the capability finds the call.
        if caller.process.has_lost() && !revoke::holds(&caller.process, from.cap) {
            return Err(TransportError::Revoked);
        }
        let State { calls, receivers, .. } = &mut *state;
        let vacancy = calls.vacancy().ok_or(TransportError::QueueFull)?;
        let Some(receiver) = receivers.last() else {
            calls.push(ticket, badge);
            drop(state);
            loans::lend_at(caller, endpoint);
            return Ok(None);
        };
        let server = &receiver.thread;
        let mut serving = server.state.lock();
        if let Some(room) = serving.receives(receiver.id) {
            let caps = hand_over(caller, from, server, room)?;
            let arrival = arrival(from, room, caps, vacancy.token(), badge);
            let woken = serving.complete(server, receiver.id, &arrival);
            let loan = loans::lend(&mut serving, server, caller);
            drop(serving);
            vacancy.put_received(ticket, badge, server.clone(), loan);
            let receiver = receivers.pop();
            drop(state);
            return Ok(receiver.map(|receiver| receiver.thread).filter(|_| woken));
        }
        // It has just been killed; whoever did that will not find its ticket any more.
        drop(serving);
        let gone = receivers.pop();
        drop(state);
        drop(gone);
    }
}

/// Copies message and capabilities over. An error is for the caller to hear: nothing has changed.
#[inline]
fn hand_over(
    caller: &Ref<Thread>,
    from: &Buffers,
    receiver: &Ref<Thread>,
    to: &Buffers,
) -> Result<u8, TransportError> {
    if from.message.len() > to.message.len() {
        return Err(TransportError::MessageTooLarge);
    }
    let caps = transfer::send(caller, from, receiver, to);
    let caps = caps.map_err(|fault| match fault {
        TransferFault::Sender(error) => error,
        TransferFault::Receiver => TransportError::PeerBudgetExhausted,
    })?;
    copy(&caller.ring, from.message, &receiver.ring, to.message.off());
    Ok(caps)
}

/// The completion of a receive that brought a call.
#[inline]
fn arrival(from: &Buffers, to: &Buffers, caps: u8, token: Token, badge: u64) -> Cqe {
    Cqe {
        user_data: to.user_data,
        result: from.message.len() as i32,
        flags: 0,
        caps,
        method: from.kind.method(),
        token: token.raw(),
        badge,
    }
}

/// Both ranges were checked against their arenas when the operations were taken, and shapes never change.
#[inline]
pub(crate) fn copy(from: &KernelRing, message: Span, to: &KernelRing, at: u32) {
    if !message.is_empty() {
        let _ = KernelRing::arena_copy(from, message.off(), to, at, message.len());
    }
}

/// An endpoint whose right to receive a submission names, and how many rights had been given up there when its thread had this one.
pub(crate) type Held = (Ref<Endpoint>, u64);

#[inline]
pub(crate) fn held(thread: &Ref<Thread>, right: CapId) -> Result<Held, TransportError> {
    let table = thread.process.table.lock();
    match table.lookup(right).map(|entry| &entry.object) {
        Err(_) => Err(TransportError::InvalidCap),
        Ok(Object::Endpoint(right)) => Ok((right.endpoint.clone(), right.endpoint.given_up())),
        Ok(_) => Err(TransportError::WrongKind),
    }
}

/// `RECV` into the message buffer of `room`. `Ok(None)` means that the receive waits.
#[inline]
pub(crate) fn recv(
    receiver: &Ref<Thread>,
    right: CapId,
    room: &Buffers,
) -> Result<Option<Cqe>, TransportError> {
    let held = held(receiver, right)?;
    recv_at(receiver, right, held, room)
}

/// Calls that one receive looks at in one go, of which each is too large for it or has just ended.
const MISFITS: u32 = STEP;

/// The same at an endpoint that was looked up before.
#[inline]
pub(crate) fn recv_at(
    receiver: &Ref<Thread>,
    right: CapId,
    mut at: Held,
    room: &Buffers,
) -> Result<Option<Cqe>, TransportError> {
    let mut misfits = 0;
    loop {
        let (endpoint, given_up) = &at;
        let mut state = endpoint.lock();
        // Another thread may have given the right up meanwhile, and what was received and waited here has ended: look again.
        if endpoint.given_up() != *given_up {
            drop(state);
            at = held(receiver, right)?;
            continue;
        }
        let Some(call) = state.calls.first() else {
            if let Some(badge) = state.pop_dropped() {
                return Ok(Some(thread::unreferenced(room.user_data, badge)));
            }
            if !endpoint.takes_receivers(&state) {
                return Err(TransportError::TooManyInFlight);
            }
            let id = receiver.begin(*room, Waiting::Message(endpoint.clone()))?;
            state.receivers.push(Ticket { thread: receiver.clone(), id });
            return Ok(None);
        };
        let (caller, badge) = (&call.caller.thread, call.badge);
        let mut calling = caller.state.lock();
        let mut woken = false;
        if let Some(&from) = calling.receives(call.caller.id) {
            match hand_over(caller, &from, receiver, room) {
                Ok(caps) => {
                    drop(calling);
                    let loan = loans::lend(&mut receiver.state.lock(), receiver, caller);
                    let token = state.calls.receive_first(receiver.clone(), loan);
                    let token = token.ok_or(TransportError::Disconnected)?;
                    return Ok(Some(arrival(&from, room, caps, token, badge)));
                }
                Err(error) => {
                    let failed = thread::failed(from.user_data, error);
                    woken = calling.complete(caller, call.caller.id, &failed);
                }
            }
        }
        drop(calling);
        let gone = state.calls.pop_first();
        drop(state);
        call_is_over(gone, woken);
        misfits += 1;
        if misfits == MISFITS {
            return receive_on(receiver, right, room);
        }
    }
}

/// The receive goes on when others had their turn.
#[cold]
#[inline(never)]
fn receive_on(receiver: &Ref<Thread>, right: CapId, room: &Buffers) -> Result<Option<Cqe>, TransportError> {
    long::leave(receiver, Job::Receive { right, room: *room, deadline: None });
    Ok(None)
}

/// A completed call has left its endpoint: what was lent for it goes back, and its caller runs on if that `woke` it. Outside of any lock.
#[inline]
fn call_is_over(call: Option<Arrived>, woke: bool) {
    let caller = call.map(Arrived::settle);
    if let Some(caller) = caller.filter(|_| woke) {
        schedule::make_ready(caller.thread);
    }
}

/// `RETURN` to a call that came through the receive right `right`. `Ok` means that the call has ended, one way or the other; after an
/// error it goes on waiting, so that the server can answer otherwise.
#[inline]
pub(crate) fn answer(
    server: &Ref<Thread>,
    right: CapId,
    token: Token,
    answer: &Buffers,
) -> Result<(), TransportError> {
    let (endpoint, _) = held(server, right)?;
    answer_at(server, &endpoint, token, answer)
}

/// `RETURN_RECV` through the receive right `right`.
#[inline]
pub(crate) fn answer_recv(
    server: &Ref<Thread>,
    right: CapId,
    token: Token,
    both: &Buffers,
) -> Result<Option<Cqe>, TransportError> {
    let held = held(server, right)?;
    answer_at(server, &held.0, token, both)?;
    recv_at(server, right, held, &both.next())
}

#[inline]
fn answer_at(
    server: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    token: Token,
    answer: &Buffers,
) -> Result<(), TransportError> {
    let mut state = endpoint.lock();
    let received = state.calls.received(token).ok_or(TransportError::StaleToken)?;
    let Ticket { thread: caller, id } = received.caller().ok_or(TransportError::StaleToken)?;
    let mut calling = caller.state.lock();
    let to = calling.receives(*id).ok_or(TransportError::StaleToken)?;
    let completion = give_answer(server, answer, caller, to)?;
    let woken = calling.complete(caller, *id, &completion);
    drop(calling);
    let ended = received.take();
    drop(state);
    call_is_over(ended, woken);
    Ok(())
}

#[inline]
fn give_answer(
    server: &Ref<Thread>,
    answer: &Buffers,
    caller: &Ref<Thread>,
    to: &Buffers,
) -> Result<Cqe, TransportError> {
    let failed = |error| thread::failed(to.user_data, error);
    let exception = answer.kind.flags() & sqe_flags::EXCEPTION != 0;
    // An exception's text is a courtesy: it is cut to what the caller has room for.
    let room = to.answer.len();
    let len = if exception { answer.message.len().min(room) } else { answer.message.len() };
    if len > room {
        return Ok(failed(TransportError::ReplyTooLarge));
    }
    let caps = match transfer::send(server, answer, caller, to) {
        Ok(caps) => caps,
        Err(TransferFault::Sender(error)) => return Err(error),
        Err(TransferFault::Receiver) => return Ok(failed(TransportError::BudgetExhausted)),
    };
    copy(&server.ring, Span::new(answer.message.off(), len), &caller.ring, to.answer.off());
    let (flags, method) = if exception { (cqe_flags::EXCEPTION, answer.kind.method()) } else { (0, 0) };
    Ok(Cqe { user_data: to.user_data, result: len as i32, flags, caps, method, token: 0, badge: 0 })
}
