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
        Some(Op::Recv) => match recv(thread, sqe) {
            Ok(Some(cqe)) => return thread.post_own(&cqe),
            Ok(None) => return,
            Err(error) => Err(error),
        },
        Some(Op::Return) => {
            check::answer(&thread.ring, sqe).and_then(|()| deliver::answer(thread, sqe)).map(|()| 0)
        }
        Some(Op::Release) => check::plain(sqe).and_then(|()| release(thread, check::named(sqe)?)).map(|()| 0),
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

#[inline]
fn recv(thread: &Ref<Thread>, sqe: &Sqe) -> Result<Option<Cqe>, TransportError> {
    check::recv(&thread.ring, sqe)?;
    deliver::recv(thread, Buffers::of(sqe), check::named(sqe)?)
}

/// Gives a capability up. What that sets off (an endpoint that closes, say) happens here, outside of the table's lock.
fn release(thread: &Ref<Thread>, id: CapId) -> Result<(), TransportError> {
    thread.process.release(id).map(drop).map_err(|_| TransportError::InvalidCap)
}

fn cancel(thread: &Ref<Thread>, user_data: u64) -> Result<(), TransportError> {
    let id = thread.ops.lock().find_by_user_data(user_data).ok_or(TransportError::InvalidArgument)?;
    if end::withdraw(thread, id) { Ok(()) } else { Err(TransportError::InvalidArgument) }
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
