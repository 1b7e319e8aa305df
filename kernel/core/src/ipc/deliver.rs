//! The way of a message: from the caller's arena to the receiver's, and the answer back.
//!
//! A message is copied once, arena to arena, between two pinned ring blocks. Nothing is buffered in the kernel: a call that finds no
//! receiver stays where it is, and its sender may not expect the kernel to notice if it changes meanwhile.
//!
//! Whatever happens at an endpoint happens under its lock, delivery included, with the lock of one thread after the other inside.
//! Tickets taken out and threads made ready are dealt with after it.

use crate::cap::Object;
use crate::ipc::calls::{Arrived, Token};
use crate::ipc::endpoint::Endpoint;
use crate::ipc::loans;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::ipc::transfer::{self, TransferFault};
use crate::task::schedule;
use crate::task::thread::{self, Thread};
use capos_abi::ring::{cqe_flags, sqe_flags};
use capos_abi::{CapId, Cqe, Sqe, TransportError};
use capos_ring::KernelRing;
use kernel_hal::sync::Ref;

/// `CALL` of an endpoint's facet. `Ok` means that the call is under way and will complete by itself.
#[inline]
pub(crate) fn call(
    caller: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    badge: u64,
    sqe: &Sqe,
) -> Result<(), TransportError> {
    let buffers = Buffers::of(sqe);
    let id = caller.begin(buffers, Waiting::Call(endpoint.clone()))?;
    let server = send(caller, endpoint, badge, Ticket { thread: caller.clone(), id }, &buffers);
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
        let vacancy = state.calls.vacancy().ok_or(TransportError::QueueFull)?;
        let Some(receiver) = state.receivers.last() else {
            state.calls.push(ticket, badge);
            drop(state);
            loans::lend_at(endpoint, caller.priority());
            return Ok(None);
        };
        let server = &receiver.thread;
        let mut serving = server.state.lock();
        if let Some(room) = serving.receives(receiver.id) {
            let caps = hand_over(caller, from, server, &room)?;
            let token = state.calls.token(vacancy);
            let woken = serving.complete(server, receiver.id, &arrival(from, &room, caps, token, badge));
            let loan = loans::lend(&mut serving, server, caller.priority());
            drop(serving);
            let server = server.clone();
            let receiver = state.receivers.pop();
            state.calls.put_received(ticket, badge, server, loan);
            drop(state);
            return Ok(receiver.map(|receiver| receiver.thread).filter(|_| woken));
        }
        // It has just been killed; whoever did that will not find its ticket any more.
        drop(serving);
        let gone = state.receivers.pop();
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
    if from.msg_len > to.msg_len {
        return Err(TransportError::MessageTooLarge);
    }
    let caps = transfer::send(caller, from.caps_off, from.caps_send, receiver, to.caps_off, to.caps_recv);
    let caps = caps.map_err(|fault| match fault {
        TransferFault::Sender(error) => error,
        TransferFault::Receiver => TransportError::PeerBudgetExhausted,
    })?;
    copy(&caller.ring, from.msg_off, &receiver.ring, to.msg_off, from.msg_len);
    Ok(caps)
}

/// The completion of a receive that brought a call.
#[inline]
fn arrival(from: &Buffers, to: &Buffers, caps: u8, token: Token, badge: u64) -> Cqe {
    Cqe {
        user_data: to.user_data,
        result: from.msg_len as i32,
        flags: 0,
        caps,
        method: from.method,
        token: token.raw(),
        badge,
    }
}

/// Both ranges were checked against their arenas when the operations were taken, and shapes never change.
#[inline]
pub(crate) fn copy(from: &KernelRing, from_off: u32, to: &KernelRing, to_off: u32, len: u32) {
    if len > 0 {
        let _ = KernelRing::arena_copy(from, from_off, to, to_off, len);
    }
}

/// The endpoint whose right to receive a submission names, and how many rights had been given up there when `thread` had this one.
#[inline]
fn held(thread: &Ref<Thread>, right: CapId) -> Result<(Ref<Endpoint>, u64), TransportError> {
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
    loop {
        let (endpoint, given_up) = held(receiver, right)?;
        let mut state = endpoint.lock();
        // Another thread may have given the right up meanwhile, and what was received and waited here has ended: look again.
        if endpoint.given_up() != given_up {
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
        if let Some(from) = calling.receives(call.caller.id) {
            match hand_over(caller, &from, receiver, room) {
                Ok(caps) => {
                    drop(calling);
                    let loan = loans::lend(&mut receiver.state.lock(), receiver, caller.priority());
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
    }
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
pub(crate) fn answer(server: &Ref<Thread>, right: CapId, sqe: &Sqe) -> Result<(), TransportError> {
    let (endpoint, _) = held(server, right)?;
    let token = Token::from_raw(sqe.cap);
    let mut state = endpoint.lock();
    let ticket = &state.calls.received(token).ok_or(TransportError::StaleToken)?.caller;
    let caller = &ticket.thread;
    let mut calling = caller.state.lock();
    let to = calling.receives(ticket.id).ok_or(TransportError::StaleToken)?;
    let completion = give_answer(server, sqe, caller, &to)?;
    let woken = calling.complete(caller, ticket.id, &completion);
    drop(calling);
    let ended = state.calls.remove(token);
    drop(state);
    call_is_over(ended, woken);
    Ok(())
}

#[inline]
fn give_answer(
    server: &Ref<Thread>,
    sqe: &Sqe,
    caller: &Ref<Thread>,
    to: &Buffers,
) -> Result<Cqe, TransportError> {
    let failed = |error| thread::failed(to.user_data, error);
    let exception = sqe.flags & sqe_flags::EXCEPTION != 0;
    // An exception's text is a courtesy: it is cut to what the caller has room for.
    let len = if exception { sqe.msg_len.min(to.reply_len) } else { sqe.msg_len };
    if len > to.reply_len {
        return Ok(failed(TransportError::ReplyTooLarge));
    }
    let caps = match transfer::send(server, sqe.caps_off, sqe.caps_send, caller, to.caps_off, to.caps_recv) {
        Ok(caps) => caps,
        Err(TransferFault::Sender(error)) => return Err(error),
        Err(TransferFault::Receiver) => return Ok(failed(TransportError::BudgetExhausted)),
    };
    copy(&server.ring, sqe.msg_off, &caller.ring, to.reply_off, len);
    let (flags, method) = if exception { (cqe_flags::EXCEPTION, sqe.method) } else { (0, 0) };
    Ok(Cqe { user_data: to.user_data, result: len as i32, flags, caps, method, token: 0, badge: 0 })
}
