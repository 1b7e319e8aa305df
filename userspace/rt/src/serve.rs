//! Receiving calls and answering them.
//!
//! A service takes its receive right (granted as `serve`) into a [`Receiver`] and awaits [`Event`]s, handing each [`Request`]
//! to the generated `serve_x` of its interface, usually in a task of its own so that a slow answer holds nobody up. A server
//! that never waits uses [`run_blocking`] instead: no executor, no heap, and the answer travels with the next receive in one
//! `cap_enter`, which is the direct hand-off of the architecture's section 5.

use crate::arena;
use crate::blocking::wait_for;
use crate::cap::{Cap, Client};
use crate::generated::EndpointClient;
use crate::ipc::{CallError, Encoder, encode_somewhere, once};
use crate::op::Operation;
use crate::thread::{self, IGNORED, RECEIVE, RESTING, Thread};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use capos_abi::ring::{cqe_flags, sqe_flags};
use capos_abi::{CapId, Cqe, ExceptionCode, MAX_CAPS, MAX_MESSAGE, Op, Sqe, TransferSlot, TransportError};
use capos_arena::Run;
use capos_schema::EncodeError;
use core::cell::Cell;
use core::future::poll_fn;
use core::mem::ManuallyDrop;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

pub use crate::exception::Exception;

/// A receive buffer: the largest message, and behind it the largest capability array.
const BUFFER: u32 = (MAX_MESSAGE + 8 * MAX_CAPS) as u32;

/// Who calls, and by which endpoint.
#[derive(Clone, Copy, Debug)]
pub struct CallContext {
    badge: u64,
    right: CapId,
}

impl CallContext {
    /// The badge that was given to the facet that was called.
    pub fn badge(&self) -> u64 {
        self.badge
    }

    /// A facet of the endpoint that was called, for another thing that the same server serves: calls through it have this badge.
    pub fn mint<C: Client>(&self, badge: u64) -> Result<C, CallError> {
        // The right is the receiver's, and stays that.
        let right = ManuallyDrop::new(EndpointClient::from(Cap::from_id(self.right)));
        right.mint_blocking(badge, C::ID).map(C::from)
    }
}

/// What a receive brought.
pub enum Event {
    /// A call to answer.
    Call(Request),
    /// The last client capability with this badge is gone.
    Unreferenced(u64),
}

/// Where a request's bytes lie.
enum Body {
    /// In the receive buffer itself, which the request owns.
    Arena(Run),
    /// Copied out, so that a request that waits long holds no arena memory. Boxed, so that one that does not is small.
    Heap(Box<Kept>),
    /// Nowhere any more.
    Gone,
}

/// A request that was copied out.
struct Kept {
    bytes: Vec<u8>,
    caps: Vec<Cell<CapId>>,
}

/// One received call. Answer it with [`Request::reply`] or [`Request::fail`]; dropped unanswered, it fails.
pub struct Request {
    thread: &'static Thread,
    body: Body,
    len: u32,
    caps: u8,
    method: u16,
    badge: u64,
    /// The receive right through which it came.
    right: CapId,
    token: u64,
}

impl Request {
    #[inline(always)]
    fn in_arena(thread: &'static Thread, right: CapId, cqe: &Cqe, run: Run) -> Request {
        Request {
            thread,
            right,
            body: Body::Arena(run),
            len: (cqe.result.max(0) as u32).min(MAX_MESSAGE as u32),
            caps: cqe.caps.min(MAX_CAPS as u8),
            method: cqe.method,
            badge: cqe.badge,
            token: cqe.token,
        }
    }

    /// Moves bytes and capabilities to the heap and frees the receive buffer, of which there are few: for what is not answered soon.
    pub fn kept(mut self) -> Request {
        let bytes = Vec::from(self.bytes());
        let caps = (0..usize::from(self.caps)).map(|n| Cell::new(self.take_raw(n))).collect();
        let kept = Body::Heap(Box::new(Kept { bytes, caps }));
        if let Body::Arena(run) = core::mem::replace(&mut self.body, kept) {
            self.thread.free_arena(run);
        }
        self
    }

    /// Method ordinal.
    #[inline]
    pub fn method(&self) -> u16 {
        self.method
    }

    /// The parameters.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            // SAFETY: the receive is complete and the run is this request's.
            Body::Arena(run) => unsafe { arena::bytes(self.thread, run.offset(), self.len as usize) },
            Body::Heap(kept) => &kept.bytes,
            Body::Gone => &[],
        }
    }

    /// Who calls.
    #[inline]
    pub fn context(&self) -> CallContext {
        CallContext { badge: self.badge, right: self.right }
    }

    /// The `n`th capability that came along; once.
    pub fn take_cap(&self, n: usize) -> Result<Cap, Exception> {
        match self.take_raw(n) {
            CapId::NULL => Err(Exception::from(ExceptionCode::InvalidArgument)),
            id => Ok(Cap::from_id(id)),
        }
    }

    fn take_raw(&self, n: usize) -> CapId {
        match &self.body {
            Body::Arena(run) if n < usize::from(self.caps) => {
                // SAFETY: the array lies behind the message in this request's run, and the kernel wrote word `n`.
                unsafe { arena::take_cap(self.thread, run.offset() + MAX_MESSAGE as u32, n) }
            }
            Body::Heap(kept) => kept.caps.get(n).map_or(CapId::NULL, |cap| cap.replace(CapId::NULL)),
            Body::Arena(_) | Body::Gone => CapId::NULL,
        }
    }

    /// Answers. The answer goes out with the next `cap_enter`.
    #[inline]
    pub fn reply<E>(mut self, encode: E, send: &[TransferSlot])
    where
        E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
    {
        self.release_caps();
        let send = send.get(..MAX_CAPS).unwrap_or(send);
        let sent = match core::mem::replace(&mut self.body, Body::Gone) {
            Body::Arena(run) => self.reply_in_place(run, encode, send),
            kept => {
                drop(kept);
                self.reply_anew(&mut once(encode), send)
            }
        };
        if sent.is_err() {
            self.queue_exception(&Exception::from(ExceptionCode::Failed));
        }
        // It is answered and holds nothing any more: there is nothing to drop.
        core::mem::forget(self);
    }

    /// Encodes over the request, whose bytes nobody needs any more.
    #[inline]
    fn reply_in_place<E>(&self, run: Run, encode: E, send: &[TransferSlot]) -> Result<(), CallError>
    where
        E: FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
    {
        // SAFETY: the run was this request's alone and its receive is complete.
        let encoded = encode(unsafe { arena::bytes_mut(self.thread, run.offset(), MAX_MESSAGE) });
        if let Ok(len) = encoded {
            // SAFETY: the array behind the message in the same run, of MAX_CAPS words.
            unsafe { arena::put_caps(self.thread, run.offset() + MAX_MESSAGE as u32, send) };
            self.queue(run.offset(), len, run.offset() + MAX_MESSAGE as u32, send.len());
        }
        self.thread.keep_receive_buffer(run);
        encoded.map(|_| ()).map_err(CallError::from)
    }

    /// Encodes into a run of the right size.
    fn reply_anew(&self, encode: Encoder<'_>, send: &[TransferSlot]) -> Result<(), CallError> {
        let (draft, len) = encode_somewhere(self.thread, encode)?;
        let caps_at = len.next_multiple_of(8) as u32;
        let run = self.thread.take_arena(caps_at + 8 * send.len() as u32).ok_or(CallError::ArenaFull)?;
        draft.copy_to(run.offset(), len);
        // SAFETY: inside the run just taken.
        unsafe { arena::put_caps(self.thread, run.offset() + caps_at, send) };
        self.queue(run.offset(), len, run.offset() + caps_at, send.len());
        self.thread.free_arena_later(run);
        Ok(())
    }

    /// Refuses.
    pub fn fail(mut self, exception: Exception) {
        self.release_caps();
        self.queue_exception(&exception);
        self.token = 0;
    }

    fn queue_exception(&self, exception: &Exception) {
        let text = exception.text().as_bytes();
        let text = text.get(..text.len().min(Exception::MAX_TEXT)).unwrap_or(&[]);
        let place = if text.is_empty() { None } else { self.thread.take_arena(text.len() as u32) };
        let (offset, len) = match &place {
            Some(run) => {
                // SAFETY: inside the run just taken.
                unsafe { arena::bytes_mut(self.thread, run.offset(), text.len()).copy_from_slice(text) };
                (run.offset(), text.len())
            }
            None => (0, 0),
        };
        self.thread.submit_ignored(&Sqe {
            op: Op::Return as u8,
            flags: sqe_flags::EXCEPTION,
            method: exception.code().code(),
            cap: self.token,
            interface: self.right.raw(),
            msg_off: offset,
            msg_len: len as u32,
            ..Sqe::default()
        });
        if let Some(run) = place {
            self.thread.free_arena_later(run);
        }
    }

    #[inline]
    fn queue(&self, msg_off: u32, msg_len: usize, caps_off: u32, caps: usize) {
        self.thread.submit_ignored(&Sqe {
            op: Op::Return as u8,
            caps_send: caps as u8,
            cap: self.token,
            interface: self.right.raw(),
            msg_off,
            msg_len: msg_len as u32,
            caps_off: if caps == 0 { 0 } else { caps_off },
            ..Sqe::default()
        });
    }

    /// Gives up the capabilities that the server did not take.
    #[inline]
    fn release_caps(&mut self) {
        for n in 0..usize::from(self.caps) {
            let id = self.take_raw(n);
            if id != CapId::NULL {
                self.thread.release(id);
            }
        }
        self.caps = 0;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.token != 0 {
            self.release_caps();
            self.queue_exception(&Exception::from(ExceptionCode::Failed));
        }
        if let Body::Arena(run) = core::mem::replace(&mut self.body, Body::Gone) {
            self.thread.keep_receive_buffer(run);
        }
    }
}

fn receive_sqe(endpoint: &Cap, run: &Run) -> Sqe {
    Sqe {
        op: Op::Recv as u8,
        caps_recv: MAX_CAPS as u8,
        user_data: RECEIVE,
        cap: endpoint.id().raw(),
        msg_off: run.offset(),
        msg_len: MAX_MESSAGE as u32,
        caps_off: run.offset() + MAX_MESSAGE as u32,
        ..Sqe::default()
    }
}

/// What a completed receive means.
#[inline]
fn event(thread: &'static Thread, right: CapId, cqe: &Cqe, run: Run) -> Result<Event, CallError> {
    if cqe.result < 0 {
        thread.keep_receive_buffer(run);
        return Err(CallError::Transport(
            TransportError::from_code(cqe.result).unwrap_or(TransportError::UnknownOp),
        ));
    }
    if cqe.flags & cqe_flags::UNREFERENCED != 0 {
        thread.keep_receive_buffer(run);
        return Ok(Event::Unreferenced(cqe.badge));
    }
    Ok(Event::Call(Request::in_arena(thread, right, cqe, run)))
}

/// Serves an endpoint on this thread without executor and without heap, until receiving fails; gives the reason.
///
/// A request that `handle` answers at once costs one `cap_enter` per turn; one that it keeps just costs a buffer.
pub fn run_blocking(endpoint: &Cap, mut handle: impl FnMut(Event)) -> CallError {
    let thread = thread::current();
    loop {
        let Some(run) = thread.receive_buffer(BUFFER) else { return CallError::ArenaFull };
        let receive = receive_sqe(endpoint, &run);
        let with_answer = thread.receive_with_answer(&receive);
        if !with_answer {
            thread.submit(&receive);
        }
        let cqe = wait_for(thread, RECEIVE);
        if with_answer && cqe.result < 0 {
            // Whose answer it was does not wait for it any more, say. What concerns the receive comes again without one.
            thread.keep_receive_buffer(run);
            continue;
        }
        match event(thread, endpoint.id(), &cqe, run) {
            Ok(event) => handle(event),
            Err(error) => return error,
        }
    }
}

/// Runs a future that never really waits, such as a generated `serve_x` of a server whose methods only compute. What still
/// waits is dropped: a request in it fails.
#[inline]
pub fn now(future: impl Future<Output = ()>) {
    let future = pin!(future);
    let _ = future.poll(&mut Context::from_waker(Waker::noop()));
}

/// Receives on an endpoint as futures, with several receives outstanding.
pub struct Receiver {
    endpoint: Cap,
    pending: VecDeque<Receive>,
    depth: usize,
    stopped: bool,
    /// How many operations of the thread were complete when none of these was.
    looked_at: u64,
}

/// A receive that was begun.
struct Receive {
    operation: Operation,
    /// It travels with an answer.
    answers: bool,
}

impl Receiver {
    /// Receives on `endpoint`, `depth` receives at a time (each takes 4 KiB of the arena). Two or three do.
    pub fn new(endpoint: Cap, depth: usize) -> Receiver {
        Receiver {
            endpoint,
            pending: VecDeque::with_capacity(depth),
            depth: depth.max(1),
            stopped: false,
            looked_at: u64::MAX,
        }
    }

    /// The receive right.
    pub fn endpoint(&self) -> &Cap {
        &self.endpoint
    }

    /// Asks for no more calls, and takes back what was asked. [`Receiver::next`] gives those that had come by then, and at last fails with
    /// `canceled`: not one is lost between this server and the next.
    pub fn stop(&mut self) {
        if !core::mem::replace(&mut self.stopped, true) {
            self.pending.iter().for_each(|receive| receive.operation.cancel());
        }
    }

    /// The next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Event, CallError> {
        match self.next_in_place().await {
            Ok(Event::Call(request)) => Ok(Event::Call(request.kept())),
            other => other,
        }
    }

    /// The same, with the call where it came: whoever does not answer it soon [keeps](Request::kept) it elsewhere.
    pub async fn next_in_place(&mut self) -> Result<Event, CallError> {
        let thread = thread::current();
        loop {
            self.begin(thread);
            if self.pending.is_empty() {
                let stopped = CallError::Transport(TransportError::Canceled);
                return Err(if self.stopped { stopped } else { CallError::ArenaFull });
            }
            let (cqe, run, answers) = poll_fn(|cx| self.poll_first(cx)).await;
            if let Some(event) = self.arrived(thread, &cqe, run, answers) {
                return event;
            }
        }
    }

    /// What a completed receive brought, which traveled with an answer or not; nothing if it has to be begun again.
    #[inline]
    fn arrived(
        &self,
        thread: &'static Thread,
        cqe: &Cqe,
        run: Run,
        answers: bool,
    ) -> Option<Result<Event, CallError>> {
        let taken_back = cqe.result == TransportError::Canceled.code() && self.stopped;
        // Whose answer it was does not wait for it any more, say. What concerns the receive comes again without one.
        if cqe.result < 0 && answers || taken_back && !self.pending.is_empty() {
            thread.keep_receive_buffer(run);
            return None;
        }
        Some(event(thread, self.endpoint.id(), cqe, run))
    }

    /// Sleeps for the next event, the last thing that a task does when it has nothing to do: if nobody else of this thread has anything to do either,
    /// and nothing came that was not looked at. That spares the way back to the executor and here again, and a place among the operations that somebody
    /// awaits. Nothing if there is something else to do first: that is for [`Receiver::next_in_place`].
    #[inline]
    pub fn rest(&mut self) -> Option<Result<Event, CallError>> {
        let thread = thread::current();
        if self.stopped
            || self.pending.len() >= self.depth
            || thread.tasks.anything_ready()
            || !self.is_quiet(thread)
        {
            return None;
        }
        let run = thread.receive_buffer(BUFFER)?;
        let receive = Sqe { user_data: RESTING, ..receive_sqe(&self.endpoint, &run) };
        let answers = thread.receive_with_answer(&receive);
        if !answers {
            thread.submit(&receive);
        }
        thread.wait();
        let is_whose = |user_data| move |cqe: &Cqe| cqe.user_data == user_data;
        loop {
            if let Some(cqe) = thread.ring.pop_if(is_whose(RESTING)) {
                return self.arrived(thread, &cqe, run, answers);
            }
            if thread.ring.pop_if(is_whose(IGNORED)).is_none() {
                break;
            }
        }
        let operation = Operation::rested(thread, &receive, run);
        self.pending.push_back(Receive { operation, answers });
        None
    }

    /// Whether no receive is complete, and one that sleeps can be begun.
    #[inline]
    fn is_quiet(&mut self, thread: &Thread) -> bool {
        let (completed, can_rest) = thread.operations.borrow().at_rest();
        if !can_rest || thread.deadline.get() != 0 {
            return false;
        }
        if completed != self.looked_at && self.first().is_none() {
            self.looked_at = completed;
        }
        completed == self.looked_at
    }

    /// Has as many receives outstanding as there are to be.
    fn begin(&mut self, thread: &'static Thread) {
        while !self.stopped && self.pending.len() < self.depth {
            let Some(run) = thread.receive_buffer(BUFFER) else { return };
            let sqe = receive_sqe(&self.endpoint, &run);
            let (operation, answers) = Operation::receive(thread, &sqe, run);
            self.pending.push_back(Receive { operation, answers });
        }
    }

    /// The receive that completed first.
    fn first(&self) -> Option<usize> {
        let completed =
            |(index, receive): (usize, &Receive)| Some((receive.operation.completed_as()?, index));
        self.pending.iter().enumerate().filter_map(completed).min().map(|(_, index)| index)
    }

    /// Takes the receive that completed first: which is not the one that began first, as the last one has the next call. What a client did
    /// before it went is seen before that it went.
    fn poll_first(&mut self, cx: &Context<'_>) -> Poll<(Cqe, Run, bool)> {
        let Some(index) = self.first() else {
            for receive in &self.pending {
                let _ = receive.operation.poll(cx);
            }
            return Poll::Pending;
        };
        let Some(Receive { mut operation, answers }) = self.pending.remove(index) else {
            return Poll::Pending;
        };
        let Poll::Ready(cqe) = operation.poll(cx) else { return Poll::Pending };
        let (cqe, finished) = operation.close(cqe);
        Poll::Ready((cqe, finished.run, answers))
    }
}
