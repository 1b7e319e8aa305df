//! `ProcessDebug`: everything about one process.

use super::{Call, Outcome};
use crate::ipc::ops::Waiting;
use crate::task::debug::{self, BREAKPOINTS, Breakpoint, Waiter};
use crate::task::process::Process;
use crate::task::stop::{self, Claim};
use crate::task::thread::{Run, Thread};
use capos_abi::{ExceptionCode, layout};
use capos_schema::process_debug::{
    BreakKind, ClearBreakpointParams, ClearBreakpointResults, InjectParams, ReadParams, ReadResults,
    RegistersParams, RegistersResults, ResumeAndWaitParams, ResumeParams, SetBreakpointParams,
    SetRegistersParams, SetTraceParams, StopParams, ThreadParams, ThreadResults, ThreadState, WriteParams,
};
use core::sync::atomic::Ordering;
use kernel_hal::sync::{OutOfMemory, Ref};
use kernel_hal::{Registers, VmError};

/// Most bytes that one `read` copies.
const READ_MAX: usize = 4000;
/// Exceptions of the processor are below this one.
const VECTORS: u8 = 32;

/// What all copies share: the session. When it goes, the process goes on.
struct Session {
    process: Ref<Process>,
}

impl Drop for Session {
    fn drop(&mut self) {
        debug::detach(&self.process);
    }
}

/// The right to debug one process.
#[derive(Clone)]
pub(crate) struct ProcessDebug {
    session: Ref<Session>,
}

impl ProcessDebug {
    /// Over a process that nobody debugs.
    pub fn attach(process: &Ref<Process>) -> Result<Self, ExceptionCode> {
        if process.exit.lock().done || !process.debug.attach() {
            return Err(ExceptionCode::WrongState);
        }
        // Without room for it the session's own drop detaches.
        Ref::try_new(Session { process: process.clone() })
            .map(|session| ProcessDebug { session })
            .map_err(|OutOfMemory| ExceptionCode::OutOfMemory)
    }

    /// Whose.
    pub fn process(&self) -> &Ref<Process> {
        &self.session.process
    }

    fn find(&self, id: u64) -> Result<Ref<Thread>, Outcome> {
        let thread = stop::threads_from(self.process(), id).next().filter(|thread| thread.id == id);
        thread.ok_or(Outcome::exception(ExceptionCode::NotFound))
    }

    /// Has `work` done with a stopped thread.
    fn with_stopped(&self, id: u64, work: impl FnOnce(&Ref<Thread>, Claim<'_>) -> Outcome) -> Outcome {
        let thread = match self.find(id) {
            Ok(thread) => thread,
            Err(outcome) => return outcome,
        };
        match stop::claim(&thread) {
            Some(claim) => work(&thread, claim),
            None => Outcome::exception(ExceptionCode::WrongState),
        }
    }

    pub(super) fn thread(&self, call: &mut Call<'_>, params: ThreadParams) -> Outcome {
        let Some(thread) = stop::threads_from(self.process(), params.cursor).next() else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        let run = thread.state.lock().run;
        call.reply(&ThreadResults {
            id: thread.id,
            ring: thread.ring_address,
            submitted: thread.sq_head.load(Ordering::Relaxed),
            completed: thread.completed(),
            priority: thread.priority().number(),
            state: match run {
                Run::Running(_) | Run::Ready | Run::Dead => ThreadState::Running,
                Run::Blocked | Run::Resting => ThreadState::Waiting,
                Run::Stopping => ThreadState::Stopping,
                Run::Stopped => ThreadState::Stopped,
            },
        })
    }

    pub(super) fn stop(&self, _call: &mut Call<'_>, params: StopParams) -> Outcome {
        if params.thread == 0 {
            self.process().debug.set_halted(true);
            stop::threads_from(self.process(), 0).for_each(|thread| stop::ask(&thread));
            return Outcome::EMPTY;
        }
        match self.find(params.thread) {
            Ok(thread) => {
                stop::ask(&thread);
                Outcome::EMPTY
            }
            Err(outcome) => outcome,
        }
    }

    pub(super) fn resume(&self, _call: &mut Call<'_>, params: ResumeParams) -> Outcome {
        let rip = params.redirect.then_some(params.rip);
        if params.thread != 0 {
            return self.with_stopped(params.thread, |_, claim| going(claim.go_on(params.step, rip)));
        }
        if params.step || params.redirect {
            return INVALID;
        }
        self.resume_all();
        Outcome::EMPTY
    }

    fn resume_all(&self) {
        self.process().debug.set_halted(false);
        for thread in stop::threads_from(self.process(), 0) {
            match stop::claim(&thread) {
                Some(claim) => {
                    claim.go_on(false, None);
                }
                None => stop::let_go(&thread),
            }
        }
    }

    pub(super) fn wait(&self, call: &mut Call<'_>) -> Outcome {
        self.wait_for(call, false, || ())
    }

    /// Waits, and does `then` as soon as that is certain.
    fn wait_for(&self, call: &mut Call<'_>, brief: bool, then: impl FnOnce()) -> Outcome {
        let process = self.process();
        let mut news = false;
        let outcome = call.defer(Waiting::Debug(process.clone()), |ticket| {
            news = process.debug.put(Waiter { ticket, brief }).map_err(|_| ExceptionCode::WrongState)?;
            Ok(())
        });
        if outcome == Outcome::PENDING {
            then();
        }
        if news {
            debug::look_again(process);
        }
        outcome
    }

    /// Nothing goes on unless there is somebody who waits for it, and whoever waits has had it go on: all that may be refused is looked at
    /// before.
    pub(super) fn resume_and_wait(&self, call: &mut Call<'_>, params: ResumeAndWaitParams) -> Outcome {
        let ResumeAndWaitParams { thread: id, step, redirect, rip } = params;
        if redirect && rip >= layout::USER_MAX || id == 0 && (step || redirect) {
            return INVALID;
        }
        if id == 0 {
            return self.wait_for(call, true, || self.resume_all());
        }
        let thread = {
            let threads = self.process().threads.lock();
            let at = threads.list.binary_search_by_key(&id, |thread| thread.id).ok();
            at.and_then(|at| threads.list.get(at)).cloned()
        };
        let Some(thread) = thread.filter(|thread| !thread.is_dead()) else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        let Some(mut claim) = stop::claim(&thread) else {
            return Outcome::exception(ExceptionCode::WrongState);
        };
        self.wait_for(call, true, || {
            if step || !redirect || !claim.mend(rip) {
                claim.go_on(step, redirect.then_some(rip));
            }
        })
    }

    pub(super) fn registers(&self, call: &mut Call<'_>, params: RegistersParams) -> Outcome {
        self.with_stopped(params.thread, |thread, _claim| {
            let Registers { rip, rsp, rbp, rflags, fs_base, rax, rbx, rcx, rdx, rsi, rdi, high } =
                thread.context.registers();
            let [r8, r9, r10, r11, r12, r13, r14, r15] = high;
            call.reply_large(&RegistersResults {
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
            })
        })
    }

    pub(super) fn set_registers(&self, _call: &mut Call<'_>, it: SetRegistersParams) -> Outcome {
        let new = Registers {
            rip: it.rip,
            rsp: it.rsp,
            rbp: it.rbp,
            rflags: it.rflags,
            fs_base: it.fs_base,
            rax: it.rax,
            rbx: it.rbx,
            rcx: it.rcx,
            rdx: it.rdx,
            rsi: it.rsi,
            rdi: it.rdi,
            high: [it.r8, it.r9, it.r10, it.r11, it.r12, it.r13, it.r14, it.r15],
        };
        self.with_stopped(it.thread, |thread, claim| {
            if !thread.context.set_registers(&new) {
                return INVALID;
            }
            claim.end_wait();
            Outcome::EMPTY
        })
    }

    // Its buffer must not be on the stack of the other methods, too.
    #[inline(never)]
    pub(super) fn read(&self, call: &mut Call<'_>, params: ReadParams) -> Outcome {
        let mut buffer = [0; READ_MAX];
        let Some(data) = buffer.get_mut(..params.length as usize) else { return INVALID };
        if !call.has_room(16 + data.len()) {
            return Outcome::error(capos_abi::TransportError::ReplyTooLarge);
        }
        match self.process().space.peek(params.address, data) {
            Ok(()) => call.reply_large(&ReadResults { data }),
            Err(_) => Outcome::exception(ExceptionCode::NotFound),
        }
    }

    pub(super) fn write(&self, _call: &mut Call<'_>, params: WriteParams<'_>) -> Outcome {
        Outcome::exception(match self.process().space.poke(params.address, params.data) {
            Ok(()) => return Outcome::EMPTY,
            Err(VmError::BudgetExhausted) => ExceptionCode::BudgetExhausted,
            Err(VmError::OutOfMemory) => ExceptionCode::OutOfMemory,
            Err(_) => ExceptionCode::NotFound,
        })
    }

    pub(super) fn set_breakpoint(&self, _call: &mut Call<'_>, it: SetBreakpointParams) -> Outcome {
        let lengths = if it.kind == BreakKind::Execute { [1].as_slice() } else { &[1, 2, 4, 8] };
        let last = it.address.checked_add(u64::from(it.length));
        let possible = lengths.contains(&it.length)
            && it.address.is_multiple_of(u64::from(it.length))
            && it.address >= layout::USER_MIN
            && last.is_some_and(|end| end <= layout::USER_MAX)
            && it.hits > 0
            && it.vector < VECTORS
            && usize::from(it.slot) < BREAKPOINTS;
        if !possible {
            return INVALID;
        }
        let new = Breakpoint {
            kind: it.kind,
            length: it.length,
            address: it.address,
            action: it.action,
            vector: it.vector,
            every: it.hits,
            thread: it.thread,
            hits: 0,
        };
        debug::set_breakpoint(self.process(), usize::from(it.slot), Some(new));
        Outcome::EMPTY
    }

    pub(super) fn clear_breakpoint(&self, call: &mut Call<'_>, params: ClearBreakpointParams) -> Outcome {
        match debug::set_breakpoint(self.process(), usize::from(params.slot), None) {
            Some(old) => call.reply(&ClearBreakpointResults { hits: old.hits }),
            None => Outcome::exception(ExceptionCode::NotFound),
        }
    }

    pub(super) fn inject(&self, _call: &mut Call<'_>, params: InjectParams) -> Outcome {
        if params.vector >= VECTORS {
            return INVALID;
        }
        self.with_stopped(params.thread, |thread, _claim| {
            debug::inject(thread, params.vector);
            Outcome::EMPTY
        })
    }

    pub(super) fn set_trace(&self, _call: &mut Call<'_>, params: SetTraceParams) -> Outcome {
        let process = self.process();
        if params.on
            && let Err(OutOfMemory) = process.trace.prepare()
        {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        }
        for thread in stop::threads_from(process, 0).filter(|_| !process.trace.is_on()) {
            thread.traced.store(thread.completed(), Ordering::Relaxed);
        }
        process.trace.set_on(params.on);
        stop::threads_from(process, 0).for_each(|thread| debug::apply(&thread));
        Outcome::EMPTY
    }
}

const INVALID: Outcome = Outcome::exception(ExceptionCode::InvalidArgument);

fn going(goes: bool) -> Outcome {
    if goes { Outcome::EMPTY } else { INVALID }
}
