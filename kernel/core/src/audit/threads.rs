//! The threads of a process: where they are, and where the tickets of their operations lie.

use super::{Fault, Findings};
use crate::ipc::ops::{OpId, Waiting};
use crate::task::process::Process;
use crate::task::thread::{Run, Thread};
use crate::task::{cpu, timers};
use kernel_hal::cpu as machine;
use kernel_hal::sync::Ref;

/// Looks at all of them; gives how many submissions they may have in flight, and how many pages their rings take up.
pub(super) fn look_at(process: &Ref<Process>, found: &mut Findings) -> (u64, u64) {
    let (mut entries, mut pages) = (0, 0);
    for n in 0.. {
        // One at a time: the list may change from step to step.
        let Some(thread) = process.threads.lock().list.get(n).cloned() else { break };
        entries += u64::from(thread.shape.sq_entries);
        pages += thread.shape.pages() as u64;
        found.raised += u64::from(thread.is_raised());
        found.fault_unless(has_its_place(&thread), Fault::Place);
        look_at_operations(&thread, found);
    }
    (entries, pages)
}

fn has_its_place(thread: &Ref<Thread>) -> bool {
    let reaped = thread.process.threads.lock().is_reaped();
    let state = thread.state.lock();
    match state.run {
        Run::Running(cpu) => cpu < machine::count(),
        Run::Ready => {
            let mut cpus = 0..machine::count();
            let waits = state.queued.is_some() || cpus.any(|id| cpu::of(id).handoff.holds(thread));
            // Nobody would look for the mark when it runs again.
            waits && !thread.is_to_stop()
        }
        Run::Blocked => state.is_waiting(),
        Run::Resting => thread.pending() > 0,
        Run::Stopping => state.queued.is_none(),
        Run::Stopped => state.queued.is_none() && process_is_debugged(thread),
        // What it had is being taken back.
        Run::Dead => reaped,
    }
}

fn process_is_debugged(thread: &Thread) -> bool {
    thread.process.debug.is_attached()
}

fn look_at_operations(thread: &Ref<Thread>, found: &mut Findings) {
    let mut from = 0;
    loop {
        let next = thread.state.lock().ops.next_from(from);
        let Some((id, waiting)) = next else { return };
        from = id.following();
        found.pending += 1;
        let there = lies(thread, id, &waiting);
        // It may have been completed since.
        let pending = || thread.state.lock().ops.buffers(id).is_some();
        found.fault_unless(there || !pending(), Fault::Ticket);
    }
}

/// Whether the ticket of an operation lies where it is said to.
fn lies(thread: &Ref<Thread>, id: OpId, waiting: &Waiting) -> bool {
    match waiting {
        Waiting::Call(endpoint) => {
            let state = endpoint.lock();
            (!state.closed || state.is_ending()) && state.calls.holds(thread, id)
        }
        Waiting::Message(endpoint) => {
            let state = endpoint.lock();
            (!state.closed || state.is_ending())
                && state.receivers.iter().any(|receiver| receiver.is(thread, id))
        }
        // Only for a moment.
        Waiting::Nowhere => false,
        Waiting::Time(alarm) => timers::holds(*alarm, thread, id),
        Waiting::Exit(process) => process.exit.lock().waiters.iter().any(|(ticket, _)| ticket.is(thread, id)),
        Waiting::Join => {
            let threads = thread.process.threads.lock();
            threads.joiners.iter().any(|(_, ticket)| ticket.is(thread, id))
        }
        Waiting::Line(line) => line.holds(thread, id),
        Waiting::Event(event) | Waiting::Bits(event) => event.holds(thread, id),
        Waiting::Parked => thread.state.lock().parking.holds(id),
        Waiting::Debug(process) => process.debug.holds(thread, id),
    }
}
