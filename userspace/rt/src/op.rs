//! Operations in flight that somebody awaits.
//!
//! Each has a slot whose index travels as `user_data`. The kernel may write the operation's arena memory until the completion
//! is there, so dropping an [`Operation`] early cancels it and leaves its memory to the slot; what the completion still brings
//! (a capability, a received call) is given back then.

use crate::arena;
use crate::thread::{self, RESTING, Thread};
use alloc::vec::Vec;
use capos_abi::ring::sqe_flags;
use capos_abi::{CapId, Cqe, ExceptionCode, MAX_CAPS, Op, Sqe};
use capos_arena::Run;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

enum Slot {
    Free,
    Waiting(Option<Waker>),
    /// With its number among the completions of the thread.
    Done(Cqe, u64),
    /// Nobody waits any more; the run is freed and what came is given back when the completion is there.
    Orphan {
        run: Run,
        caps: u32,
        right: CapId,
    },
    /// Nobody waits any more, and it brings nothing.
    Forgotten,
}

/// The table of a thread.
pub(crate) struct Operations {
    slots: Vec<Slot>,
    free: Vec<u32>,
    in_flight: usize,
    /// How many have completed.
    completed: u64,
    /// The slot of the wait in which somebody wanted to sleep, if that was woken by something else.
    resting: Option<u32>,
}

impl Operations {
    pub(crate) const fn new() -> Self {
        Operations { slots: Vec::new(), free: Vec::new(), in_flight: 0, completed: 0, resting: None }
    }

    /// How many have not completed yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many have completed, and whether one may be submitted to be slept in.
    pub(crate) fn at_rest(&self) -> (u64, bool) {
        (self.completed, self.resting.is_none())
    }

    /// A slot for the operation that somebody slept in and that goes on.
    fn open_rested(&mut self) -> u32 {
        let index = self.open();
        self.resting = Some(index);
        index
    }

    fn open(&mut self) -> u32 {
        self.in_flight += 1;
        if let Some(index) = self.free.pop() {
            self.put(index, Slot::Waiting(None));
            return index;
        }
        self.slots.push(Slot::Waiting(None));
        // Room for every slot to be free at once: closing one must not allocate.
        self.free.reserve(self.slots.len());
        self.slots.len() as u32 - 1
    }

    fn close(&mut self, index: u32) {
        self.put(index, Slot::Free);
        self.free.push(index);
    }

    fn put(&mut self, index: u32, slot: Slot) -> Slot {
        match self.slots.get_mut(index as usize) {
            Some(place) => core::mem::replace(place, slot),
            None => Slot::Free,
        }
    }

    /// A completion has come. What it leaves to clean up, if its operation was abandoned, is for the caller: cleaning up may
    /// submit, which may complete other operations.
    pub(crate) fn complete(&mut self, cqe: Cqe) -> Option<Abandoned> {
        let index = match cqe.user_data {
            RESTING => self.resting.take()?,
            index => u32::try_from(index).ok()?,
        };
        self.in_flight = self.in_flight.saturating_sub(1);
        self.completed += 1;
        match self.put(index, Slot::Done(cqe, self.completed)) {
            Slot::Waiting(waker) => {
                if let Some(waker) = waker {
                    waker.wake();
                }
                None
            }
            Slot::Orphan { run, caps, right } => {
                self.close(index);
                Some(Abandoned { run, caps, right, cqe })
            }
            Slot::Forgotten => {
                self.close(index);
                None
            }
            was => {
                self.put(index, was);
                None
            }
        }
    }

    fn poll(&mut self, index: u32, cx: &Context<'_>) -> Poll<Cqe> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Done(cqe, _)) => Poll::Ready(*cqe),
            Some(Slot::Waiting(Some(waker))) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            Some(Slot::Waiting(waker)) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }
}

/// An operation that completed after its owner had dropped it.
pub(crate) struct Abandoned {
    run: Run,
    caps: u32,
    right: CapId,
    cqe: Cqe,
}

impl Abandoned {
    /// Gives everything back.
    pub(crate) fn clean_up(self, thread: &Thread) {
        give_back(thread, &self.cqe, self.caps, self.right);
        thread.free_arena(self.run);
    }
}

/// Gives back what a completion brought that nobody wants: capabilities, and a call that waits for an answer.
fn give_back(thread: &Thread, cqe: &Cqe, caps: u32, right: CapId) {
    if cqe.result < 0 {
        return;
    }
    for index in 0..usize::from(cqe.caps).min(MAX_CAPS) {
        // SAFETY: the orphan owned the run with this array, and its operation is complete.
        let id = unsafe { arena::take_cap(thread, caps, index) };
        if id != CapId::NULL {
            thread.release(id);
        }
    }
    if cqe.token != 0 {
        thread.submit_ignored(&Sqe {
            op: Op::Return as u8,
            flags: sqe_flags::EXCEPTION,
            method: ExceptionCode::Disconnected.code(),
            cap: cqe.token,
            interface: right.raw(),
            ..Sqe::default()
        });
    }
}

/// The arena memory of an operation that is complete.
pub(crate) struct Finished {
    pub(crate) run: Run,
    /// Offset of the capability array.
    pub(crate) caps: u32,
    /// Offset of the answer.
    pub(crate) reply: u32,
}

/// One submitted operation and the arena memory that it uses.
pub(crate) struct Operation {
    thread: &'static Thread,
    index: u32,
    /// Its `user_data`.
    name: u64,
    run: Option<Run>,
    caps: u32,
    reply: u32,
    /// Of a receive: its right.
    right: CapId,
}

impl Operation {
    /// Submits `sqe`, whose ranges all lie in `run`; the slot's index becomes its `user_data`.
    pub(crate) fn submit(thread: &'static Thread, sqe: &Sqe, run: Run) -> Operation {
        let operation = Operation::open(thread, sqe, run);
        let sqe = Sqe { user_data: u64::from(operation.index), ..*sqe };
        thread.submit(&match thread.deadline.get() {
            0 => sqe,
            at => Sqe { flags: sqe.flags | sqe_flags::DEADLINE, aux: at, ..sqe },
        });
        operation
    }

    /// Lets `receive` travel with the answer that was queued last, if there is one: see [`Thread::receive_with_answer`]. Else it is submitted.
    /// Whether there was one.
    pub(crate) fn receive(thread: &'static Thread, receive: &Sqe, run: Run) -> (Operation, bool) {
        if thread.deadline.get() != 0 {
            return (Operation::submit(thread, receive, run), false);
        }
        let operation = Operation::open(thread, receive, run);
        let receive = Sqe { user_data: u64::from(operation.index), ..*receive };
        let joined = thread.receive_with_answer(&receive);
        if !joined {
            thread.submit(&receive);
        }
        (operation, joined)
    }

    fn open(thread: &'static Thread, sqe: &Sqe, run: Run) -> Operation {
        let index = thread.operations.borrow_mut().open();
        Operation::of(thread, index, index.into(), sqe, run)
    }

    /// Of one that was submitted to be slept in, when something else was complete first. That is told to who waits for it.
    #[cold]
    #[inline(never)]
    pub(crate) fn rested(thread: &'static Thread, sqe: &Sqe, run: Run) -> Operation {
        let index = thread.operations.borrow_mut().open_rested();
        thread.drain();
        Operation::of(thread, index, RESTING, sqe, run)
    }

    fn of(thread: &'static Thread, index: u32, name: u64, sqe: &Sqe, run: Run) -> Operation {
        let right = CapId::from_raw(sqe.cap);
        Operation { thread, index, name, run: Some(run), caps: sqe.caps_off, reply: sqe.reply_off, right }
    }

    /// Waits for the completion and hands the memory over.
    pub(crate) async fn finish(mut self) -> (Cqe, Finished) {
        let cqe = poll_fn(|cx| self.poll(cx)).await;
        self.close(cqe)
    }

    /// The completion, if it has come.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Cqe> {
        self.thread.operations.borrow_mut().poll(self.index, cx)
    }

    /// How many of the thread's operations had completed with this one, if it has.
    pub(crate) fn completed_as(&self) -> Option<u64> {
        match self.thread.operations.borrow().slots.get(self.index as usize) {
            Some(Slot::Done(_, number)) => Some(*number),
            _ => None,
        }
    }

    /// Waits without an executor: other operations complete meanwhile, but no task runs.
    pub(crate) fn finish_blocking(mut self) -> (Cqe, Finished) {
        let cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(cqe) = self.poll(&cx) {
                return self.close(cqe);
            }
            self.thread.wait();
            self.thread.drain();
        }
    }

    /// Asks the kernel to end it. Its completion still comes, and may be another one than `canceled`.
    pub(crate) fn cancel(&self) {
        cancel(self.thread, self.name);
    }

    /// After a completion: frees the slot and hands the memory over.
    pub(crate) fn close(&mut self, cqe: Cqe) -> (Cqe, Finished) {
        self.thread.operations.borrow_mut().close(self.index);
        match self.run.take() {
            Some(run) => (cqe, Finished { run, caps: self.caps, reply: self.reply }),
            None => unreachable!("an operation is closed once"),
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        let mut operations = self.thread.operations.borrow_mut();
        match operations.put(self.index, Slot::Free) {
            Slot::Done(cqe, _) => {
                operations.close(self.index);
                drop(operations);
                give_back(self.thread, &cqe, self.caps, self.right);
                self.thread.free_arena(run);
            }
            _ => {
                operations.put(self.index, Slot::Orphan { run, caps: self.caps, right: self.right });
                drop(operations);
                cancel(thread::current(), self.name);
            }
        }
    }
}

/// A submitted operation that has no memory and brings nothing but its completion.
pub(crate) struct Plain {
    thread: &'static Thread,
    index: u32,
    /// Its `user_data`.
    name: u64,
    is_over: bool,
}

impl Plain {
    /// Submits it; the slot's index becomes its `user_data`.
    pub(crate) fn submit(thread: &'static Thread, sqe: &Sqe) -> Plain {
        let index = thread.operations.borrow_mut().open();
        thread.submit(&Sqe { user_data: u64::from(index), ..*sqe });
        Plain { thread, index, name: index.into(), is_over: false }
    }

    /// Submits it and sleeps until something is complete of what the thread has in flight. Gives the completion if it was this one, which then never
    /// had a slot; else it goes on, and what else is complete is told to who waits for it.
    #[inline]
    pub(crate) fn sleep(thread: &'static Thread, sqe: &Sqe) -> Result<Cqe, Plain> {
        if thread.operations.borrow().resting.is_some() {
            return Err(Plain::submit(thread, sqe));
        }
        thread.submit(&Sqe { user_data: RESTING, ..*sqe });
        thread.wait();
        let cqe = thread.ring.pop_if(|cqe| cqe.user_data == RESTING);
        cqe.ok_or_else(|| Plain::go_on(thread))
    }

    #[cold]
    #[inline(never)]
    fn go_on(thread: &'static Thread) -> Plain {
        let index = thread.operations.borrow_mut().open_rested();
        thread.drain();
        Plain { thread, index, name: RESTING, is_over: false }
    }

    /// The completion, if it has come; then it is not to be asked for again.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Cqe> {
        let mut operations = self.thread.operations.borrow_mut();
        let polled = operations.poll(self.index, cx);
        if polled.is_ready() {
            operations.close(self.index);
            self.is_over = true;
        }
        polled
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut operations = self.thread.operations.borrow_mut();
        if let Slot::Done(..) = operations.put(self.index, Slot::Forgotten) {
            return operations.close(self.index);
        }
        drop(operations);
        cancel(self.thread, self.name);
    }
}

/// Asks the kernel to end an operation; its completion comes in any case.
fn cancel(thread: &Thread, name: u64) {
    thread.submit_ignored(&Sqe { op: Op::Cancel as u8, aux: name, ..Sqe::default() });
}
