//! One submission, from its operation code to its completion.

use crate::cap::{self, Last, Object, Outcome, Way, long};
use crate::ipc::calls::Token;
use crate::ipc::deliver;
use crate::ipc::direct;
use crate::ipc::ops::Buffers;
use crate::ipc::{events, park, timed};
use crate::ring::check;
use crate::task::cpu::Cpu;
use crate::task::revoke::Progress;
use crate::task::thread::Thread;
use crate::task::{end, rest, revoke};
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, Cqe, Op, TransportError, syscall};
use capos_ring::{Kind, Queued};
use kernel_hal::sync::Ref;

/// Carries out one submission of the current thread that is neither a call nor a revocation. Its completion is either posted or under way afterwards.
#[inline(never)]
pub(crate) fn other(thread: &Ref<Thread>, kind: Kind, submission: &Queued<'_>) {
    if kind.flags() & sqe_flags::DEADLINE != 0 {
        return timed(thread, kind, submission);
    }
    let buffers = &Buffers::read(submission, kind, submission.cap());
    let result = match Op::from_u8(kind.op()) {
        Some(Op::Nop) => check::plain(buffers).map(|()| 0),
        Some(Op::Recv) => return received(thread, buffers, recv(thread, buffers)),
        Some(Op::ReturnRecv) => return received(thread, buffers, answer_recv(thread, submission, buffers)),
        Some(Op::Return) => answer(thread, submission, buffers).map(|()| 0),
        Some(Op::Release) => {
            check::plain(buffers).and_then(|()| release(thread, check::named(buffers.cap)?)).map(|()| 0)
        }
        Some(Op::Cancel) => check::plain(buffers).and_then(|()| cancel(thread, submission.aux())).map(|()| 0),
        Some(Op::Park) => {
            let parked = check::plain(buffers).and_then(|()| park::park(thread, buffers));
            return received(thread, buffers, parked);
        }
        Some(Op::Unpark) => check::plain(buffers)
            .and_then(|()| park::unpark(thread, buffers.cap, submission.interface()))
            .map(|()| 0),
        Some(Op::Wait) => {
            let waited =
                check::plain(buffers).and_then(|()| events::wait(thread, submission.interface(), buffers));
            return received(thread, buffers, waited);
        }
        Some(Op::Call | Op::Revoke) | None => Err(TransportError::UnknownOp),
    };
    complete(thread, buffers.user_data, result);
}

/// The same, or a call, with a deadline.
#[cold]
fn timed(thread: &Ref<Thread>, kind: Kind, submission: &Queued<'_>) {
    let begin = match Op::from_u8(kind.op()) {
        Some(Op::Call) => call_ordinarily,
        Some(Op::Recv | Op::ReturnRecv | Op::Park | Op::Wait) => other,
        unfit => {
            let error = unfit.map_or(TransportError::UnknownOp, |_| TransportError::InvalidArgument);
            return complete(thread, submission.user_data(), Err(error));
        }
    };
    let plain = kind.without_flags(sqe_flags::DEADLINE);
    timed::with_deadline(thread, submission.aux(), || begin(thread, plain, submission));
    long::note_deadline(thread, submission.aux());
}

fn call_ordinarily(thread: &Ref<Thread>, kind: Kind, submission: &Queued<'_>) {
    call(thread, kind, submission, None);
}

#[inline]
fn complete(thread: &Ref<Thread>, user_data: u64, result: Result<i32, TransportError>) {
    let result = result.unwrap_or_else(TransportError::code);
    thread.post_own(&Cqe { user_data, result, ..Cqe::default() });
}

/// What came of a receive: a message at once, a wait, or an error.
type Received = Result<Option<Cqe>, TransportError>;

#[inline]
fn received(thread: &Ref<Thread>, buffers: &Buffers, found: Received) {
    match found {
        Ok(Some(cqe)) => thread.post_own(&cqe),
        Ok(None) => {}
        Err(error) => complete(thread, buffers.user_data, Err(error)),
    }
}

#[inline]
fn recv(thread: &Ref<Thread>, room: &Buffers) -> Received {
    check::recv(&thread.ring, room)?;
    deliver::recv(thread, check::named(room.cap)?, room)
}

/// Goes on with a receive that has come across calls which were too large for it.
#[cold]
pub(crate) fn receive_on(thread: &Ref<Thread>, right: CapId, room: &Buffers) {
    received(thread, room, deliver::recv(thread, right, room));
}

#[inline]
fn answer(thread: &Ref<Thread>, submission: &Queued<'_>, answer: &Buffers) -> Result<(), TransportError> {
    check::answer(&thread.ring, answer)?;
    let right = check::named(submission.interface())?;
    deliver::answer(thread, right, Token::from_raw(answer.cap), answer)
}

#[inline]
fn answer_recv(thread: &Ref<Thread>, submission: &Queued<'_>, both: &Buffers) -> Received {
    check::answer_recv(&thread.ring, both)?;
    let right = check::named(submission.interface())?;
    deliver::answer_recv(thread, right, Token::from_raw(both.cap), both)
}

/// Gives a capability up. What that sets off (an endpoint that closes, say) happens here, outside of the table's lock.
fn release(thread: &Ref<Thread>, id: CapId) -> Result<(), TransportError> {
    let entry = thread.process.release(id).map_err(|_| TransportError::InvalidCap)?;
    rest::give_up(thread, entry.object);
    Ok(())
}

fn cancel(thread: &Ref<Thread>, user_data: u64) -> Result<(), TransportError> {
    let found = thread.state.lock().ops.find(user_data);
    let (id, waiting) = found.ok_or(TransportError::InvalidArgument)?;
    if end::withdraw(thread, id, waiting, TransportError::Canceled) {
        Ok(())
    } else {
        Err(TransportError::InvalidArgument)
    }
}

/// One slice of a `REVOKE`. While there is more to do the submission is to stay in its queue.
#[cold]
pub(crate) fn revoke(thread: &Ref<Thread>, kind: Kind, submission: &Queued<'_>) -> Progress {
    let buffers = &Buffers::read(submission, kind, submission.cap());
    let slice = check::plain(buffers).and_then(|()| revoke::slice(thread, check::named(buffers.cap)?));
    if slice == Ok(Progress::More) {
        return Progress::More;
    }
    complete(thread, buffers.user_data, slice.map(|_| 0));
    Progress::Done
}

/// How long a thread is to sleep in its system call.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub min_complete: u64,
    pub timeout_ns: u64,
}

impl Wait {
    /// Whether that is, without an end, until the first `all` operations are done of which the program has seen `seen`.
    #[inline(always)]
    pub fn is_for_all(self, seen: u32, all: u32) -> bool {
        self.min_complete == u64::from(all.wrapping_sub(seen)) && self.timeout_ns == syscall::FOREVER
    }

    /// Whether that is until one operation is done, without an end.
    #[inline(always)]
    pub fn is_for_one(self) -> bool {
        self.min_complete == 1 && self.timeout_ns == syscall::FOREVER
    }
}

/// An answer without capabilities, and the next receive, if the caller can be resumed at once.
#[inline(always)]
pub(crate) fn answer_directly<const BESIDE: bool>(
    cpu: &Cpu,
    thread: &Ref<Thread>,
    kind: Kind,
    answer: &Queued<'_>,
) -> bool {
    let table = thread.process.table.lock();
    match table.lookup_word(answer.interface()).map(|entry| &entry.object) {
        Ok(Object::Endpoint(right)) => {
            let token = Token::from_raw(answer.cap());
            direct::answer_recv::<BESIDE>(cpu, thread, &right.endpoint, token, answer, kind)
        }
        _ => false,
    }
}

/// An answer and the next receive, capabilities and all, if the caller can be resumed at once: the last of several that are done. Its
/// thread sleeps then until it has `min` completions.
#[inline(never)]
pub(crate) fn answer_last(
    cpu: &Cpu,
    thread: &Ref<Thread>,
    kind: Kind,
    answer: &Queued<'_>,
    min: u64,
) -> bool {
    let Ok(right) = check::named(answer.interface()) else { return false };
    let Ok(held) = deliver::held(thread, right) else { return false };
    direct::carry_answer(cpu, thread, &held, Token::from_raw(answer.cap()), answer, kind, min)
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Called {
    /// It has its completion.
    Done,
    /// It has it, or will have it.
    Begun,
    /// It will have it; its thread sleeps until then, and another runs.
    Away,
}

/// Calls a kernel object, or a server.
#[inline(never)]
pub(crate) fn call(thread: &Ref<Thread>, kind: Kind, call: &Queued<'_>, last: Option<Last>) -> Called {
    if kind.flags() & sqe_flags::DEADLINE != 0 {
        timed(thread, kind, call);
        return Called::Begun;
    }
    let way = last.map_or(Way::Ordinary, Way::Last);
    let outcome = cap::dispatch(thread, call, kind, way);
    if outcome.is_none_yet() {
        if outcome == Outcome::AWAY {
            return Called::Away;
        }
        revoke::catch_up(thread);
        return Called::Begun;
    }
    thread.post_own(&outcome.completion(call.user_data()));
    Called::Done
}
