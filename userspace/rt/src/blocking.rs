//! Calls that the thread waits for, on the shortest path: message, answer and capabilities at fixed places of the arena, one
//! submission, one system call, one completion, and nothing of it in memory in between.

use crate::arena;
use crate::cap::Cap;
use crate::ipc::{CallError, Encoder, Reply, answer, once, start};
use crate::thread::{self, BLOCKING, Thread};
use capos_abi::{Cqe, MAX_CAPS, MAX_MESSAGE, Op, Sqe, TransferSlot};
use capos_schema::{DecodeError, EncodeError};

/// Calls a method and waits for its answer without an executor.
///
/// `encode` writes the parameters, `send` goes along, `recv_caps` capabilities and `reply_max` bytes may come back.
pub fn call_blocking<E>(
    cap: &Cap,
    interface: u64,
    method: u16,
    encode: E,
    send: &[TransferSlot],
    recv_caps: usize,
    reply_max: usize,
) -> Result<Reply, CallError>
where
    E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
{
    let thread = thread::current();
    if !thread.scratch.claim() {
        return call_elsewhere(cap, interface, method, &mut once(encode), send, recv_caps, reply_max);
    }
    // From here on the scratch place is ours, until an error or the drop of the answer gives it back.
    let len = encode_in_scratch(thread, encode)?;
    let send = send.get(..MAX_CAPS).unwrap_or(send);
    // SAFETY: the scratch place is claimed, and nothing in flight names it; at most MAX_CAPS words.
    unsafe { arena::put_caps(thread, thread.scratch.caps, send) };
    let recv = recv_caps.min(MAX_CAPS) as u8;
    let kind = kind(method, send.len() as u8, recv);
    reply(thread, exchange(thread, kind, cap.id().raw(), interface, len))
}

/// Calls a method that neither takes nor gives capabilities, waits for its answer and reads it with `decode`.
pub fn ask<E, D, R>(cap: &Cap, interface: u64, method: u16, encode: E, decode: D) -> Result<R, CallError>
where
    E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
    D: FnOnce(&[u8]) -> Result<R, DecodeError>,
{
    let thread = thread::current();
    if !thread.scratch.claim() {
        let reply = call_elsewhere(cap, interface, method, &mut once(encode), &[], 0, MAX_MESSAGE)?;
        return Ok(decode(reply.bytes())?);
    }
    let len = encode_in_scratch(thread, encode)?;
    let outcome = exchange(thread, kind(method, 0, 0), cap.id().raw(), interface, len);
    if outcome > i32::MAX as u64 {
        return Err(refusal(thread, outcome));
    }
    // SAFETY: the operation that wrote the range is complete, and the scratch place is claimed.
    let results = decode(unsafe { arena::bytes(thread, thread.scratch.reply, outcome as usize) });
    thread.scratch.release();
    Ok(results?)
}

/// A blocking call while somebody still reads an answer in the scratch place.
#[cold]
#[inline(never)]
fn call_elsewhere(
    cap: &Cap,
    interface: u64,
    method: u16,
    encode: Encoder<'_>,
    send: &[TransferSlot],
    recv_caps: usize,
    reply_max: usize,
) -> Result<Reply, CallError> {
    let thread = thread::current();
    let operation = start(thread, cap, interface, method, encode, send, recv_caps, reply_max)?;
    answer(thread, operation.finish_blocking())
}

/// The first word of a call's submission.
#[inline]
fn kind(method: u16, send: u8, recv: u8) -> u64 {
    Op::Call as u64 | u64::from(method) << 16 | u64::from(send) << 32 | u64::from(recv) << 40
}

/// Writes the message to the claimed scratch place, or gives that back.
#[inline]
fn encode_in_scratch<E>(thread: &Thread, encode: E) -> Result<u32, EncodeError>
where
    E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
{
    // SAFETY: the scratch place is claimed, and nothing in flight names it.
    let len = encode(unsafe { arena::bytes_mut(thread, thread.scratch.request, MAX_MESSAGE) });
    Ok(len.inspect_err(|_| thread.scratch.release())? as u32)
}

/// Submits the call whose message lies in the scratch place, and waits for its completion: [`Cqe::outcome`]. Never inlined, so that
/// every method's client is small and this has the registers for itself.
#[inline(never)]
fn exchange(thread: &Thread, kind: u64, cap: u64, interface: u64, len: u32) -> u64 {
    let scratch = &thread.scratch;
    thread.submit(&Sqe {
        op: kind as u8,
        method: (kind >> 16) as u16,
        caps_send: (kind >> 32) as u8,
        caps_recv: (kind >> 40) as u8,
        user_data: BLOCKING,
        cap,
        interface,
        msg_off: scratch.request,
        msg_len: len,
        reply_off: scratch.reply,
        reply_len: MAX_MESSAGE as u32,
        caps_off: scratch.caps,
        ..Sqe::default()
    });
    thread.wait();
    match thread.ring.pop_if(|cqe| cqe.user_data == BLOCKING) {
        Some(cqe) => cqe.outcome(),
        None => wait_longer(thread, BLOCKING).outcome(),
    }
}

/// The answer in the scratch place.
#[inline]
fn reply(thread: &'static Thread, outcome: u64) -> Result<Reply, CallError> {
    let cqe = Cqe::of_outcome(BLOCKING, outcome);
    Reply::of(thread, &cqe, thread.scratch.reply, thread.scratch.caps, None)
}

/// The error of a call that was to give no capabilities. Should some have come all the same, they are given up.
#[cold]
#[inline(never)]
fn refusal(thread: &'static Thread, outcome: u64) -> CallError {
    reply(thread, outcome).err().unwrap_or(CallError::Decode(DecodeError::BadPointer))
}

/// Enters until the completion with this `user_data` is there; others are handed to their owners meanwhile.
#[inline]
pub(crate) fn wait_for(thread: &Thread, user_data: u64) -> Cqe {
    thread.wait();
    match thread.ring.pop_if(|cqe| cqe.user_data == user_data) {
        Some(cqe) => cqe,
        None => wait_longer(thread, user_data),
    }
}

#[cold]
#[inline(never)]
fn wait_longer(thread: &Thread, user_data: u64) -> Cqe {
    loop {
        while let Some(cqe) = thread.ring.pop() {
            if cqe.user_data == user_data {
                return cqe;
            }
            thread.complete(cqe);
        }
        thread.wait();
    }
}
