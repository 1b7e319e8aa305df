//! One submission, from its operation code to its completion.

use crate::cap::{self, Outcome};
use crate::ipc::deliver;
use crate::ipc::ops::Buffers;
use crate::ring::check;
use crate::task::end;
use crate::task::thread::Thread;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError};
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;

/// Carries out one submission of the current thread that is no call. Its completion is either posted or under way afterwards.
#[inline(never)]
pub(crate) fn other(thread: &Ref<Thread>, sqe: &Sqe) {
    let result = match Op::from_u8(sqe.op) {
        Some(Op::Nop) => check::plain(sqe).map(|()| 0),
        Some(Op::Recv) => return received(thread, sqe, recv(thread, sqe)),
        Some(Op::ReturnRecv) => return received(thread, sqe, answer_recv(thread, sqe)),
        Some(Op::Return) => answer(thread, sqe).map(|()| 0),
        Some(Op::Release) => {
            check::plain(sqe).and_then(|()| release(thread, check::named(sqe.cap)?)).map(|()| 0)
        }
        Some(Op::Cancel) => check::plain(sqe).and_then(|()| cancel(thread, sqe.aux)).map(|()| 0),
        Some(Op::Call | Op::Park | Op::Unpark) | None => Err(TransportError::UnknownOp),
    };
    complete(thread, sqe.user_data, result);
}

#[inline]
fn complete(thread: &Ref<Thread>, user_data: u64, result: Result<i32, TransportError>) {
    let result = result.unwrap_or_else(TransportError::code);
    thread.post_own(&Cqe { user_data, result, ..Cqe::default() });
}

/// What came of a receive: a message at once, a wait, or an error.
#[inline]
fn received(thread: &Ref<Thread>, sqe: &Sqe, found: Result<Option<Cqe>, TransportError>) {
    match found {
        Ok(Some(cqe)) => thread.post_own(&cqe),
        Ok(None) => {}
        Err(error) => complete(thread, sqe.user_data, Err(error)),
    }
}

#[inline]
fn recv(thread: &Ref<Thread>, sqe: &Sqe) -> Result<Option<Cqe>, TransportError> {
    check::recv(&thread.ring, sqe)?;
    deliver::recv(thread, check::named(sqe.cap)?, &Buffers::of(sqe))
}

#[inline]
fn answer(thread: &Ref<Thread>, sqe: &Sqe) -> Result<(), TransportError> {
    check::answer(&thread.ring, sqe)?;
    deliver::answer(thread, check::named(sqe.interface)?, sqe)
}

#[inline]
fn answer_recv(thread: &Ref<Thread>, sqe: &Sqe) -> Result<Option<Cqe>, TransportError> {
    check::answer_recv(&thread.ring, sqe)?;
    let right = check::named(sqe.interface)?;
    deliver::answer(thread, right, sqe)?;
    let room = Buffers { msg_off: sqe.reply_off, msg_len: sqe.reply_len, ..Buffers::of(sqe) };
    deliver::recv(thread, right, &room)
}

/// Gives a capability up. What that sets off (an endpoint that closes, say) happens here, outside of the table's lock.
fn release(thread: &Ref<Thread>, id: CapId) -> Result<(), TransportError> {
    thread.process.release(id).map(drop).map_err(|_| TransportError::InvalidCap)
}

fn cancel(thread: &Ref<Thread>, user_data: u64) -> Result<(), TransportError> {
    let found = thread.state.lock().ops.find(user_data);
    let (id, waiting) = found.ok_or(TransportError::InvalidArgument)?;
    if end::withdraw(thread, id, waiting) { Ok(()) } else { Err(TransportError::InvalidArgument) }
}

/// The shortest way of all: takes what waits if it is a single plain call, all before it is done and the program has seen all of it.
/// True when the call is done, too. Otherwise there is more to look at; what was taken is under way.
#[inline]
pub(crate) fn lone_call(thread: &Ref<Thread>) -> bool {
    let head = thread.sq_head.load(Ordering::Relaxed);
    if thread.ring.cq_head() != head || !thread.has_completed_all(head) {
        return false;
    }
    let Some(sqe) = thread.ring.lone_call(head) else { return false };
    let next = head.wrapping_add(1);
    thread.sq_head.store(next, Ordering::Relaxed);
    thread.ring.publish_sq_head(next);
    let outcome = cap::dispatch(thread, &sqe, true);
    if outcome == Outcome::PENDING {
        return false;
    }
    thread.post_alone(head, &outcome.completion(sqe.user_data));
    true
}

/// Calls a kernel object, or a server. The completion comes now or later.
#[inline(never)]
pub(crate) fn call(thread: &Ref<Thread>, sqe: &Sqe) {
    let outcome = match check::call(&thread.ring, sqe) {
        Ok(()) => cap::dispatch(thread, sqe, false),
        Err(error) => Outcome::error(error),
    };
    if outcome != Outcome::PENDING {
        thread.post_own(&outcome.completion(sqe.user_data));
    }
}
