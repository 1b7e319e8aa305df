//! `ProcessHandle`: authority over one process.

use super::binding::Binding;
use super::process_debug::ProcessDebug;
use super::process_watch::ProcessWatch;
use super::{Call, Object, Outcome, Sent, interface_id};
use crate::ipc::ops::Waiting;
use crate::ipc::transfer;
use crate::task::create;
use crate::task::end;
use crate::task::process::{BACKTRACE_MAX, Process, Status, Wants};
use crate::task::trace::{Kept, Record};
use capos_abi::{CapId, ExceptionCode};
use capos_schema::process_handle::{
    CrashResults, DebugResults, GrantResults, InfoResults, StartParams, TraceKind, TraceParams, TraceResults,
    WatchResults,
};
use kernel_hal::sync::{OutOfMemory, Ref};

/// Most signallers bound to the end of one process.
const BOUND_MAX: usize = 8;

/// What all copies of a handle share. The last to go takes a process along that was never started: nobody could start it any more.
pub(crate) struct Owner {
    process: Ref<Process>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let started = self.process.threads.lock().started;
        if !started {
            end::end_process(&self.process, Status::Killed);
        }
    }
}

fn is_started(process: &Process) -> bool {
    process.threads.lock().started
}

/// Answers `call` when the process has ended.
pub(super) fn wait_for(process: &Ref<Process>, call: &mut Call<'_>) -> Outcome {
    let mut exit = process.exit.lock();
    if exit.done {
        return call.reply(&end::wait_results(exit.status));
    }
    call.defer(Waiting::Exit(process.clone()), |ticket| {
        exit.waiters.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
        exit.waiters.push((ticket, Wants::Status));
        Ok(())
    })
}

/// Answers `call` with what the process is doing.
pub(super) fn tell(process: &Process, call: &mut Call<'_>) -> Outcome {
    let started = is_started(process);
    let ended = process.exit.lock().done;
    call.reply(&InfoResults { id: process.id, started, ended })
}

/// Authority over one process. Dropping it changes nothing about a process that runs.
#[derive(Clone)]
pub(crate) struct ProcessHandle {
    owner: Ref<Owner>,
}

impl ProcessHandle {
    /// Over one process. Without memory for the handle the process ends.
    pub fn new(process: Ref<Process>) -> Result<Self, OutOfMemory> {
        Ok(ProcessHandle { owner: Ref::try_new(Owner { process })? })
    }

    /// Over which.
    pub fn process(&self) -> &Ref<Process> {
        &self.owner.process
    }

    fn is_started(&self) -> bool {
        is_started(self.process())
    }

    pub(super) fn grant(&self, call: &mut Call<'_>) -> Outcome {
        let Sent { object, slot } = match call.object(0) {
            Ok(sent) => sent,
            Err(outcome) => return outcome,
        };
        if let Object::ProcessHandle(handle) = &object
            && !handle.is_started()
        {
            // Two that were never started could hold each other's handles, or one its own, and nobody could reach them any more.
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        let interface = interface_id(&object);
        let granted = {
            // Held until it is there: a process that begins to end meanwhile would not give it up again.
            let threads = self.process().threads.lock();
            if threads.started || threads.closed {
                return Outcome::exception(ExceptionCode::WrongState);
            }
            transfer::grant(call.process(), self.process(), slot)
        };
        match granted {
            Ok(id) => {
                let record = Record::new(TraceKind::Granted, interface, u64::from(id.index()));
                self.process().trace.add(0, &record);
                call.consume(slot);
                call.reply(&GrantResults { slot: id.index() - CapId::FIRST_GRANT })
            }
            Err(error) => Outcome::error(error),
        }
    }

    pub(super) fn start(&self, _call: &mut Call<'_>, params: StartParams<'_>) -> Outcome {
        {
            let mut threads = self.process().threads.lock();
            if threads.started || threads.closed {
                return Outcome::exception(ExceptionCode::WrongState);
            }
            threads.started = true;
        }
        match create::first_thread(self.process(), params.startup) {
            Ok(thread) => {
                create::run(&thread);
                Outcome::EMPTY
            }
            Err(error) => {
                self.process().threads.lock().started = false;
                Outcome::exception(error.into())
            }
        }
    }

    pub(super) fn wait(&self, call: &mut Call<'_>) -> Outcome {
        wait_for(self.process(), call)
    }

    pub(super) fn watch(&self, call: &mut Call<'_>) -> Outcome {
        call.reply_with_facet(Object::ProcessWatch(ProcessWatch::new(self.process().clone())), &WatchResults)
    }

    pub(super) fn kill(&self, call: &mut Call<'_>) -> Outcome {
        end::end_process(self.process(), Status::Killed);
        let mut exit = self.process().exit.lock();
        // Its own process: there is nobody left to answer.
        if exit.done || call.thread().is_dead() {
            return Outcome::EMPTY;
        }
        call.defer(Waiting::Exit(self.process().clone()), |ticket| {
            exit.waiters.try_reserve(1).map_err(|_| ExceptionCode::OutOfMemory)?;
            exit.waiters.push((ticket, Wants::End));
            Ok(())
        })
    }

    pub(super) fn signal_on_exit(&self, call: &mut Call<'_>) -> Outcome {
        let (binding, slot) = match Binding::of(call) {
            Ok(bound) => bound,
            Err(outcome) => return outcome,
        };
        let refused = self.bind(binding);
        if let Some((binding, code)) = refused {
            // Outside of the lock: it may have been the last of its signaller.
            drop(binding);
            return Outcome::exception(code);
        }
        call.consume(slot);
        Outcome::EMPTY
    }

    fn bind(&self, binding: Binding) -> Option<(Binding, ExceptionCode)> {
        let mut exit = self.process().exit.lock();
        if exit.done {
            drop(exit);
            binding.signal();
            return None;
        }
        if exit.bound.len() >= BOUND_MAX {
            return Some((binding, ExceptionCode::WrongState));
        }
        if exit.bound.try_reserve(1).is_err() {
            return Some((binding, ExceptionCode::OutOfMemory));
        }
        exit.bound.push(binding);
        None
    }

    pub(super) fn unbind(&self, call: &mut Call<'_>) -> Outcome {
        self.unbind_for(call.process().id);
        Outcome::EMPTY
    }

    /// Ends what process number `binder` bound to the end of this one.
    pub fn unbind_for(&self, binder: u64) {
        loop {
            let gone = {
                let mut exit = self.process().exit.lock();
                let at = exit.bound.iter().position(|binding| binding.is_of(binder));
                at.map(|at| exit.bound.swap_remove(at))
            };
            let Some(gone) = gone else { return };
            drop(gone);
        }
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        tell(self.process(), call)
    }

    pub(super) fn crash(&self, call: &mut Call<'_>) -> Outcome {
        let crash = self.process().exit.lock().crash;
        let Some(crash) = crash else { return Outcome::exception(ExceptionCode::NotFound) };
        let mut addresses = [0; BACKTRACE_MAX * 8];
        for (bytes, address) in addresses.chunks_exact_mut(8).zip(crash.backtrace) {
            bytes.copy_from_slice(&address.to_le_bytes());
        }
        let it = &crash.registers;
        let [r8, r9, r10, r11, r12, r13, r14, r15] = it.high;
        call.reply_large(&CrashResults {
            vector: u32::from(crash.fault.vector),
            error_code: crash.fault.error_code,
            address: crash.fault.address,
            rip: it.rip,
            rsp: it.rsp,
            rbp: it.rbp,
            thread: crash.thread,
            backtrace: addresses.get(..crash.depth * 8).unwrap_or_default(),
            rflags: it.rflags,
            fs_base: it.fs_base,
            rax: it.rax,
            rbx: it.rbx,
            rcx: it.rcx,
            rdx: it.rdx,
            rsi: it.rsi,
            rdi: it.rdi,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            log: crash.log,
        })
    }

    pub(super) fn trace(&self, call: &mut Call<'_>, params: TraceParams) -> Outcome {
        let Some((number, Kept { time_ns, thread, record })) = self.process().trace.read(params.cursor)
        else {
            return Outcome::exception(ExceptionCode::NotFound);
        };
        let [first, second] = record.arguments;
        call.reply(&TraceResults {
            next: number + 1,
            lost: number - params.cursor,
            time_ns,
            thread,
            first,
            second,
            method: record.method,
            operation: record.op,
            kind: record.kind,
        })
    }

    pub(super) fn debug(&self, call: &mut Call<'_>) -> Outcome {
        if Ref::ptr_eq(self.process(), call.process()) {
            // Nobody could let it go on.
            return Outcome::exception(ExceptionCode::Denied);
        }
        let debug = match ProcessDebug::attach(self.process()) {
            Ok(debug) => debug,
            Err(code) => return Outcome::exception(code),
        };
        call.reply_with_facet(Object::ProcessDebug(debug), &DebugResults)
    }
}
