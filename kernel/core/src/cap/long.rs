//! Calls that take long, in steps. Between two steps the thread goes back to user mode to make the same system call again, so that
//! interrupts and other threads come first; its program notices nothing.
//!
//! The work belongs to the thread that asked for it: it takes no further submissions before it is done, and when it ends the work is dropped
//! and with it whatever was taken for it.

use super::memory_object::MemoryObject;
use super::virtual_memory::refuse;
use super::{Call, Object, Outcome};
use crate::ipc::ops::Buffers;
use crate::task::thread::Thread;
use capos_schema::virtual_memory::CreateObjectResults;
use core::sync::atomic::Ordering;
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;
use kernel_hal::vm::Work;

/// A call that is being worked on.
pub(crate) struct Job {
    buffers: Buffers,
    work: Work,
}

/// Leaves `call` to be worked on step by step.
pub(super) fn begin(call: &Call<'_>, work: Work) -> Outcome {
    let thread = call.thread();
    let before = thread.job.lock().replace(Job { buffers: *call.buffers(), work });
    debug_assert!(before.is_none(), "one call at a time");
    drop(before);
    thread.busy.store(true, Ordering::Relaxed);
    Outcome::PENDING
}

/// One step of what the running thread has begun. True when nothing is left to do.
#[cold]
pub(crate) fn go_on(thread: &Ref<Thread>) -> bool {
    let Some(mut job) = take(thread) else { return true };
    match job.work.step() {
        None => {
            *thread.job.lock() = Some(job);
            thread.busy.store(true, Ordering::Relaxed);
            false
        }
        Some(result) => {
            let outcome =
                result.map_or_else(refuse, |frames| answer(&mut Call::new(thread, &job.buffers), frames));
            thread.post_own(&outcome.completion(job.buffers.user_data));
            true
        }
    }
}

/// Gives up what a dead thread was working on, and gives the memory that was taken for it.
pub(crate) fn abandon(thread: &Thread) -> Option<Frames> {
    take(thread)?.work.into_memory()
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
