//! The one path by which threads and processes end: exit, kill and fault all come through here, and everything is taken back.

use crate::ipc::ops::{OpId, Ticket, Waiting};
use crate::ipc::park;
use crate::task::process::{Process, Status};
use crate::task::thread::Thread;
use crate::task::trace::Record;
use crate::task::{cpu, reap, recall, schedule, timers};
use capos_abi::TransportError;
use capos_schema::process_handle::{ExitReason, TraceKind, WaitResults};
use kernel_hal::cpu as machine;
use kernel_hal::sync::Ref;

/// Ends a process. Threads on other CPUs stop as soon as those look; what it has is taken back when the last one has.
///
/// The first status wins. May be called by a thread of the process itself: it is not current any more afterwards.
pub(crate) fn end_process(process: &Ref<Process>, status: Status) {
    {
        let mut exit = process.exit.lock();
        if exit.status.is_some() {
            return;
        }
        exit.status = Some(status);
    }
    let current = cpu::current().filter(|current| Ref::ptr_eq(&current.process, process));
    recall::last_calls(process, current.as_deref());
    note_end(process, status, current.as_deref());
    drop(current);
    stop_threads(process);
    reap::begin(process);
}

/// Leaves a record of what ended a process, and by whom of its own.
fn note_end(process: &Process, status: Status, by: Option<&Thread>) {
    let (how, code) = match status {
        Status::Exited(code) => (ExitReason::Exited, code.cast_unsigned()),
        Status::Killed => (ExitReason::Killed, 0),
        Status::Faulted(vector) => (ExitReason::Faulted, u64::from(vector)),
    };
    let record = Record::new(TraceKind::Ending, how as u64, code);
    process.trace.add(by.map_or(0, |thread| thread.id), &record);
}

/// Stops all threads of a process, which takes no new ones from now on. None of them runs in user mode any more afterwards but on CPUs that have
/// been kicked and have not looked yet.
fn stop_threads(process: &Ref<Process>) {
    let current = cpu::current();
    let (mut own, mut elsewhere) = (false, 0u64);
    {
        let mut threads = process.threads.lock();
        threads.closed = true;
        for thread in threads.list.iter().filter(|thread| !thread.is_doomed()) {
            let here = current.as_ref().is_some_and(|current| Ref::ptr_eq(current, thread));
            own |= here;
            if let Err(cpu) = thread.die(here.then(machine::id)) {
                elsewhere |= 1 << cpu;
            }
        }
    }
    if own {
        schedule::give_up_current();
    }
    (0..machine::count()).filter(|cpu| elsewhere & 1 << cpu != 0).for_each(machine::kick);
}

/// Ends one thread that is the current one of this CPU.
pub(crate) fn stop_current(thread: Ref<Thread>) {
    let first = thread.die(Some(machine::id()));
    schedule::give_up_current();
    if first == Ok(true) {
        reap::begin(&thread.process);
    }
}

/// Ends one operation with `error`: takes its ticket back from where it lies and completes it. False when it was too late.
pub(crate) fn withdraw(thread: &Ref<Thread>, id: OpId, waiting: Waiting, error: TransportError) -> bool {
    let Some(ticket) = take_ticket(thread, id, waiting) else { return false };
    ticket.fail(error);
    true
}

/// Takes the ticket of an operation back from where it lies. `None` when somebody else has it already.
pub(crate) fn take_ticket(thread: &Ref<Thread>, id: OpId, waiting: Waiting) -> Option<Ticket> {
    match waiting {
        Waiting::Call(endpoint) => endpoint.withdraw_call(thread, id),
        Waiting::Message(endpoint) => endpoint.withdraw_receiver(thread, id),
        Waiting::Nowhere => None,
        Waiting::Time(alarm) => timers::take_back(alarm),
        Waiting::Exit(process) => {
            let mut exit = process.exit.lock();
            let at = exit.waiters.iter().position(|(ticket, _)| ticket.is(thread, id));
            at.map(|at| exit.waiters.swap_remove(at).0)
        }
        Waiting::Join => {
            let mut threads = thread.process.threads.lock();
            let at = threads.joiners.iter().position(|(_, ticket)| ticket.is(thread, id));
            at.map(|at| threads.joiners.swap_remove(at).1)
        }
        Waiting::Line(line) => line.withdraw(thread, id),
        Waiting::Event(event) | Waiting::Bits(event) => event.withdraw(thread, id),
        Waiting::Parked => park::withdraw(thread, id),
        Waiting::Debug(process) => process.debug.withdraw(thread, id),
    }
}

/// How many members the list has that is looked through for a ticket.
pub(crate) fn members(thread: &Thread, waiting: &Waiting) -> usize {
    match waiting {
        Waiting::Call(endpoint) | Waiting::Message(endpoint) => endpoint.depth(),
        Waiting::Exit(process) => process.exit.lock().waiters.len(),
        Waiting::Join => thread.process.threads.lock().joiners.len(),
        Waiting::Nowhere | Waiting::Time(_) | Waiting::Parked => 0,
        // Few wait there at a time.
        Waiting::Line(_) | Waiting::Event(_) | Waiting::Bits(_) | Waiting::Debug(_) => 0,
    }
}

/// What `ProcessHandle.wait` answers.
pub(crate) fn wait_results(status: Option<Status>) -> WaitResults {
    match status {
        Some(Status::Exited(code)) => WaitResults { reason: ExitReason::Exited, code },
        Some(Status::Killed) | None => WaitResults { reason: ExitReason::Killed, code: 0 },
        Some(Status::Faulted(vector)) => WaitResults { reason: ExitReason::Faulted, code: i64::from(vector) },
    }
}
