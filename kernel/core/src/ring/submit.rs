//! One submission, from its operation code to its completion.

use crate::cap::{self, Object, Outcome};
use crate::ipc::deliver;
use crate::ipc::direct;
use crate::ipc::ops::Buffers;
use crate::ipc::{events, park, timed};
use crate::ring::check;
use crate::task::end;
use crate::task::thread::Thread;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, Cqe, Op, Sqe, TransportError, syscall};
use capos_ring::Lone;
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;

/// Carries out one submission of the current thread that is no call. Its completion is either posted or under way afterwards.
#[inline(never)]
pub(crate) fn other(thread: &Ref<Thread>, sqe: &Sqe) {
    if sqe.flags & sqe_flags::DEADLINE != 0 {
        return timed(thread, sqe);
    }
    let result = match Op::from_u8(sqe.op) {
        Some(Op::Nop) => check::plain(sqe).map(|()| 0),
        Some(Op::Recv) => return received(thread, sqe, recv(thread, sqe)),
        Some(Op::ReturnRecv) => return received(thread, sqe, answer_recv(thread, sqe)),
        Some(Op::Return) => answer(thread, sqe).map(|()| 0),
        Some(Op::Release) => {
            check::plain(sqe).and_then(|()| release(thread, check::named(sqe.cap)?)).map(|()| 0)
        }
        Some(Op::Cancel) => check::plain(sqe).and_then(|()| cancel(thread, sqe.aux)).map(|()| 0),
        Some(Op::Park) => {
            return received(thread, sqe, check::plain(sqe).and_then(|()| park::park(thread, sqe)));
        }
        Some(Op::Unpark) => check::plain(sqe).and_then(|()| park::unpark(thread, sqe)).map(|()| 0),
        Some(Op::Wait) => {
            return received(thread, sqe, check::plain(sqe).and_then(|()| events::wait(thread, sqe)));
        }
        Some(Op::Call) | None => Err(TransportError::UnknownOp),
    };
    complete(thread, sqe.user_data, result);
}

/// The same, or a call, with a deadline.
#[cold]
fn timed(thread: &Ref<Thread>, sqe: &Sqe) {
    let plain = Sqe { flags: sqe.flags & !sqe_flags::DEADLINE, aux: 0, ..*sqe };
    let begin: fn(&Ref<Thread>, &Sqe) = match Op::from_u8(sqe.op) {
        Some(Op::Call) => call,
        Some(Op::Recv | Op::ReturnRecv | Op::Park | Op::Wait) => other,
        Some(_) => return complete(thread, sqe.user_data, Err(TransportError::InvalidArgument)),
        None => return complete(thread, sqe.user_data, Err(TransportError::UnknownOp)),
    };
    timed::with_deadline(thread, sqe.aux, || begin(thread, &plain));
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
    deliver::recv(thread, right, &Buffers::of_next(sqe))
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

/// How long a thread is to sleep in its system call.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub min_complete: u64,
    pub timeout_ns: u64,
}

impl Wait {
    /// Not at all.
    pub const NO: Wait = Wait { min_complete: 0, timeout_ns: 0 };

    /// Whether that is until one operation is done, without an end.
    #[inline(always)]
    pub fn is_for_one(self) -> bool {
        self.min_complete == 1 && self.timeout_ns == syscall::FOREVER
    }
}

/// What became of a submission that is all there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alone {
    /// Nothing was taken: there is none, or there is more.
    No,
    /// It is done.
    Done,
    /// It is under way, or done.
    Taken,
    /// The thread sleeps until it is done, and another one runs.
    Away,
}

/// The shortest way of all: takes the submission that waits, if it is the only one, all before it are done and the program has seen all of
/// it. `wait` says how long the thread is to sleep afterwards.
#[inline(always)]
pub(crate) fn alone(thread: &Ref<Thread>, wait: Wait) -> Alone {
    let head = thread.sq_head.load(Ordering::Relaxed);
    if thread.ring.cq_head() != head || !thread.has_completed_all(head) {
        return Alone::No;
    }
    let Some(lone) = thread.ring.lone(head) else { return Alone::No };
    let next = head.wrapping_add(1);
    thread.sq_head.store(next, Ordering::Relaxed);
    thread.ring.publish_sq_head(next);
    match lone {
        Lone::Plain(sqe) => {
            let outcome = cap::dispatch(thread, &sqe, true, wait);
            if outcome.is_none_yet() {
                return if outcome == Outcome::AWAY { Alone::Away } else { Alone::Taken };
            }
            thread.post_alone(head, &outcome.completion(sqe.user_data));
            Alone::Done
        }
        Lone::Other(sqe) => with_message(thread, &sqe, wait),
    }
}

/// A call with a message, an answer with the next receive, or anything else.
#[inline(never)]
fn with_message(thread: &Ref<Thread>, sqe: &Sqe, wait: Wait) -> Alone {
    if sqe.op == Op::ReturnRecv as u8 && wait.is_for_one() && answer_directly(thread, sqe) {
        return Alone::Away;
    }
    if sqe.op == Op::Call as u8 {
        return call_waiting(thread, sqe, wait);
    }
    other(thread, sqe);
    Alone::Taken
}

#[inline(never)]
fn call_waiting(thread: &Ref<Thread>, sqe: &Sqe, wait: Wait) -> Alone {
    let outcome = match check::call(&thread.ring, sqe) {
        Ok(()) => cap::dispatch(thread, sqe, false, wait),
        Err(_) if sqe.flags & sqe_flags::DEADLINE != 0 => {
            timed(thread, sqe);
            return Alone::Taken;
        }
        Err(error) => Outcome::error(error),
    };
    if outcome == Outcome::AWAY {
        return Alone::Away;
    }
    if !outcome.is_none_yet() {
        thread.post_own(&outcome.completion(sqe.user_data));
    }
    Alone::Taken
}

/// An answer without capabilities, and the next receive, if the caller can be resumed at once.
#[inline(always)]
fn answer_directly(thread: &Ref<Thread>, sqe: &Sqe) -> bool {
    if sqe.flags != 0 || sqe.caps_send != 0 || check::answer_recv(&thread.ring, sqe).is_err() {
        return false;
    }
    let table = thread.process.table.lock();
    match table.lookup_word(sqe.interface).map(|entry| &entry.object) {
        Ok(Object::Endpoint(right)) => direct::answer_recv(thread, &right.endpoint, sqe),
        _ => false,
    }
}

/// Calls a kernel object, or a server. The completion comes now or later.
#[inline(never)]
pub(crate) fn call(thread: &Ref<Thread>, sqe: &Sqe) {
    call_waiting(thread, sqe, Wait::NO);
}
