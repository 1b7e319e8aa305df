//! Who debugs a process, and what its breakpoints do.
//!
//! One session at a time. What a session is to be told lies with the thread that stopped (`stop.rs`) until it is asked for, so nothing is
//! ever lost, and nothing is kept for a debugger that does not ask.

use crate::ipc::direct_faults;
use crate::ipc::ops::{OpId, Ticket};
use crate::task::cpu;
use crate::task::end;
use crate::task::process::{Process, Status};
use crate::task::stop::{self, Cause, Step};
use crate::task::thread::{Run, Thread};
use crate::trap;
use capos_abi::TransportError;
use capos_schema::Encode;
use capos_schema::process_debug::{BreakAction, BreakKind, ResumeAndWaitResults, StopCause, WaitResults};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use kernel_hal::cpu as machine;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Guard, Lock, Ref};
use kernel_hal::{Fault, Place, Registers, flags};

/// Breakpoints of a process: as many as the processor has.
pub(crate) const BREAKPOINTS: usize = 4;

/// One breakpoint.
#[derive(Clone, Copy)]
pub(crate) struct Breakpoint {
    pub kind: BreakKind,
    /// Bytes: 1, 2, 4 or 8.
    pub length: u8,
    pub address: u64,
    pub action: BreakAction,
    /// Of the fault that it raises.
    pub vector: u8,
    /// It acts every so many times.
    pub every: u32,
    /// For this thread; 0 for all.
    pub thread: u64,
    /// How often it was hit.
    pub hits: u64,
}

/// What changes under its lock.
pub(crate) struct State {
    breakpoints: [Option<Breakpoint>; BREAKPOINTS],
    waiter: Option<Waiter>,
    /// There may be something that nobody was told: then who waits looks at every thread first.
    news: bool,
}

/// Who is to hear of what happens next.
pub(crate) struct Waiter {
    pub ticket: Ticket,
    /// He wants no registers but where it is.
    pub brief: bool,
}

impl State {
    /// Who waits.
    #[inline]
    pub fn waiter(&self) -> Option<&Waiter> {
        self.waiter.as_ref()
    }

    /// Nobody waits any more.
    #[inline]
    pub fn take_waiter(&mut self) -> Option<Waiter> {
        self.waiter.take()
    }

    /// The processor's breakpoint registers for one thread: addresses, and DR7 (Intel SDM vol. 3, 18.2.4).
    fn registers_for(&self, thread: u64) -> ([u64; BREAKPOINTS], u64) {
        let (mut addresses, mut control) = ([0; BREAKPOINTS], 0);
        for ((n, place), breakpoint) in (0..).zip(&mut addresses).zip(&self.breakpoints) {
            let Some(it) = breakpoint.filter(|it| it.thread == 0 || it.thread == thread) else { continue };
            *place = it.address;
            control |= control_bits(n, it.kind, it.length);
        }
        (addresses, control)
    }
}

/// Whether there is a session.
mod session {
    pub const NONE: u8 = 0;
    pub const ATTACHED: u8 = 1;
    /// It is letting go: nothing stops any more, and the next must wait, or what it stops would be let go, too.
    pub const LEAVING: u8 = 2;
}

/// The debugger of a process, if it has one.
pub(crate) struct Debug {
    session: AtomicU8,
    /// New threads begin stopped.
    halted: AtomicBool,
    state: Lock<State>,
}

impl Debug {
    /// It has none.
    pub const fn new() -> Self {
        Debug {
            session: AtomicU8::new(session::NONE),
            halted: AtomicBool::new(false),
            state: Lock::new(
                LockRank::Meeting,
                State { breakpoints: [None; BREAKPOINTS], waiter: None, news: false },
            ),
        }
    }

    /// Whether it has one.
    #[inline]
    pub fn is_attached(&self) -> bool {
        self.session.load(Ordering::Acquire) == session::ATTACHED
    }

    /// Somebody wants to be. False when somebody else is.
    pub fn attach(&self) -> bool {
        let (none, attached) = (session::NONE, session::ATTACHED);
        self.session.compare_exchange(none, attached, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether new threads begin stopped.
    pub fn set_halted(&self, halted: bool) {
        self.halted.store(halted, Ordering::Release);
    }

    /// Puts who waits here; gives him back when there is one already. True when it is to be [looked](look_again) for what he was not told yet.
    pub fn put(&self, waiter: Waiter) -> Result<bool, Waiter> {
        let mut state = self.state.lock();
        if state.waiter.is_some() {
            return Err(waiter);
        }
        state.waiter = Some(waiter);
        Ok(state.news)
    }

    /// For who goes another way when it is locked.
    #[inline]
    pub fn try_lock<const WATCHED: bool>(&self) -> Option<Guard<'_, State>> {
        self.state.try_lock::<WATCHED>()
    }

    /// Takes back the ticket of a wait that is cancelled.
    pub fn withdraw(&self, thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
        let mut state = self.state.lock();
        state.waiter.take_if(|waiter| waiter.ticket.is(thread, id)).map(|waiter| waiter.ticket)
    }

    /// Whether the ticket of a wait lies here.
    pub fn holds(&self, thread: &Ref<Thread>, id: OpId) -> bool {
        self.state.lock().waiter.as_ref().is_some_and(|waiter| waiter.ticket.is(thread, id))
    }

    /// Whether somebody waits. Then every thread is looked at now, and what stops from here on finds him or is news again.
    fn begins_to_look(&self) -> bool {
        let mut state = self.state.lock();
        let waited_for = state.waiter.is_some();
        state.news &= !waited_for;
        waited_for
    }

    fn note_news(&self) {
        self.state.lock().news = true;
    }
}

/// Enables breakpoint `n` of that kind and length in DR7.
fn control_bits(n: u32, kind: BreakKind, length: u8) -> u64 {
    let access = match kind {
        BreakKind::Execute => 0b00,
        BreakKind::Write => 0b01,
        BreakKind::Access => 0b11,
    };
    let length = match length {
        2 => 0b01,
        4 => 0b11,
        8 => 0b10,
        _ => 0b00,
    };
    1 << (2 * n) | access << (16 + 4 * n) | length << (18 + 4 * n)
}

/// The debugger has gone: everything goes on as if there had never been one.
pub(crate) fn detach(process: &Ref<Process>) {
    let debug = &process.debug;
    let waiter = {
        let mut state = debug.state.lock();
        state.breakpoints = [None; BREAKPOINTS];
        state.waiter.take()
    };
    debug.set_halted(false);
    // From here on nothing stops any more, and what has is let go below.
    debug.session.store(session::LEAVING, Ordering::Release);
    if let Some(waiter) = waiter {
        waiter.ticket.fail(TransportError::Canceled);
    }
    for thread in stop::threads_from(process, 0) {
        apply(&thread);
        if let Some(claim) = stop::claim(&thread) {
            claim.go_on(false, None);
        } else {
            stop::let_go(&thread);
        }
    }
    debug.session.store(session::NONE, Ordering::Release);
}

/// Sets or clears a breakpoint; gives the one that was there.
pub(crate) fn set_breakpoint(
    process: &Ref<Process>,
    slot: usize,
    new: Option<Breakpoint>,
) -> Option<Breakpoint> {
    let old = {
        let mut state = process.debug.state.lock();
        let place = state.breakpoints.get_mut(slot)?;
        core::mem::replace(place, new)
    };
    stop::threads_from(process, 0).for_each(|thread| apply(&thread));
    old
}

/// Gives a thread what breakpoints and tracing it ought to have, at once if it runs.
pub(crate) fn apply(thread: &Ref<Thread>) {
    let process = &thread.process;
    {
        // Under the lock: of two who change something, who comes last knows of both.
        let state = process.debug.state.lock();
        let (addresses, control) = state.registers_for(thread.id);
        thread.context.set_breakpoints(addresses, control);
        thread.context.set_traced(process.trace.is_on());
    }
    let run = thread.state.lock().run;
    if let Run::Running(cpu) = run
        && cpu != machine::id()
    {
        machine::kick(cpu);
    }
}

/// A new thread, which does not run yet.
pub(crate) fn adopt(thread: &Ref<Thread>) {
    let process = &thread.process;
    if !process.debug.is_attached() && !process.trace.is_on() {
        return;
    }
    apply(thread);
    if process.debug.halted.load(Ordering::Acquire) {
        stop::ask(thread);
    }
}

/// The current thread raised an exception. False when that is nobody's but the kernel's, and the thread is to end by it.
pub(crate) fn fault(thread: &Ref<Thread>, fault: Fault) -> bool {
    if fault.vector == Fault::DEBUG {
        return trapped(thread, fault);
    }
    if !thread.process.debug.is_attached() {
        return false;
    }
    if direct_faults::fault(cpu::here(), thread, fault) {
        return true;
    }
    stop::end_of_step(thread);
    stop::here(thread, Cause::Fault(fault))
}

fn trapped(thread: &Ref<Thread>, fault: Fault) -> bool {
    let step = stop::end_of_step(thread);
    if let Some(due) = hit(thread, fault.address & Fault::HIT) {
        if !due.is_some_and(|(slot, it)| act(thread, slot, &it)) && step == Step::Wanted {
            stop::here(thread, Cause::Step);
        }
        return true;
    }
    match step {
        Step::None => {}
        Step::Forgotten => return true,
        Step::Wanted => {
            // Without a debugger, by now, it just goes on.
            stop::here(thread, Cause::Step);
            return true;
        }
    }
    if fault.address & Fault::STEP == 0 && fault.address & Fault::HIT != 0 {
        // A breakpoint that was taken out while this CPU ran into it.
        thread.context.redirect(None, flags::RESUME, 0);
        return true;
    }
    // The program's own doing.
    thread.process.debug.is_attached() && stop::here(thread, Cause::Fault(fault))
}

/// What is to be done about hits.
type DueNow = Option<(u8, Breakpoint)>;

/// Counts a hit of every breakpoint that there is one of; `None` when that is none. Of several that are to act now it is one that ends the
/// process, if there is one, and else the first: who stops at one may look at the counts of the others.
fn hit(thread: &Ref<Thread>, bits: u64) -> Option<DueNow> {
    let mut state = thread.process.debug.state.lock();
    let (mut found, mut due): (_, DueNow) = (None, None);
    for (n, place) in (0u8..).zip(&mut state.breakpoints) {
        let ours = |it: &&mut Breakpoint| bits >> n & 1 != 0 && (it.thread == 0 || it.thread == thread.id);
        let Some(it) = place.as_mut().filter(ours) else { continue };
        it.hits += 1;
        // One comes before its instruction, which is to be executed when the thread goes on.
        let before = it.kind == BreakKind::Execute;
        found = Some(found.unwrap_or(false) | before);
        let stronger =
            due.is_none_or(|(_, other)| other.action == BreakAction::Stop && it.action != BreakAction::Stop);
        if it.hits.is_multiple_of(u64::from(it.every.max(1))) && stronger {
            due = Some((n, *it));
        }
    }
    drop(state);
    if found? {
        thread.context.redirect(None, flags::RESUME, 0);
    }
    Some(due)
}

/// Does what a breakpoint is there for. False when nobody is there to be stopped for.
fn act(thread: &Ref<Thread>, slot: u8, it: &Breakpoint) -> bool {
    match it.action {
        BreakAction::Stop => stop::here(thread, Cause::Breakpoint(slot)),
        BreakAction::Kill => {
            trap::end(thread, Status::Killed);
            true
        }
        BreakAction::Fault => {
            trap::crash(thread, Fault { vector: it.vector, error_code: 0, address: 0 });
            true
        }
    }
}

/// A thread has stopped: whoever waits for that hears of it.
pub(crate) fn announce(thread: &Ref<Thread>) {
    let debug = &thread.process.debug;
    let found = {
        let mut state = debug.state.lock();
        if state.waiter.is_none() {
            state.news = true;
            return;
        }
        let told = thread.state.lock().tell();
        told.and_then(|cause| Some((cause, state.waiter.take()?)))
    };
    if let Some((cause, waiter)) = found {
        tell(waiter, thread, cause);
    }
}

/// Tells who waits of a thread that stopped before, if there is one; or that the process has ended.
pub(crate) fn look_again(process: &Ref<Process>) {
    // Who was news may have been let go since; then another one, who found nobody waiting, may still be.
    while process.debug.begins_to_look() {
        let news = {
            let threads = process.threads.lock();
            threads.list.iter().find(|thread| thread.state.lock().is_news()).cloned()
        };
        let Some(thread) = news else {
            if process.exit.lock().done {
                ended(process);
            }
            return;
        };
        // There may be more.
        process.debug.note_news();
        announce(&thread);
    }
}

/// The process has ended.
pub(crate) fn ended(process: &Process) {
    // Who comes to debug it from now on sees the end before he waits: see `look_again`.
    if process.debug.session.load(Ordering::Acquire) == session::NONE {
        return;
    }
    let waiter = {
        let mut state = process.debug.state.lock();
        state.news = true;
        state.waiter.take()
    };
    if let Some(Waiter { ticket, brief }) = waiter {
        let cause = StopCause::Ended;
        if brief {
            reply::<BRIEF>(ticket, &ResumeAndWaitResults { cause, ..ResumeAndWaitResults::default() });
        } else {
            reply::<FULL>(ticket, &WaitResults { cause, ..WaitResults::default() });
        }
    }
}

/// Ends a stopped thread's process as if the thread had raised an exception.
pub(crate) fn inject(thread: &Ref<Thread>, vector: u8) {
    trap::leave_record(thread, Fault { vector, error_code: 0, address: 0 });
    end::end_process(&thread.process, Status::Faulted(vector));
}

/// Room for a brief answer, which who waits for one has, and for one with all registers.
pub(crate) const BRIEF: usize = 64;
const FULL: usize = 200;

fn tell(waiter: Waiter, thread: &Thread, cause: Cause) {
    let Waiter { ticket, brief } = waiter;
    if brief {
        reply::<BRIEF>(ticket, &in_brief(thread, cause));
    } else {
        reply::<FULL>(ticket, &event(thread, cause));
    }
}

fn reply<const ROOM: usize>(ticket: Ticket, event: &impl Encode) {
    let mut buffer = [0; ROOM];
    match event.encode(&mut buffer) {
        Ok(len) => {
            ticket.answer(buffer.get(..len).unwrap_or_default());
        }
        // The buffer is large enough.
        Err(_) => ticket.fail(TransportError::ReplyTooLarge),
    }
}

/// What it is that has happened.
#[inline]
fn details(cause: Cause) -> (Fault, u8) {
    let none = Fault { vector: 0, error_code: 0, address: 0 };
    match cause {
        Cause::Fault(fault) => (fault, 0),
        Cause::Breakpoint(slot) => (none, slot),
        Cause::Asked | Cause::Step => (none, 0),
    }
}

/// The same for who mends and goes on.
#[inline]
pub(crate) fn in_brief(thread: &Thread, cause: Cause) -> ResumeAndWaitResults {
    let (fault, breakpoint) = details(cause);
    let Place { rip, rsp, rflags } = thread.context.place();
    ResumeAndWaitResults {
        cause: cause.wire(),
        vector: fault.vector,
        breakpoint,
        thread: thread.id,
        error_code: fault.error_code,
        address: fault.address,
        rip,
        rsp,
        rflags,
    }
}

fn event(thread: &Thread, cause: Cause) -> WaitResults {
    let (fault, breakpoint) = details(cause);
    let Registers { rip, rsp, rbp, rflags, fs_base, rax, rbx, rcx, rdx, rsi, rdi, high } =
        thread.context.registers();
    let [r8, r9, r10, r11, r12, r13, r14, r15] = high;
    WaitResults {
        cause: cause.wire(),
        vector: fault.vector,
        breakpoint,
        thread: thread.id,
        error_code: fault.error_code,
        address: fault.address,
        rip,
        rsp,
        rflags,
        fs_base,
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rbp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
    }
}
