//! System calls of threads that are traced: the ordinary way, one submission after the other, with a record of each.

use crate::cap::long;
use crate::ring::enter::{answer, conclude, leave};
use crate::ring::submit;
use crate::task::process::Status;
use crate::task::revoke::Progress;
use crate::task::thread::Thread;
use crate::task::{cpu, end, schedule, timers, trace};
use capos_abi::{Op, TransportError, syscall};
use capos_ring::RingFault;
use capos_schema::process_handle::TraceKind;
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Handles a system call of the current thread: its two arguments and its number.
pub(crate) extern "sysv64" fn syscall(a0: u64, a1: u64, number: u64) {
    let cpu = cpu::here();
    cpu::count(&cpu.syscalls);
    let Some(thread) = cpu::current() else { return schedule::settle(cpu) };
    trace::completions(&thread);
    match number {
        syscall::CAP_ENTER => cap_enter(&thread, a0, a1),
        syscall::EXIT => end::end_process(&thread.process, Status::Exited(a0.cast_signed())),
        _ => answer(&thread, Err(TransportError::UnknownOp)),
    }
    leave(cpu, thread);
}

fn cap_enter(thread: &Ref<Thread>, min_complete: u64, timeout_ns: u64) {
    // As in `enter::take_and_wait`.
    if thread.is_doomed() {
        return;
    }
    if thread.busy.load(Ordering::Relaxed) {
        let done = long::go_on(thread);
        trace::completions(thread);
        if !done {
            return thread.context.repeat_syscall(min_complete, timeout_ns, syscall::CAP_ENTER);
        }
    } else {
        trace::add(thread, TraceKind::Entered, min_complete, timeout_ns);
    }
    let taken = thread.ring.cq_head();
    let more = take_submissions(thread, taken);
    if more == Ok(true) {
        return thread.context.repeat_syscall(min_complete, timeout_ns, syscall::CAP_ENTER);
    }
    // What wakes a thread that has an alarm leaves a record (`trace::woken`); this one never goes off, and takes no memory.
    let timeout_ns = timeout_ns.min(timers::NEVER_NS);
    conclude(thread, more.and_then(|_| thread.waiting_from(taken)), min_complete, timeout_ns);
}

/// As `enter::take_submissions`; looks at the clock every time.
fn take_submissions(thread: &Ref<Thread>, taken: u32) -> Result<bool, RingFault> {
    let mut head = thread.sq_head.load(Ordering::Relaxed);
    let room = thread.shape.cq_entries - thread.ring.cq_between(taken, head)?;
    let end = head.wrapping_add(thread.ring.sq_pending(head)?.min(room));
    let began = time::now_ns();
    while head != end && !thread.is_doomed() {
        let submission = thread.ring.queued(head);
        let kind = submission.kind();
        let revokes = kind.op() == Op::Revoke as u8;
        if !(revokes && thread.is_revoking(submission.cap())) {
            trace::submitted(thread, kind, &submission);
        }
        head = head.wrapping_add(1);
        thread.sq_head.store(head, Ordering::Relaxed);
        if kind.op() == Op::Call as u8 {
            submit::call(thread, kind, &submission, None);
        } else if revokes {
            if submit::revoke(thread, kind, &submission) == Progress::More {
                thread.put_back();
                return Ok(!thread.is_doomed());
            }
        } else {
            submit::other(thread, kind, &submission)
        }
        trace::completions(thread);
        let busy = thread.busy.load(Ordering::Relaxed);
        if busy || time::now_ns().saturating_sub(began) > super::enter::LONG_NS {
            thread.ring.publish_sq_head(head);
            return Ok((busy || head != end) && !thread.is_doomed());
        }
    }
    thread.ring.publish_sq_head(head);
    Ok(false)
}
