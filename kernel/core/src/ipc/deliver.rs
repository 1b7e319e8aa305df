//! The way of a message: from the caller's arena to the receiver's, and the answer back.
//!
//! A message is copied once, arena to arena, between two pinned ring blocks. Nothing is buffered in the kernel: a call that finds no
//! receiver stays where it is, and its sender may not expect the kernel to notice if it changes meanwhile.

use crate::cap::Object;
use crate::ipc::endpoint::{Arrival, Endpoint, QueuedCall, ReceiveRight};
use crate::ipc::ops::{Buffers, OpId, Ticket, Waiting};
use crate::ipc::replies::{Received, RepliesError, Token};
use crate::ipc::transfer::{self, TransferFault};
use crate::task::process::Process;
use crate::task::thread::{self, Thread};
use capos_abi::ring::{cqe_flags, sqe_flags};
use capos_abi::{CapId, Cqe, Sqe, TransportError};
use capos_ring::KernelRing;
use kernel_hal::sync::Ref;

/// `CALL` of an endpoint's facet. `Ok` means that the call is under way and will complete by itself.
#[inline]
pub(crate) fn call(
    caller: &Ref<Thread>,
    endpoint: Ref<Endpoint>,
    badge: u64,
    buffers: Buffers,
) -> Result<(), TransportError> {
    endpoint.admit()?;
    let id = caller.ops.lock().begin(buffers).inspect_err(|_| endpoint.discharge())?;
    let result = send(caller, &endpoint, badge, id, &buffers);
    if result.is_err() {
        endpoint.discharge();
        caller.ops.lock().finish(id);
    }
    result
}

#[inline]
fn send(
    caller: &Ref<Thread>,
    endpoint: &Ref<Endpoint>,
    badge: u64,
    id: OpId,
    buffers: &Buffers,
) -> Result<(), TransportError> {
    loop {
        let call = QueuedCall { caller: Ticket { thread: caller.clone(), id }, badge };
        let park = || caller.ops.lock().park(id, Waiting::Queued(endpoint.clone()));
        let Some((receiver, call)) = endpoint.meet_receiver(call, park)? else { return Ok(()) };
        let Some((room, _)) = receiver.claim() else { continue };
        match hand_over(&call, endpoint, buffers, &receiver.thread, &room) {
            Ok(cqe) => {
                receiver.finish(&cqe);
                return Ok(());
            }
            Err(Refusal::Receiver) => {
                receiver.finish(&thread::failed(room.user_data, TransportError::OutOfMemory));
            }
            Err(Refusal::Call(error)) => {
                wait_on(endpoint, &receiver, &room);
                return Err(error);
            }
        }
    }
}

/// A receiver that was claimed for a call that could not be delivered waits on, or takes what came meanwhile.
#[cold]
pub(crate) fn wait_on(endpoint: &Ref<Endpoint>, receiver: &Ticket, room: &Buffers) {
    let park = || receiver.park(Waiting::Message(endpoint.clone()));
    let found = take_arrival(endpoint, receiver, room, || Ok(endpoint.receiver_back(receiver, park)));
    match found {
        Ok(None) => {}
        Ok(Some(cqe)) => receiver.finish(&cqe),
        Err(error) => receiver.finish(&thread::failed(room.user_data, error)),
    }
}

/// Why a claimed call and a claimed receive did not come together.
enum Refusal {
    /// The call cannot be delivered to this receiver; it ends with that error and the receiver waits on.
    Call(TransportError),
    /// The receiver cannot take any call now; it hears of it and the call waits on.
    Receiver,
}

/// Copies message and capabilities over and notes the call with the receiver. The call is left waiting for its answer.
#[inline]
fn hand_over(
    call: &QueuedCall,
    endpoint: &Ref<Endpoint>,
    from: &Buffers,
    receiver: &Ref<Thread>,
    to: &Buffers,
) -> Result<Cqe, Refusal> {
    if from.msg_len > to.msg_len {
        return Err(Refusal::Call(TransportError::MessageTooLarge));
    }
    let caller = &call.caller.thread;
    let server = &receiver.process;
    let received = Received { caller: call.caller.clone(), endpoint: endpoint.clone() };
    let token = server.replies.lock().insert(received).map_err(|error| match error {
        RepliesError::Closed => Refusal::Call(TransportError::Disconnected),
        RepliesError::OutOfMemory => Refusal::Receiver,
    })?;
    let caps = transfer::send(caller, from.caps_off, from.caps_send, receiver, to.caps_off, to.caps_recv);
    let caps = caps.map_err(|fault| {
        let mut replies = server.replies.lock();
        let taken = replies.take(token);
        replies.retire(token);
        drop(replies);
        drop(taken);
        Refusal::Call(match fault {
            TransferFault::Sender(error) => error,
            TransferFault::Receiver => TransportError::PeerBudgetExhausted,
        })
    })?;
    copy(&caller.ring, from.msg_off, &receiver.ring, to.msg_off, from.msg_len);
    await_answer(&call.caller, server, token);
    Ok(Cqe {
        user_data: to.user_data,
        result: from.msg_len as i32,
        flags: 0,
        caps,
        method: from.method,
        token: token.raw(),
        badge: call.badge,
    })
}

/// From now on the call waits for its answer.
#[inline]
pub(crate) fn await_answer(caller: &Ticket, server: &Ref<Process>, token: Token) {
    caller.park(Waiting::Answer(server.clone(), token));
    if server.replies.lock().is_closed() {
        // The server ended meanwhile. Whoever took its calls back could not end this one, which was not waiting yet.
        caller.fail(TransportError::Disconnected);
    }
}

/// Both ranges were checked against their arenas when the operations were taken, and shapes never change.
#[inline]
fn copy(from: &KernelRing, from_off: u32, to: &KernelRing, to_off: u32, len: u32) {
    if len > 0 {
        let _ = KernelRing::arena_copy(from, from_off, to, to_off, len);
    }
}

/// `RECV`. `Ok(None)` means that the receive waits.
#[inline]
pub(crate) fn recv(
    receiver: &Ref<Thread>,
    buffers: Buffers,
    right: CapId,
) -> Result<Option<Cqe>, TransportError> {
    // The right is kept for the whole operation, so that a release by another thread cannot close the endpoint under it unseen.
    let right = receive_right(receiver, right)?;
    let endpoint = &right.endpoint;
    let id = receiver.ops.lock().begin(buffers)?;
    let ticket = Ticket { thread: receiver.clone(), id };
    let found = accept(endpoint, &ticket, &buffers);
    if !matches!(found, Ok(None)) {
        receiver.ops.lock().finish(id);
    }
    found
}

fn receive_right(thread: &Ref<Thread>, id: CapId) -> Result<ReceiveRight, TransportError> {
    let table = thread.process.table.lock();
    match table.lookup(id).map(|entry| &entry.object) {
        Err(_) => Err(TransportError::InvalidCap),
        Ok(Object::Endpoint(right)) => Ok(right.clone()),
        Ok(_) => Err(TransportError::WrongKind),
    }
}

#[inline]
fn accept(endpoint: &Ref<Endpoint>, ticket: &Ticket, room: &Buffers) -> Result<Option<Cqe>, TransportError> {
    let park = || ticket.park(Waiting::Message(endpoint.clone()));
    take_arrival(endpoint, ticket, room, || endpoint.meet_call(ticket, park))
}

/// Takes what `look` finds at the endpoint, until something can be taken or the receiver was queued (`Ok(None)`).
#[inline]
fn take_arrival(
    endpoint: &Ref<Endpoint>,
    ticket: &Ticket,
    room: &Buffers,
    look: impl Fn() -> Result<Arrival, TransportError>,
) -> Result<Option<Cqe>, TransportError> {
    loop {
        match look()? {
            Arrival::Nothing => return Ok(None),
            Arrival::Closed => return Err(TransportError::InvalidCap),
            Arrival::Unreferenced(badge) => return Ok(Some(thread::unreferenced(room.user_data, badge))),
            Arrival::Call(call) => {
                let Some((buffers, _)) = call.caller.claim() else {
                    endpoint.discharge();
                    continue;
                };
                match hand_over(&call, endpoint, &buffers, &ticket.thread, room) {
                    Ok(cqe) => return Ok(Some(cqe)),
                    // Both hear of it: a call put back might be there while another receiver waits, and neither would learn of the
                    // other.
                    Err(Refusal::Receiver) => {
                        end_call(endpoint, &call, &buffers, TransportError::OutOfMemory);
                        return Err(TransportError::OutOfMemory);
                    }
                    Err(Refusal::Call(error)) => end_call(endpoint, &call, &buffers, error),
                }
            }
        }
    }
}

#[cold]
fn end_call(endpoint: &Endpoint, call: &QueuedCall, buffers: &Buffers, error: TransportError) {
    endpoint.discharge();
    call.caller.finish(&thread::failed(buffers.user_data, error));
}

/// `RETURN`. `Ok` means that the call has ended, one way or the other.
#[inline]
pub(crate) fn answer(server: &Ref<Thread>, sqe: &Sqe) -> Result<(), TransportError> {
    let token = Token::from_raw(sqe.cap);
    let received = server.process.replies.lock().take(token).ok_or(TransportError::StaleToken)?;
    let Some((buffers, waiting)) = received.caller.claim() else {
        retire(server, token, &received);
        return Err(TransportError::StaleToken);
    };
    match give_answer(server, sqe, &received.caller.thread, &buffers) {
        Ok(cqe) => {
            retire(server, token, &received);
            received.caller.finish(&cqe);
            Ok(())
        }
        Err(error) => {
            // The server's own mistake: the call goes on waiting, so that it can answer otherwise.
            received.caller.park(waiting);
            let lost = server.process.replies.lock().put_back(token, received);
            if let Err(received) = lost {
                received.endpoint.discharge();
                received.caller.fail(TransportError::Disconnected);
            }
            Err(error)
        }
    }
}

fn retire(server: &Ref<Thread>, token: Token, received: &Received) {
    server.process.replies.lock().retire(token);
    received.endpoint.discharge();
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
