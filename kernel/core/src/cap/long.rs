//! Work that takes long, in steps. Between two steps the thread goes back to user mode to make the same system call again, so that
//! interrupts and other threads come first; its program notices nothing.
//!
//! The work belongs to the thread that asked for it or set it off: it takes no further submissions before it is done. When it ends, what it
//! asked for is dropped and with it whatever was taken for it; what others wait for is done all the same, by who takes back what it had.

use super::memory_object::MemoryObject;
use super::virtual_memory::refuse;
use super::{Call, Object, Outcome, process_spawner, system_info};
use crate::audit::derivation::Walk;
use crate::ipc::loans::Lending;
use crate::ipc::ops::Buffers;
use crate::ipc::timed;
use crate::ring::submit;
use crate::task::create::Making;
use crate::task::process::Remains;
use crate::task::rest::Rest;
use crate::task::slice::STEP;
use crate::task::thread::Thread;
use capos_abi::{CapId, TransferSlot};
use capos_schema::virtual_memory::CreateObjectResults;
use core::sync::atomic::Ordering;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::vm::Work;

/// What a thread is working on.
pub(crate) enum Job {
    /// A call that changes memory.
    Memory { buffers: Buffers, work: Work },
    /// A call that makes a process, whose program came with it as `sent` says.
    Make { buffers: Buffers, making: Making, sent: TransferSlot },
    /// A call that goes over all capabilities.
    Derivation { buffers: Buffers, walk: Walk },
    /// A receive that finds one call after the other that is too large for it.
    Receive { right: CapId, room: Buffers, deadline: Option<u64> },
    /// A call that has to queue lends its priority.
    Lend(Lending),
    /// What went on through a capability that was given up or revoked ends.
    Rest(Rest),
}

/// Leaves `call` to be worked on step by step.
pub(super) fn begin(call: &Call<'_>, work: Work) -> Outcome {
    leave_call(call, |buffers| Job::Memory { buffers, work })
}

/// The same for any work.
pub(super) fn leave_call(call: &Call<'_>, job: impl FnOnce(Buffers) -> Job) -> Outcome {
    leave(call.thread(), job(*call.buffers()));
    Outcome::PENDING
}

/// Leaves work for the running thread to go on with. It has no other, but for a loan that goes no further when what it is for is revoked.
///
/// No program brings about that it has another, whatever it submits: who is busy takes no submission, and one submission sets off one work, as
/// messages move no rights to receive and a revocation stops at what it sets off. So this is said to who changes that, where it is tested.
#[cold]
pub(crate) fn leave(thread: &Thread, job: Job) {
    let before = thread.job.lock().replace(job);
    debug_assert!(matches!(before, None | Some(Job::Lend(_))), "one at a time");
    drop(before);
    pause(thread);
}

/// What the running thread has just done took long: others come before what it has submitted behind that.
#[cold]
pub(crate) fn pause(thread: &Thread) {
    thread.busy.store(true, Ordering::Relaxed);
}

/// If what the running thread has begun is a receive, it ends at `at_ns` at the latest.
pub(crate) fn note_deadline(thread: &Thread, at_ns: u64) {
    if thread.busy.load(Ordering::Relaxed)
        && let Some(Job::Receive { deadline, .. }) = thread.job.lock().as_mut()
    {
        *deadline = Some(at_ns);
    }
}

/// One step of what the running thread has begun. True when nothing is left to do.
#[cold]
pub(crate) fn go_on(thread: &Ref<Thread>) -> bool {
    if let Some(job) = take(thread) {
        step(thread, job);
    }
    !thread.busy.load(Ordering::Relaxed)
}

fn step(thread: &Ref<Thread>, job: Job) {
    let mut left = STEP;
    match job {
        Job::Memory { buffers, mut work } => go_on_with(thread, &buffers, |call| match work.step() {
            None => begin(call, work),
            Some(result) => result.map_or_else(refuse, |frames| answer(call, frames)),
        }),
        Job::Make { buffers, making, sent } => {
            go_on_with(thread, &buffers, |call| process_spawner::go_on(call, making, sent));
        }
        Job::Derivation { buffers, walk } => {
            go_on_with(thread, &buffers, |call| system_info::go_on(call, walk));
        }
        Job::Receive { right, room, deadline: None } => submit::receive_on(thread, right, &room),
        Job::Receive { right, room, deadline: Some(at_ns) } => {
            timed::with_deadline(thread, at_ns, || submit::receive_on(thread, right, &room));
            note_deadline(thread, at_ns);
        }
        Job::Lend(mut lending) => {
            if !lending.go_on(&mut left) {
                leave(thread, Job::Lend(lending));
            }
        }
        Job::Rest(mut rest) => {
            if !rest.go_on(&mut left) {
                leave(thread, Job::Rest(rest));
            }
        }
    }
}

/// One step of a call, which is answered if that was the last.
fn go_on_with(thread: &Ref<Thread>, buffers: &Buffers, step: impl FnOnce(&mut Call<'_>) -> Outcome) {
    let outcome = step(&mut Call::new(thread, buffers));
    if !outcome.is_none_yet() {
        thread.post_own(&outcome.completion(buffers.user_data));
    }
}

/// Gives up what a dead thread was working on: what is left of it goes piece by piece.
pub(crate) fn abandon(thread: &Thread) -> Option<Remains> {
    match take(thread)? {
        Job::Memory { work, .. } => work.into_memory().map(Remains::Memory),
        Job::Rest(rest) => Some(Remains::Rest(rest)),
        // A process that was not finished ends in slices, too.
        Job::Make { .. } | Job::Derivation { .. } | Job::Receive { .. } | Job::Lend(_) => None,
    }
}

/// What the thread was working on is the caller's to drop.
fn take(thread: &Thread) -> Option<Job> {
    thread.busy.store(false, Ordering::Relaxed);
    thread.job.lock().take()
}

fn answer(call: &mut Call<'_>, frames: Option<Ref<Frames>>) -> Outcome {
    match frames {
        None => Outcome::EMPTY,
        Some(frames) => match call.give(Object::MemoryObject(MemoryObject::new(frames))) {
            Ok(()) => call.reply(&CreateObjectResults),
            Err(outcome) => outcome,
        },
    }
}
