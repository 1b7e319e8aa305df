//! Threads.

use super::{Step, Work};
use crate::task::process::Process;
use crate::task::thread::{Place, Run, State, Thread};
use capos_inspect::{Activity, Page, Thread as Told};
use core::sync::atomic::Ordering;

/// Operations that take as long to go through as a slot of a table.
const OPERATIONS: usize = 64;

/// The threads of a process whose ids are at or after `from`.
pub(super) fn look(process: &Process, from: u64, work: &mut Work, page: &mut Page<'_, Told>) -> Step {
    let threads = process.threads.lock();
    let epoch = threads.changes + 1;
    let first = threads.list.partition_point(|thread| thread.id < from);
    for thread in threads.list.iter().skip(first) {
        if work.is_done() || !page.push(&describe(process, thread)) {
            return Step { next: Some(thread.id), epoch };
        }
        work.spend(1 + thread.shape.sq_entries as usize / OPERATIONS);
    }
    Step { next: None, epoch }
}

fn describe(process: &Process, thread: &Thread) -> Told {
    let (activity, processor, called) = {
        let state = thread.state.lock();
        // While the lock is held the operation keeps its endpoint, so this is not the last to let go of it.
        let called = state.ops.called().map_or(0, |endpoint| endpoint.label());
        (activity(&state), processor(&state, thread), called)
    };
    Told {
        process: process.id,
        id: thread.id,
        called,
        activity,
        priority: thread.priority().number(),
        own_priority: thread.own_priority().number(),
        processor,
        in_flight: thread.pending(),
        entries: thread.shape.sq_entries,
    }
}

fn activity(state: &State) -> Activity {
    match (state.run, state.queued) {
        (Run::Running(_), _) => Activity::Runs,
        (Run::Ready, Some(Place::Aside(..))) => Activity::OutOfTime,
        (Run::Ready, _) => Activity::Ready,
        (Run::Blocked | Run::Resting, _) => Activity::Waits,
        (Run::Stopping | Run::Stopped, _) => Activity::Stopped,
        (Run::Dead, _) => Activity::Ended,
    }
}

fn processor(state: &State, thread: &Thread) -> u32 {
    match state.run {
        Run::Running(cpu) => cpu as u32,
        _ => thread.home.load(Ordering::Relaxed),
    }
}
