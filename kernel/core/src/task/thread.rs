//! A thread: saved registers, a ring block, pending operations. It has no kernel stack; the kernel runs to completion.

use crate::audit::census::{Counted, Kind};
use crate::cap::long::Job;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::ops::{At, Buffers, OpId, Ops, Pending, Ticket, Waiting};
use crate::ipc::park::Parking;
use crate::task::attention;
use crate::task::process::Process;
use crate::task::schedule;
use crate::task::share::Share;
use crate::task::stop::Stop;
use crate::task::timers::{self, Alarm};
use crate::task::trace;
use capos_abi::ring::cqe_flags;
use capos_abi::{Cqe, ExceptionCode, RingShape, TransportError};
use capos_ring::RingFault;
use capos_sched::{Handle, Loans, Priority, Rank};
use capos_schema::Encode;
use capos_schema::notification::WaitResults;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use kernel_hal::cpu as machine;
use kernel_hal::order::LockRank;
use kernel_hal::ring::RingBlock;
use kernel_hal::sync::{Lock, Ref};
use kernel_hal::user::UserContext;

/// Whether a thread runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Run {
    /// On that CPU.
    Running(usize),
    /// In a run queue, or on the way into or out of one.
    Ready,
    /// In `cap_enter`, waiting for completions.
    Blocked,
    /// The same, without an end, for the next operation that is done. How many completions it will have then is known: that answer is set
    /// already.
    Resting,
    /// On the way into or out of a queue, and to be stopped for a debugger when it gets there.
    Stopping,
    /// For a debugger: see [`State::stop`].
    Stopped,
    /// Never again.
    Dead,
}

/// Where a ready thread waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the run queue of that CPU.
    Queue(usize, Handle),
    /// Among those of that CPU that have no time left.
    Aside(usize, Handle),
}

/// The part of a thread that others change: run state, pending operations, completion queue, under one lock.
pub(crate) struct State {
    pub run: Run,
    /// Where it waits to run.
    pub queued: Option<Place>,
    /// Completions that wake it while it is [`Run::Blocked`], else 0.
    pub(super) wanted: u32,
    /// The timeout of its wait.
    pub(super) alarm: Option<Alarm>,
    /// Tells one wait from the next, so that a late alarm finds nothing.
    pub(super) epoch: u64,
    pub ops: Ops,
    loans: Loans,
    pub parking: Parking,
    /// What a debugger has to know of it.
    pub(super) stop: Stop,
}

impl State {
    /// Somebody whom `thread` works for lends it a priority.
    #[cold]
    pub fn lend(&mut self, thread: &Thread, priority: Priority) {
        self.loans.take(priority);
        self.reconsider(thread);
    }

    /// A loan of `thread` is over.
    #[cold]
    pub fn give_back(&mut self, thread: &Thread, priority: Priority) {
        self.loans.give_back(priority);
        self.reconsider(thread);
    }

    fn reconsider(&mut self, thread: &Thread) {
        let effective = self.loans.highest().map_or(thread.base, |loan| loan.max(thread.base));
        if effective == thread.priority() {
            return;
        }
        let rank = Rank::new(effective, thread.share.is_some());
        thread.rank.store(rank.number(), Ordering::Relaxed);
        if let Some(place) = self.queued {
            self.queued = schedule::requeue(place, rank);
        } else if let Run::Running(cpu) = self.run {
            // Somebody may wait there who outranks it now.
            schedule::look_again(cpu);
        }
    }

    /// Whether it waits for completions.
    pub fn is_waiting(&self) -> bool {
        self.wanted > 0
    }

    /// What a pending operation asked for; `None` when the thread is dead.
    #[inline]
    pub fn receives(&self, id: OpId) -> Option<&Buffers> {
        if self.run == Run::Dead { None } else { self.ops.buffers(id) }
    }

    /// Ends a pending operation of `thread`. True when that was what it waited for: then it is to be made ready.
    #[inline]
    pub fn complete(&mut self, thread: &Thread, id: OpId, cqe: &Cqe) -> bool {
        self.ops.end(id);
        self.post(thread, cqe)
    }

    /// Whether the thread sleeps without an end until one more operation is done.
    #[inline(always)]
    pub fn rests(&self) -> bool {
        self.run == Run::Resting
    }

    /// Where the operation goes that the running `thread` has submitted and is about to [rest](State::rest) for. `None` when it can not: if
    /// others are pending the program must have seen all that are complete.
    #[inline(always)]
    pub fn place_to_rest(&self, thread: &Thread) -> Option<OpId> {
        if thread.pending() == 1 { Some(OpId::SOLE) } else { self.place_beside(thread) }
    }

    #[inline(never)]
    fn place_beside(&self, thread: &Thread) -> Option<OpId> {
        let room = thread.pending() <= thread.shape.sq_entries;
        let seen = thread.has_completed_all(thread.ring.cq_head());
        if room && seen { self.ops.vacant() } else { None }
    }

    /// Begins operation `id` of the running `thread`, and puts it to rest until it has `min` completions, which will be with that one, or with
    /// another one that is pending.
    #[inline(always)]
    pub fn rest(&mut self, thread: &Thread, id: OpId, buffers: Buffers, at: At, min: u64) {
        self.ops.begin_at(id, buffers, at);
        self.run = Run::Resting;
        thread.context.set_return(min);
    }

    /// Ends operation `id` of `thread`, which [rests](State::rests): from now on it runs on this CPU. Gives where its ticket lay.
    #[inline(always)]
    pub fn resume_with(&mut self, thread: &Thread, id: OpId, cqe: &Cqe) -> At {
        let cpu = machine::id();
        thread.append(self, cqe);
        // There is no alarm that could go off late, so this wait needs not be told from the next.
        self.run = Run::Running(cpu);
        thread.home.store(cpu as u32, Ordering::Relaxed);
        self.ops.end_at(id)
    }

    #[inline]
    fn post(&mut self, thread: &Thread, cqe: &Cqe) -> bool {
        if self.run == Run::Dead {
            return false;
        }
        thread.append(self, cqe);
        self.wake_if_served(thread)
    }

    /// There are completions that `thread` has not been woken for. True when it waited for them: then it is to be made ready.
    #[inline]
    pub fn wake_if_served(&mut self, thread: &Thread) -> bool {
        if self.run == Run::Resting {
            // What it was promised: this completion, and no alarm.
            self.run = Run::Ready;
            return true;
        }
        if self.wanted == 0 {
            return false;
        }
        // A corrupt head counts as served: the thread finds out at its next submission.
        let waiting = thread.waiting().unwrap_or(u32::MAX);
        let served = waiting >= self.wanted;
        if served {
            if let Some(alarm) = self.end_wait() {
                timers::disarm(alarm);
                trace::woken(thread, waiting);
            }
            thread.context.set_return(u64::from(waiting));
        }
        served
    }

    #[inline]
    pub(super) fn end_wait(&mut self) -> Option<Alarm> {
        self.run = Run::Ready;
        self.epoch += 1;
        self.wanted = 0;
        self.alarm.take()
    }
}

/// One thread of one process.
pub(crate) struct Thread {
    pub id: u64,
    pub process: Ref<Process>,
    pub context: Ref<UserContext>,
    pub ring: RingBlock,
    pub ring_address: u64,
    pub shape: RingShape,
    /// The priority that it was made with.
    base: Priority,
    /// What it runs at: the highest of that and of its loans, before others if time was promised. Changes under the lock of `state`.
    rank: AtomicU8,
    /// What its time is taken from, if that is limited.
    pub share: Option<Ref<Share>>,
    /// Where it ran last.
    pub home: AtomicU32,
    /// The capability whose descendants it is revoking; the null id while it is not.
    pub revoking: AtomicU64,
    /// The capability through which it has just begun to wait for a kernel object; the null id when it was not that.
    pub deferred: AtomicU64,
    /// [`attention`] bits: why it must not return to user mode, or not yet.
    pub(super) attention: AtomicU8,
    pub state: Lock<State>,
    /// Whether there is a [`Thread::job`].
    pub busy: AtomicBool,
    /// The call that it is working on, step by step.
    pub job: Lock<Option<Job>>,
    /// Our own count of submissions taken. Each gives one completion, so this is also how many completions there will have been
    /// when all pending operations are done.
    pub sq_head: AtomicU32,
    /// Our own count of completions written; the user's copy is never read back. Changes under the lock of `state`, or while no operation is
    /// pending.
    cq_tail: AtomicU32,
    /// Completions that its trace tells of, while it is traced.
    pub traced: AtomicU32,
    _counted: Counted,
}

/// What a new thread consists of.
pub(crate) struct Parts {
    pub id: u64,
    pub process: Ref<Process>,
    pub context: Ref<UserContext>,
    pub ring: RingBlock,
    pub ring_address: u64,
    pub shape: RingShape,
    pub priority: Priority,
    pub share: Option<Ref<Share>>,
    pub ops: Ops,
}

impl Thread {
    /// A thread that is not in any queue yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { id, process, context, ring, ring_address, shape, priority, share, ops } = parts;
        Thread {
            id,
            process,
            context,
            ring,
            ring_address,
            shape,
            base: priority,
            rank: AtomicU8::new(Rank::new(priority, share.is_some()).number()),
            share,
            home: AtomicU32::new(0),
            revoking: AtomicU64::new(0),
            deferred: AtomicU64::new(0),
            attention: AtomicU8::new(0),
            state: Lock::new(
                LockRank::Thread,
                State {
                    run: Run::Ready,
                    queued: None,
                    wanted: 0,
                    alarm: None,
                    epoch: 0,
                    ops,
                    loans: Loans::none(),
                    parking: Parking::new(),
                    stop: Stop::NONE,
                },
            ),
            busy: AtomicBool::new(false),
            job: Lock::new(LockRank::Own, None),
            traced: AtomicU32::new(0),
            sq_head: AtomicU32::new(0),
            cq_tail: AtomicU32::new(0),
            _counted: Counted::new(Kind::Thread),
        }
    }

    /// What it runs at.
    #[inline]
    pub fn priority(&self) -> Priority {
        self.rank().priority()
    }

    /// Its place among the ready.
    #[inline]
    pub fn rank(&self) -> Rank {
        Rank::from_number(self.rank.load(Ordering::Relaxed))
    }

    /// What it was made with.
    pub fn own_priority(&self) -> Priority {
        self.base
    }

    /// Whether it runs at more than that.
    pub fn is_raised(&self) -> bool {
        self.priority() != self.base
    }

    /// Whether it runs before another.
    #[inline(always)]
    pub fn is_above(&self, other: &Thread) -> bool {
        self.rank.load(Ordering::Relaxed) > other.rank.load(Ordering::Relaxed)
    }

    /// The first endpoint where it has called and not been answered.
    pub fn calls_at(&self) -> Option<Ref<Endpoint>> {
        self.state.lock().ops.called()
    }

    /// Marks the ring as corrupt for its owner to see.
    #[cold]
    pub fn corrupt(&self, fault: RingFault) -> TransportError {
        self.ring.set_fault(fault.code());
        TransportError::CorruptRing
    }

    /// Tells the program that what was taken of its submissions is its own again.
    #[inline(always)]
    pub fn publish_taken(&self) {
        self.ring.publish_sq_head(self.sq_head.load(Ordering::Relaxed));
    }

    /// Completes an operation of the running thread itself at once; it is awake, so nobody needs waking.
    #[inline]
    pub fn post_own(&self, cqe: &Cqe) {
        let state = self.state.lock();
        self.append(&state, cqe);
    }

    /// The same for the operation before number `tail` when all others are complete. Nobody else can have anything to complete then, so
    /// there is nobody to lock out.
    #[inline]
    pub fn post_alone(&self, tail: u32, cqe: &Cqe) {
        self.ring.write_cqe(tail.wrapping_sub(1), cqe);
        self.cq_tail.store(tail, Ordering::Relaxed);
        self.ring.publish_cq_tail(tail);
    }

    /// The submission taken last is to be taken again.
    #[cold]
    pub fn put_back(&self) {
        let head = self.sq_head.load(Ordering::Relaxed).wrapping_sub(1);
        self.sq_head.store(head, Ordering::Relaxed);
        self.ring.publish_sq_head(head);
    }

    /// Opens an operation whose ticket is about to be put where `waiting` says.
    #[inline(always)]
    pub fn begin(&self, buffers: Buffers, waiting: Waiting) -> Result<OpId, TransportError> {
        let mut state = self.state.lock();
        // The one that is beginning is counted as submitted. As many as the submission queue holds were paid for, with deadlines or without.
        let pending = self.pending();
        if pending > self.shape.sq_entries {
            return Err(TransportError::TooManyInFlight);
        }
        if state.ops.timed.is_expected() {
            return state.ops.timed.begin(Pending { buffers, waiting });
        }
        state.ops.begin(buffers, waiting, pending == 1)
    }

    /// The last submission before `end` that may be taken if each begins an operation, when all before `head` were taken.
    #[inline]
    pub fn most_begun(&self, _locked: &State, head: u32, end: u32) -> u32 {
        let pending = head.wrapping_sub(self.cq_tail.load(Ordering::Relaxed));
        let room = self.shape.sq_entries.saturating_sub(pending);
        head.wrapping_add(end.wrapping_sub(head).min(room))
    }

    /// Ends an operation without a completion: it could not begin after all.
    #[cold]
    pub fn end(&self, id: OpId) {
        let ended = self.state.lock().ops.end(id);
        drop(ended);
    }

    /// Takes and completes a run of NOPs from submission `head` on, under one lock; see [`capos_ring::KernelRing::take_nops`].
    #[inline]
    pub fn take_nops(&self, head: u32, limit: u32) -> u32 {
        let state = self.state.lock();
        let tail = self.cq_tail.load(Ordering::Relaxed);
        let taken = self.ring.take_nops(head, tail, limit);
        self.advance(&state, tail.wrapping_add(taken));
        taken
    }

    #[inline]
    pub fn append(&self, locked: &State, cqe: &Cqe) {
        let tail = self.cq_tail.load(Ordering::Relaxed);
        self.ring.write_cqe(tail, cqe);
        self.advance(locked, tail.wrapping_add(1));
    }

    /// Writes the completion behind `ahead` others that nobody was told of yet: see [`Thread::tell_of`].
    #[inline(always)]
    pub fn append_ahead(&self, _locked: &State, ahead: u32, cqe: &Cqe) {
        self.ring.write_cqe(self.cq_tail.load(Ordering::Relaxed).wrapping_add(ahead), cqe);
    }

    /// Tells the program of as many completions more.
    #[inline]
    pub fn tell_of(&self, locked: &State, written: u32) {
        self.advance(locked, self.cq_tail.load(Ordering::Relaxed).wrapping_add(written));
    }

    #[inline]
    fn advance(&self, _locked: &State, tail: u32) {
        self.cq_tail.store(tail, Ordering::Relaxed);
        self.ring.publish_cq_tail(tail);
    }

    /// How many submissions have no completion yet.
    pub fn pending(&self) -> u32 {
        self.sq_head.load(Ordering::Relaxed).wrapping_sub(self.cq_tail.load(Ordering::Relaxed))
    }

    /// Whether every one of the first `submitted` submissions has its completion.
    #[inline]
    pub fn has_completed_all(&self, submitted: u32) -> bool {
        self.cq_tail.load(Ordering::Relaxed) == submitted
    }

    /// Completions that the program has not taken yet.
    #[inline]
    pub(super) fn waiting(&self) -> Result<u32, RingFault> {
        self.waiting_from(self.ring.cq_head())
    }

    /// Has the system call that just ended answer how many that are.
    #[inline]
    pub fn tell_waiting(&self, _locked: &State) {
        self.context.set_return(u64::from(self.waiting().unwrap_or(u32::MAX)));
    }

    /// The same when the program has taken all below `taken`.
    #[inline]
    pub fn waiting_from(&self, taken: u32) -> Result<u32, RingFault> {
        self.ring.cq_between(taken, self.cq_tail.load(Ordering::Relaxed))
    }

    /// Marks the thread dead. `Err(cpu)` when it is running there and has to be stopped first; `Ok(false)` when it was dead before.
    pub fn die(&self, here: Option<usize>) -> Result<bool, usize> {
        let mut state = self.state.lock();
        self.attention.fetch_or(attention::DOOMED, Ordering::Release);
        match state.run {
            Run::Dead => return Ok(false),
            Run::Running(cpu) if here != Some(cpu) => return Err(cpu),
            _ => {}
        }
        let alarm = state.end_wait();
        state.run = Run::Dead;
        let queued = state.queued.take();
        drop(state);
        if let Some(alarm) = alarm {
            timers::disarm(alarm);
        }
        if let Some(place) = queued {
            schedule::remove(place);
        }
        Ok(true)
    }

    /// Whether it has begun to revoke what derives from that capability, and has not done so yet.
    pub fn is_revoking(&self, cap: u64) -> bool {
        self.revoking.load(Ordering::Relaxed) == cap
    }

    /// How many completions were written.
    pub fn completed(&self) -> u32 {
        self.cq_tail.load(Ordering::Relaxed)
    }

    /// Whether it has ended and still has something: see task/reap.rs.
    pub fn is_corpse(&self) -> bool {
        self.is_doomed() && self.is_dead()
    }

    /// Whether it has ended.
    pub fn is_dead(&self) -> bool {
        self.state.lock().run == Run::Dead
    }
}

impl Ticket {
    /// Completes the operation with what `make` makes of it. False when the thread is dead and nobody hears of it.
    #[inline]
    fn complete(self, make: impl FnOnce(&Thread, &Buffers) -> Cqe) -> bool {
        self.complete_pending(|thread, pending| make(thread, &pending.buffers))
    }

    #[inline]
    fn complete_pending(self, make: impl FnOnce(&Thread, &Pending) -> Cqe) -> bool {
        let Ticket { thread, id } = self;
        let mut state = thread.state.lock();
        let alive = state.run != Run::Dead;
        let Some(&buffers) = state.ops.buffers(id) else { return alive };
        let Some(waiting) = state.ops.end(id) else { return alive };
        let pending = Pending { buffers, waiting };
        let woken = state.post(&thread, &make(&thread, &pending));
        drop(state);
        drop(pending);
        if woken {
            schedule::make_ready(thread);
        }
        alive
    }

    /// Ends the operation with a transport error.
    pub fn fail(self, error: TransportError) {
        self.complete(|_, buffers| failed(buffers.user_data, error));
    }

    /// Ends a call with an exception.
    pub fn except(self, code: ExceptionCode) {
        self.complete(|_, buffers| exception(buffers.user_data, code));
    }

    /// Ends a call of a kernel object with `message`. False when the thread is dead and nobody hears of it.
    pub fn answer(self, message: &[u8]) -> bool {
        self.complete(|thread, buffers| answered(thread, buffers, message))
    }

    /// Ends a call of a kernel object with a small message. False when the thread is dead and nobody hears of it.
    pub fn reply(self, message: &impl Encode) -> bool {
        let mut buffer = [0; 64];
        match message.encode(&mut buffer) {
            Ok(len) => self.answer(buffer.get(..len).unwrap_or_default()),
            Err(_) => {
                self.except(ExceptionCode::Failed);
                true
            }
        }
    }

    /// Ends a wait for bits of a notification with them. False when the thread is dead and nobody hears of it.
    #[inline]
    pub fn give_bits(self, bits: u64) -> bool {
        let Ticket { thread, id } = self;
        let mut state = thread.state.lock();
        // Nearly all that wait rest in a `WAIT`.
        if state.rests()
            && let Some(user_data) = state.ops.wait(id)
        {
            let at = state.ops.end_at(id);
            state.post(&thread, &happened(user_data, bits));
            drop(state);
            drop(at);
            schedule::make_ready(thread);
            return true;
        }
        drop(state);
        Ticket { thread, id }.give_bits_otherwise(bits)
    }

    fn give_bits_otherwise(self, bits: u64) -> bool {
        self.complete_pending(|thread, pending| match pending.waiting {
            Waiting::Bits(_) => happened(pending.buffers.user_data, bits),
            _ => {
                let mut buffer = [0; 64];
                let message = WaitResults { bits }.encode(&mut buffer).ok().and_then(|len| buffer.get(..len));
                answered(thread, &pending.buffers, message.unwrap_or_default())
            }
        })
    }

    /// Completes a receive with the news that a facet is gone.
    pub fn complete_unreferenced(self, badge: u64) {
        self.complete(|_, buffers| unreferenced(buffers.user_data, badge));
    }
}

fn answered(thread: &Thread, buffers: &Buffers, message: &[u8]) -> Cqe {
    let result = match i32::try_from(message.len()) {
        Ok(len) if message.len() <= buffers.answer.len() as usize => thread
            .ring
            .arena_write(buffers.answer.off(), message)
            .map_or(TransportError::ReplyTooLarge.code(), |()| len),
        _ => TransportError::ReplyTooLarge.code(),
    };
    Cqe { user_data: buffers.user_data, result, ..Cqe::default() }
}

/// The completion of an operation that ended in a transport error.
#[inline]
pub(crate) fn failed(user_data: u64, error: TransportError) -> Cqe {
    Cqe { user_data, result: error.code(), ..Cqe::default() }
}

/// The completion of a call that ended in an exception.
pub(crate) fn exception(user_data: u64, code: ExceptionCode) -> Cqe {
    Cqe { user_data, flags: cqe_flags::EXCEPTION, method: code.code(), ..Cqe::default() }
}

/// The completion of a wait for bits.
#[inline]
pub(crate) fn happened(user_data: u64, bits: u64) -> Cqe {
    Cqe { user_data, badge: bits, ..Cqe::default() }
}

/// The completion of a receive that tells of a facet that is gone.
pub(crate) fn unreferenced(user_data: u64, badge: u64) -> Cqe {
    Cqe { user_data, flags: cqe_flags::UNREFERENCED, badge, ..Cqe::default() }
}
