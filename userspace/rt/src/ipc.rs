//! Calls as futures, and what comes of a call.
//!
//! Generated clients come through [`call`], [`call_blocking`] and [`ask`]; by hand one uses the clients.

use crate::arena;
use crate::cap::Cap;
use crate::op::Operation;
use crate::serve::Exception;
use crate::thread::{self, Thread};
use alloc::boxed::Box;
use capos_abi::ring::cqe_flags;
use capos_abi::{
    Blame, CapId, Cqe, ExceptionCode, MAX_CAPS, MAX_MESSAGE, Op, Sqe, TransferSlot, TransportError,
};
use capos_arena::Run;
use capos_schema::{DecodeError, EncodeError};
use core::fmt;

/// Smallest answer buffer: an exception's text and a newer server's larger struct should fit too.
const LEAST_REPLY: usize = 256;

/// Why a call gave no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    /// It did not reach the object, or the answer did not reach us.
    Transport(TransportError),
    /// The object said that it could not.
    Exception(Exception),
    /// Our parameters do not fit a message.
    Encode(EncodeError),
    /// The answer is not what the schema says.
    Decode(DecodeError),
    /// The answer lacks a capability.
    MissingCap,
    /// Too many calls of this thread are in flight: its arena is full.
    ArenaFull,
}

impl CallError {
    /// Whose fault it was.
    pub fn blame(&self) -> Blame {
        match self {
            CallError::Transport(error) => error.blame(),
            CallError::Exception(exception) => exception.code().blame(),
            CallError::Encode(_) | CallError::ArenaFull => Blame::Caller,
            CallError::Decode(_) | CallError::MissingCap => Blame::Callee,
        }
    }

    /// Whether the server went away under the call. Where a supervisor starts it again on the same endpoint, the same call can be
    /// made again.
    pub fn is_disconnect(&self) -> bool {
        *self == CallError::Transport(TransportError::Disconnected)
    }

    /// Whether whoever was called, or what stood behind the capability, is not there any more.
    pub fn is_gone(&self) -> bool {
        self.is_disconnect() || self.exception() == Some(ExceptionCode::Disconnected)
    }

    /// What a server answers that could not do what it was asked because a call of its own ended like this.
    pub fn handed_on(&self) -> Exception {
        match self {
            CallError::Exception(exception) => exception.clone(),
            _ if self.is_disconnect() => ExceptionCode::Disconnected.into(),
            _ => ExceptionCode::InvalidArgument.into(),
        }
    }

    /// The exception's code, if it is one: what programs branch on.
    pub fn exception(&self) -> Option<ExceptionCode> {
        match self {
            CallError::Exception(exception) => Some(exception.code()),
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Transport(error) => f.write_str(transport_text(*error)),
            CallError::Exception(exception) => exception.fmt(f),
            CallError::Encode(error) => error.fmt(f),
            CallError::Decode(error) => write!(f, "bad answer: {error}"),
            CallError::MissingCap => f.write_str("bad answer: a capability is missing"),
            CallError::ArenaFull => f.write_str("too many calls in flight"),
        }
    }
}

/// A transport error in words for people.
fn transport_text(error: TransportError) -> &'static str {
    match error {
        TransportError::UnknownOp => "unknown operation",
        TransportError::InvalidArgument => "invalid argument",
        TransportError::InvalidCap => "no such capability",
        TransportError::WrongInterface => "capability of another interface",
        TransportError::WrongKind => "wrong kind of object",
        TransportError::UnknownMethod => "unknown method",
        TransportError::MessageTooLarge => "message too large",
        TransportError::ReplyTooLarge => "answer too large",
        TransportError::Disconnected => "its server is gone",
        TransportError::QueueFull => "its queue is full",
        TransportError::BudgetExhausted => "budget exhausted",
        TransportError::PeerBudgetExhausted => "the other side's budget is exhausted",
        TransportError::Canceled => "canceled",
        TransportError::TimedOut => "timed out",
        TransportError::NotTransferable => "capability can not be passed on",
        TransportError::StaleToken => "the call no longer waits",
        TransportError::TooManyInFlight => "too many operations in flight",
        TransportError::OutOfMemory => "the machine is out of memory",
        TransportError::BadMessage => "malformed message",
        TransportError::CorruptRing => "corrupt ring",
        TransportError::Revoked => "the capability was revoked",
    }
}

impl core::error::Error for CallError {}

impl From<EncodeError> for CallError {
    fn from(error: EncodeError) -> Self {
        CallError::Encode(error)
    }
}

impl From<DecodeError> for CallError {
    fn from(error: DecodeError) -> Self {
        CallError::Decode(error)
    }
}

impl From<TransportError> for CallError {
    fn from(error: TransportError) -> Self {
        CallError::Transport(error)
    }
}

/// An answer: its bytes in the arena and the capabilities that came with it. Dropping it frees the place and gives up the
/// capabilities that nobody took.
pub struct Reply {
    thread: &'static Thread,
    offset: u32,
    len: u32,
    caps: u32,
    count: u8,
    /// `None`: it lies in the scratch place.
    run: Option<Run>,
}

impl Reply {
    /// What a completion says of the answer at `offset`, whose capabilities lie at `caps`.
    #[inline]
    pub(crate) fn of(
        thread: &'static Thread,
        cqe: &Cqe,
        offset: u32,
        caps: u32,
        run: Option<Run>,
    ) -> Result<Reply, CallError> {
        let (count, len) = (cqe.caps.min(MAX_CAPS as u8), cqe.result.max(0) as u32);
        let reply = Reply { thread, offset, len, caps, count, run };
        let refused = cqe.result < 0 || cqe.flags & cqe_flags::EXCEPTION != 0;
        if refused { Err(error_of(cqe, reply)) } else { Ok(reply) }
    }

    /// The message.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the operation that wrote the range is complete and the range is this reply's until it is dropped.
        unsafe { arena::bytes(self.thread, self.offset, self.len as usize) }
    }

    /// The `n`th capability that came with it; once.
    pub fn take_cap(&self, n: usize) -> Result<Cap, CallError> {
        if n >= usize::from(self.count) {
            return Err(CallError::MissingCap);
        }
        // SAFETY: `n` is below the number of words the kernel wrote, and the array is this reply's.
        let id = unsafe { arena::take_cap(self.thread, self.caps, n) };
        if id == CapId::NULL { Err(CallError::MissingCap) } else { Ok(Cap::from_id(id)) }
    }
}

impl Drop for Reply {
    #[inline]
    fn drop(&mut self) {
        if self.count == 0 && self.run.is_none() {
            return self.thread.scratch.release();
        }
        self.give_up();
    }
}

impl Reply {
    #[inline(never)]
    fn give_up(&mut self) {
        for n in 0..usize::from(self.count) {
            drop(self.take_cap(n));
        }
        match self.run.take() {
            None => self.thread.scratch.release(),
            Some(run) => self.thread.free_arena(run),
        }
    }
}

/// The error that a completion stands for; `reply` holds its text, and is dropped.
#[cold]
fn error_of(cqe: &Cqe, reply: Reply) -> CallError {
    if cqe.result < 0 {
        return CallError::Transport(
            TransportError::from_code(cqe.result).unwrap_or(TransportError::UnknownOp),
        );
    }
    let text = core::str::from_utf8(reply.bytes()).unwrap_or("");
    let text = if text.is_empty() { None } else { Some(Box::from(text)) };
    CallError::Exception(Exception::with_text(ExceptionCode::from_code(cqe.method), text))
}

/// Calls a method; the answer comes as a future. Dropping the future cancels the call.
pub async fn call<E>(
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
    let operation = start(thread, cap, interface, method, &mut once(encode), send, recv_caps, reply_max)?;
    outcome(thread, operation).await
}

async fn outcome(thread: &'static Thread, operation: Operation) -> Result<Reply, CallError> {
    answer(thread, operation.finish().await)
}

/// Writes a message, and says how long it became. Behind a pointer: what is not the shortest path is compiled once and not anew
/// for every method.
pub(crate) type Encoder<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<usize, EncodeError>;

/// An encoder that is called once.
pub(crate) fn once<E>(encode: E) -> impl FnMut(&mut [u8]) -> Result<usize, EncodeError>
where
    E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
{
    let mut encode = Some(encode);
    move |out| encode.take().map_or(Err(EncodeError::NoRoom), |encode| encode(out))
}

/// Where request, capabilities and answer lie in one run, in this order.
struct Layout {
    caps: u32,
    reply: u32,
    reply_len: u32,
    total: u32,
}

impl Layout {
    fn new(msg_len: usize, caps: usize, reply_max: usize) -> Layout {
        let caps_at = msg_len.next_multiple_of(8);
        let reply = caps_at + 8 * caps;
        let reply_len = reply_max.clamp(LEAST_REPLY, MAX_MESSAGE);
        Layout {
            caps: caps_at as u32,
            reply: reply as u32,
            reply_len: reply_len as u32,
            total: (reply + reply_len) as u32,
        }
    }
}

/// Encodes and submits a call that somebody will await.
#[expect(clippy::too_many_arguments, reason = "the parameters of a call; see `call`")]
pub(crate) fn start(
    thread: &'static Thread,
    cap: &Cap,
    interface: u64,
    method: u16,
    encode: Encoder<'_>,
    send: &[TransferSlot],
    recv_caps: usize,
    reply_max: usize,
) -> Result<Operation, CallError> {
    let (message, msg_len) = encode_somewhere(thread, encode)?;
    let send = send.get(..MAX_CAPS).unwrap_or(send);
    let recv_caps = recv_caps.min(MAX_CAPS);
    let layout = Layout::new(msg_len, send.len().max(recv_caps), reply_max);
    let run = thread.take_arena(layout.total).ok_or(CallError::ArenaFull)?;
    message.copy_to(run.offset(), msg_len);
    // SAFETY: inside the run just taken.
    unsafe { arena::put_caps(thread, run.offset() + layout.caps, send) };
    let sqe = Sqe {
        op: Op::Call as u8,
        method,
        caps_send: send.len() as u8,
        caps_recv: recv_caps as u8,
        cap: cap.id().raw(),
        interface,
        msg_off: run.offset(),
        msg_len: msg_len as u32,
        reply_off: run.offset() + layout.reply,
        reply_len: layout.reply_len,
        caps_off: run.offset() + layout.caps,
        ..Sqe::default()
    };
    Ok(Operation::submit(thread, &sqe, run))
}

/// Turns the completion of an asynchronous call into an answer.
pub(crate) fn answer(thread: &'static Thread, (cqe, operation): (Cqe, Finished)) -> Result<Reply, CallError> {
    let Finished { run, caps, reply } = operation;
    Reply::of(thread, &cqe, reply, caps, Some(run))
}

pub use crate::blocking::{ask, call_blocking};
pub(crate) use crate::op::Finished;

/// A message in the making, in the scratch place or, while that is taken, in a run of its own.
pub(crate) struct Draft {
    thread: &'static Thread,
    offset: u32,
    run: Option<Run>,
}

impl Draft {
    /// Moves the first `len` bytes to `to`, which the caller owns.
    pub(crate) fn copy_to(self, to: u32, len: usize) {
        // SAFETY: the draft's place is ours and the target is the caller's; they are different runs.
        unsafe {
            arena::bytes_mut(self.thread, to, len).copy_from_slice(arena::bytes(
                self.thread,
                self.offset,
                len,
            ))
        };
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        match self.run.take() {
            None => self.thread.scratch.release(),
            Some(run) => self.thread.free_arena(run),
        }
    }
}

/// Lets `encode` write where there is room for the largest message, and says how long it became.
pub(crate) fn encode_somewhere(
    thread: &'static Thread,
    encode: Encoder<'_>,
) -> Result<(Draft, usize), CallError> {
    let draft = if thread.scratch.claim() {
        Draft { thread, offset: thread.scratch.request, run: None }
    } else {
        let run = thread.take_arena(MAX_MESSAGE as u32).ok_or(CallError::ArenaFull)?;
        Draft { thread, offset: run.offset(), run: Some(run) }
    };
    // SAFETY: the place is the draft's alone: scratch claimed or run taken.
    let len = encode(unsafe { arena::bytes_mut(thread, draft.offset, MAX_MESSAGE) })?;
    Ok((draft, len.min(MAX_MESSAGE)))
}
