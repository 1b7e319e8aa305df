//! Stopping a thread for a debugger, wherever it is, and letting it go on.
//!
//! A thread that is asleep or queued is stopped on the spot. One that runs is marked and its CPU kicked: it stops where it would have ended,
//! had it been marked for that. One on the way into or out of a queue belongs to whoever carries it, and stops when it arrives.
//!
//! Who detaches first says so and then lets every thread go on, each under its lock; so what finds under that lock that somebody is attached
//! may stop the thread: it will be let go.

use crate::task::process::Process;
use crate::task::thread::{Run, State, Thread};
use crate::task::{attention, debug, end, schedule, timers, trace};
use capos_schema::process_debug::StopCause;
use capos_schema::process_handle::TraceKind;
use core::sync::atomic::Ordering;
use kernel_hal::cpu as machine;
use kernel_hal::sync::Ref;
use kernel_hal::{Fault, flags};

/// Why a thread has stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// By `ProcessDebug.stop`.
    Asked,
    /// An instruction is done.
    Step,
    /// At the breakpoint in that slot.
    Breakpoint(u8),
    /// It raised an exception.
    Fault(Fault),
}

impl Cause {
    /// As its debugger hears it.
    pub fn wire(self) -> StopCause {
        match self {
            Cause::Asked => StopCause::Asked,
            Cause::Step => StopCause::Step,
            Cause::Breakpoint(_) => StopCause::Breakpoint,
            Cause::Fault(_) => StopCause::Fault,
        }
    }
}

/// What a debugger has to know of a thread.
pub(crate) struct Stop {
    /// Why it is stopped, while it is.
    cause: Option<Cause>,
    /// Whether its debugger was told.
    told: bool,
    /// A debugger is changing its registers.
    claimed: bool,
    /// Completions that it was waiting for when it was stopped.
    waits_for: Option<u32>,
    /// It was [`Run::Resting`].
    rested: bool,
    /// Its time was over meanwhile.
    timed_out: bool,
    /// It is to stop after one instruction.
    stepping: bool,
    /// It was let go before that: the trap comes, and nobody wants it any more.
    forgotten: bool,
}

impl Stop {
    /// It is not.
    pub const NONE: Stop = Stop {
        cause: None,
        told: false,
        claimed: false,
        waits_for: None,
        rested: false,
        timed_out: false,
        stepping: false,
        forgotten: false,
    };

    /// The alarm of its wait went off.
    #[cold]
    pub fn time_out(&mut self) {
        self.timed_out = self.waits_for.is_some();
    }
}

impl State {
    fn stop(&mut self, cause: Cause, waits_for: Option<u32>) {
        self.run = Run::Stopped;
        let stepping = self.stop.stepping;
        self.stop = Stop { cause: Some(cause), waits_for, stepping, ..Stop::NONE };
    }

    /// The same for who stops by its own doing, and whose debugger knows.
    #[inline]
    pub fn stop_told(&mut self, cause: Cause) {
        self.stop(cause, None);
        self.stop.told = true;
    }

    /// Whether it is to stop, or was, after one instruction.
    #[inline]
    pub fn is_stepping(&self) -> bool {
        self.stop.stepping
    }

    /// Lets it go on elsewhere that is stopped in no wait, at once, and nobody has a claim to it any more. False, and nothing is changed, when
    /// that is to go the ordinary way.
    #[inline]
    fn mend(&mut self, thread: &Thread, rip: u64) -> bool {
        let Stop { waits_for, stepping, .. } = self.stop;
        if self.run != Run::Stopped || waits_for.is_some() || stepping || self.alarm.is_some() {
            return false;
        }
        let goes = thread.context.try_redirect(Some(rip), 0, flags::STEP) == Some(true);
        if goes {
            self.stop = Stop::NONE;
            self.run = Run::Ready;
        }
        goes
    }

    /// Why it is stopped, if its debugger was not told; from now on it was.
    pub fn tell(&mut self) -> Option<Cause> {
        let news = self.run == Run::Stopped && !self.stop.told;
        self.stop.told |= news;
        self.stop.cause.filter(|_| news)
    }

    /// Whether somebody should hear of it.
    pub fn is_news(&self) -> bool {
        self.run == Run::Stopped && !self.stop.told
    }
}

/// The current thread stops. False when it does not, because nobody is attached: then it is still current.
pub(crate) fn here(thread: &Ref<Thread>, cause: Cause) -> bool {
    let mut state = thread.state.lock();
    if thread.is_doomed() {
        drop(state);
        end::stop_current(thread.clone());
        return true;
    }
    if !thread.process.debug.is_attached() {
        return false;
    }
    thread.attention.fetch_and(!attention::STOP, Ordering::Relaxed);
    state.stop(cause, None);
    drop(state);
    schedule::give_up_current();
    stopped(thread, cause);
    true
}

/// The current thread, which was marked, stops, or goes on behind its equals if it was let go meanwhile.
pub(crate) fn asked(thread: &Ref<Thread>) {
    let mut state = thread.state.lock();
    if thread.is_doomed() {
        // Who marked it found it running, and relies on its being found here.
        drop(state);
        return end::stop_current(thread.clone());
    }
    // Under the lock, as it is set: from here on the thread does not run, and nobody would find a mark that came between.
    let marked = thread.attention.fetch_and(!attention::STOP, Ordering::Relaxed) & attention::STOP != 0;
    let stops = marked && thread.process.debug.is_attached();
    if stops {
        state.stop(Cause::Asked, None);
    } else {
        state.run = Run::Ready;
    }
    drop(state);
    schedule::give_up_current();
    if stops { stopped(thread, Cause::Asked) } else { schedule::make_ready(thread.clone()) }
}

/// A thread that is marked has just gone to sleep. It may be awake again, and elsewhere.
#[cold]
#[inline(never)]
pub(super) fn asleep(thread: &Ref<Thread>) {
    if thread.attention.fetch_and(!attention::STOP, Ordering::AcqRel) & attention::STOP != 0 {
        ask(thread);
    }
}

/// A thread that was on the way to a queue or to a CPU is not ready any more: it was to stop, or it is dead.
#[cold]
#[inline(never)]
pub(super) fn arrived(thread: &Ref<Thread>) {
    let mut state = thread.state.lock();
    if state.run == Run::Stopping {
        state.stop(Cause::Asked, None);
        state.queued = None;
        drop(state);
        stopped(thread, Cause::Asked);
    }
}

/// Has a thread stop, now or soon. Not for the current thread.
pub(crate) fn ask(thread: &Ref<Thread>) {
    let mut state = thread.state.lock();
    if !thread.process.debug.is_attached() {
        return;
    }
    match state.run {
        Run::Dead | Run::Stopped | Run::Stopping => {}
        Run::Running(cpu) => {
            thread.attention.fetch_or(attention::STOP, Ordering::Release);
            drop(state);
            machine::kick(cpu);
        }
        Run::Blocked | Run::Resting => {
            let rested = state.run == Run::Resting;
            let wanted = core::mem::take(&mut state.wanted);
            // Who rests does so until there is one completion more than there are.
            let wanted = if rested { thread.waiting().unwrap_or(0).saturating_add(1) } else { wanted };
            state.stop(Cause::Asked, Some(wanted));
            state.stop.rested = rested;
            drop(state);
            stopped(thread, Cause::Asked);
        }
        Run::Ready => {
            let queued = state.queued.take();
            let found = queued.and_then(schedule::take_out);
            if found.is_some() {
                state.stop(Cause::Asked, None);
                drop(state);
                drop(found);
                stopped(thread, Cause::Asked);
            } else {
                state.run = Run::Stopping;
            }
        }
    }
}

fn stopped(thread: &Ref<Thread>, cause: Cause) {
    record(thread, cause);
    debug::announce(thread);
}

/// Records that a thread has stopped.
#[inline]
pub(crate) fn record(thread: &Thread, cause: Cause) {
    trace::add(thread, TraceKind::Stopped, cause.wire() as u64, thread.context.place().rip);
}

/// Reserves a stopped thread for a change of its registers: until the claim is dropped nobody else lets it go on. `None` when it is not
/// stopped.
#[inline]
pub(crate) fn claim(thread: &Ref<Thread>) -> Option<Claim<'_>> {
    let mut state = thread.state.lock();
    let free = state.run == Run::Stopped && !state.stop.claimed;
    state.stop.claimed |= free;
    drop(state);
    // Made only if it is one: dropping it gives the thread back.
    if free { Some(Claim { thread, gone: false }) } else { None }
}

/// A stopped thread of which nobody else changes anything. Unless it is killed it stays stopped.
pub(crate) struct Claim<'a> {
    thread: &'a Ref<Thread>,
    /// It goes on, and may be somebody else's by now.
    gone: bool,
}

impl Claim<'_> {
    /// Ends the wait that the thread is in, if it is in one.
    pub fn end_wait(&self) {
        let alarm = {
            let mut state = self.thread.state.lock();
            state.stop.waits_for = None;
            state.epoch += 1;
            state.alarm.take()
        };
        if let Some(alarm) = alarm {
            timers::disarm(alarm);
        }
    }

    /// Lets it go on elsewhere, the way of who mends faults: the ordinary one does the same in more steps. False when it has to. There is no
    /// record of it: what stops again and again and goes on would leave room for nothing else.
    #[inline]
    pub fn mend(&mut self, rip: u64) -> bool {
        let goes = self.thread.state.lock().mend(self.thread, rip);
        self.gone |= goes;
        if goes {
            schedule::make_ready(self.thread.clone());
        }
        goes
    }

    /// Lets it go on, for one instruction or for good, where it is or elsewhere. False, and nothing is changed, when that is nowhere.
    pub fn go_on(self, step: bool, rip: Option<u64>) -> bool {
        if rip.is_some() {
            self.end_wait();
        }
        let set = if step { flags::STEP } else { 0 };
        if !self.thread.context.redirect(rip, set, flags::STEP) {
            return false;
        }
        self.thread.state.lock().stop.stepping = step;
        let at = rip.unwrap_or(0);
        trace::add(self.thread, TraceKind::Resumed, at, u64::from(step));
        let thread = self.thread;
        drop(self);
        let_go(thread);
        true
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.gone {
            self.thread.state.lock().stop.claimed = false;
        }
    }
}

/// Lets a thread go on that is stopped, or was to stop.
pub(crate) fn let_go(thread: &Ref<Thread>) {
    let mut state = thread.state.lock();
    thread.attention.fetch_and(!attention::STOP, Ordering::Release);
    match state.run {
        // Still on its way.
        Run::Stopping => state.run = Run::Ready,
        Run::Stopped => {}
        _ => {
            state.stop.forgotten = state.stop.stepping;
            return;
        }
    }
    if state.run == Run::Ready {
        return;
    }
    let Stop { waits_for, rested, timed_out, stepping, .. } = state.stop;
    state.stop = Stop { stepping, ..Stop::NONE };
    let waiting = thread.waiting().unwrap_or(u32::MAX);
    if let Some(wanted) = waits_for.filter(|wanted| waiting < *wanted && !timed_out) {
        // Nothing has been completed, so what it rested for is still all there is.
        (state.run, state.wanted) = if rested { (Run::Resting, 0) } else { (Run::Blocked, wanted) };
        return;
    }
    let alarm = state.end_wait();
    if waits_for.is_some() {
        thread.context.set_return(u64::from(waiting));
    }
    drop(state);
    if let Some(alarm) = alarm {
        timers::disarm(alarm);
    }
    schedule::make_ready(thread.clone());
}

/// What the end of an instruction means to the running thread. From now on nothing.
pub(crate) fn end_of_step(thread: &Thread) -> Step {
    let mut state = thread.state.lock();
    let stepping = core::mem::take(&mut state.stop.stepping);
    let forgotten = core::mem::take(&mut state.stop.forgotten);
    drop(state);
    if !stepping {
        return Step::None;
    }
    thread.context.redirect(None, 0, flags::STEP);
    if forgotten { Step::Forgotten } else { Step::Wanted }
}

/// A debugger's step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There was none.
    None,
    /// Its debugger wants to hear of it.
    Wanted,
    /// Nobody does any more.
    Forgotten,
}

/// The threads of `process` that live and whose ids are at or after `cursor`, one after the other. Each is found anew: they end at any moment.
pub(crate) fn threads_from(process: &Process, cursor: u64) -> impl Iterator<Item = Ref<Thread>> {
    let mut next = cursor;
    core::iter::from_fn(move || {
        let threads = process.threads.lock();
        let later = threads.list.get(threads.list.partition_point(|thread| thread.id < next)..)?;
        let found = later.iter().find(|thread| !thread.is_dead())?;
        next = found.id + 1;
        Some(found.clone())
    })
}
