//! The one path by which threads and processes end: exit, kill and fault all come through here, and everything is taken back.

use crate::boot;
use crate::cap::long;
use crate::ipc::ops::{OpId, Ticket, Waiting};
use crate::ipc::park;
use crate::task::cpu::{self, Cpu};
use crate::task::process::{Process, Status, Wants};
use crate::task::thread::Thread;
use crate::task::{create, registry, schedule, timers};
use capos_abi::TransportError;
use capos_mem::Resource;
use capos_schema::process_handle::{ExitReason, WaitResults};
use core::sync::atomic::Ordering;
use kernel_hal::cpu as machine;
use kernel_hal::sync::Ref;

/// Ends a process. Threads on other CPUs stop as soon as those look; the last to go takes the rest with it.
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
    let all_gone = {
        let mut threads = process.threads.lock();
        threads.closed = true;
        threads.all_gone()
    };
    if all_gone { dismantle(process) } else { stop_threads(process) }
}

/// Stops all threads of a process that takes no new ones. Those on other CPUs take themselves out of the list at any moment, so no
/// place in it means anything from one step to the next: each step looks for a thread that nobody has marked yet.
fn stop_threads(process: &Ref<Process>) {
    loop {
        let thread = process.threads.lock().list.iter().find(|thread| !thread.is_doomed()).cloned();
        let Some(thread) = thread else { return };
        let own = cpu::current().is_some_and(|current| Ref::ptr_eq(&current, &thread));
        let first = thread.die(own.then(machine::id));
        if own {
            schedule::give_up_current();
        }
        match first {
            Ok(true) => clean_up(&thread),
            Ok(false) => {}
            Err(cpu) => machine::kick(cpu),
        }
    }
}

/// Ends one thread that is the current one of this CPU.
pub(crate) fn stop_current(thread: Ref<Thread>) {
    let first = thread.die(Some(machine::id()));
    schedule::give_up_current();
    if first == Ok(true) {
        clean_up(&thread);
    }
}

/// Takes back everything a dead thread had; the last one of a process dismantles it.
pub(crate) fn clean_up(thread: &Ref<Thread>) {
    let mut from = 0;
    loop {
        let pending = thread.state.lock().ops.next_from(from);
        let Some((id, waiting)) = pending else { break };
        // Who has the ticket right now, or has thrown it away as that of a dead thread, finds nothing to complete; and an alarm that
        // were left here might hold the thread, and all it knows, for ever.
        if !withdraw(thread, id, waiting) {
            thread.end(id);
        }
        from = id.following();
    }
    drop(long::take(thread));
    let process = &thread.process;
    // The address and size are the kernel's own, so this cannot be refused; if the process unmapped its ring itself, so be it.
    let _ = process.space.unmap(thread.ring_address, thread.shape.pages());
    process.account.refund(Resource::Threads, 1);
    process.account.refund(Resource::CallsInFlight, u64::from(thread.shape.sq_entries));
    registry::thread_left();
    create::leave_queues();
    let last = {
        let mut threads = process.threads.lock();
        threads.list.retain(|other| !Ref::ptr_eq(other, thread));
        threads.rings.give_back(thread.ring_address);
        threads.closed |= threads.list.is_empty();
        threads.all_gone()
    };
    wake_joiners(process, thread.id);
    if last {
        process.exit.lock().status.get_or_insert(Status::Exited(0));
        dismantle(process);
    }
}

fn wake_joiners(process: &Ref<Process>, id: u64) {
    loop {
        let ticket = {
            let mut threads = process.threads.lock();
            let at = threads.joiners.iter().position(|(thread, _)| *thread == id);
            at.map(|at| threads.joiners.swap_remove(at))
        };
        let Some((_, ticket)) = ticket else { return };
        ticket.answer(&[]);
    }
}

/// Cancels one operation: takes its ticket back from where it lies and completes it. False when it was too late.
pub(crate) fn withdraw(thread: &Ref<Thread>, id: OpId, waiting: Waiting) -> bool {
    let Some(ticket) = take_ticket(thread, id, waiting) else { return false };
    ticket.fail(TransportError::Canceled);
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
    }
}

/// Has a process without threads taken apart.
///
/// Its capabilities may be the last to others that were never started and end with it, and so on; programs decide how long such a
/// chain is. So the first on a CPU takes apart whatever comes up meanwhile, one after the other, instead of one inside the other.
fn dismantle(process: &Ref<Process>) {
    let cpu = cpu::here();
    enqueue_dying(cpu, process.clone());
    if cpu.dismantling.swap(true, Ordering::Relaxed) {
        return;
    }
    while let Some(process) = cpu.dying.take() {
        if let Some(next) = process.next_dying.take() {
            drop(cpu.dying.put(next));
        }
        take_apart(&process);
    }
    cpu.dismantling.store(false, Ordering::Relaxed);
}

fn enqueue_dying(cpu: &Cpu, process: Ref<Process>) {
    if let Some(first) = cpu.dying.take() {
        // Nothing was there before: a process ends once.
        drop(process.next_dying.put(first));
    }
    drop(cpu.dying.put(process));
}

/// Takes back what a process has, and tells those who wait for it.
fn take_apart(process: &Ref<Process>) {
    process.release_all();
    process.space.clear();
    process.account.close();
    let share = process.share.lock().take();
    drop(share);
    registry::leave(process.id);
    process.exit.lock().done = true;
    wake_waiters(process);
    signal_bound(process);
    boot::check_init(process);
}

fn signal_bound(process: &Ref<Process>) {
    loop {
        let bound = process.exit.lock().bound.pop();
        let Some(bound) = bound else { return };
        bound.signal();
    }
}

fn wake_waiters(process: &Ref<Process>) {
    loop {
        let (waiter, status) = {
            let mut exit = process.exit.lock();
            (exit.waiters.pop(), exit.status)
        };
        match waiter {
            None => return,
            Some((ticket, Wants::Status)) => ticket.reply(&wait_results(status)),
            Some((ticket, Wants::End)) => ticket.answer(&[]),
        };
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
