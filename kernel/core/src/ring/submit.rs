//! One submission, from its operation code to its completion.

use crate::cap::{self, Object, Outcome};
use crate::ipc::deliver;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::ops::Buffers;
use crate::ring::check;
use crate::task::end;
use crate::task::thread::Thread;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError};
use kernel_hal::sync::Ref;

/// Carries out one submission of the current thread. Its completion is either posted or under way afterwards.
#[inline]
pub(crate) fn submit(thread: &Ref<Thread>, sqe: &Sqe) {
    // Apart from the others, so that they do not weigh on it.
    if sqe.op == Op::Call as u8 {
        finish_call(thread, sqe, call(thread, sqe));
    } else {
        submit_other(thread, sqe);
    }
}

#[inline(never)]
fn submit_other(thread: &Ref<Thread>, sqe: &Sqe) {
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

/// Whom a call is for.
enum Target {
    Endpoint(Ref<Endpoint>, u64),
    Object(Object),
}

#[inline]
fn call(thread: &Ref<Thread>, sqe: &Sqe) -> Result<Outcome, TransportError> {
    check::call(&thread.ring, sqe)?;
    match target(thread, sqe)? {
        Target::Endpoint(endpoint, badge) => {
            deliver::call(thread, endpoint, badge, Buffers::of(sqe)).map(|()| Outcome::PENDING)
        }
        Target::Object(object) => Ok(cap::call(thread, &object, sqe)),
    }
}

#[inline]
fn target(thread: &Ref<Thread>, sqe: &Sqe) -> Result<Target, TransportError> {
    let id = check::named(sqe)?;
    let table = thread.process.table.lock();
    let entry = table.lookup(id).map_err(|_| TransportError::InvalidCap)?;
    if entry.interface != sqe.interface {
        return Err(TransportError::WrongInterface);
    }
    Ok(match &entry.object {
        Object::Client(facet) => Target::Endpoint(facet.endpoint.clone(), facet.badge),
        object => Target::Object(object.clone()),
    })
}

#[inline]
fn finish_call(thread: &Ref<Thread>, sqe: &Sqe, result: Result<Outcome, TransportError>) {
    let outcome = result.unwrap_or_else(Outcome::error);
    if outcome == Outcome::PENDING {
        return;
    }
    if !thread.is_doomed() {
        thread.post_own(&outcome.completion(sqe.user_data));
    }
}
