//! The system calls: `cap_enter` and `exit`.

use crate::ring::submit::{self, Alone, Wait};
use crate::task::process::Status;
use crate::task::thread::{Block, Thread};
use crate::task::{cpu, end, schedule};
use capos_abi::{Op, TransportError, syscall};
use capos_ring::RingFault;
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Handles a system call of the current thread: its two arguments and its number.
pub(crate) fn syscall(a0: u64, a1: u64, number: u64) {
    let cpu = cpu::here();
    let current = cpu::current();
    cpu::count(&cpu.syscalls);
    // Only a current thread makes system calls; without one there is nobody to answer.
    if let Some(thread) = current {
        match number {
            syscall::CAP_ENTER => cap_enter(&thread, a0, a1),
            syscall::EXIT => end::end_process(&thread.process, Status::Exited(a0.cast_signed())),
            _ => answer(&thread, Err(TransportError::UnknownOp)),
        }
    }
    schedule::settle(cpu);
}

#[inline]
fn cap_enter(thread: &Ref<Thread>, min_complete: u64, timeout_ns: u64) {
    let taken = submit::alone(thread, Wait { min_complete, timeout_ns });
    if taken == Alone::Done && min_complete <= 1 {
        return answer(thread, Ok(1));
    }
    if taken != Alone::Away {
        cap_enter_any(thread, min_complete, timeout_ns);
    }
}

#[inline(never)]
fn cap_enter_any(thread: &Ref<Thread>, min_complete: u64, timeout_ns: u64) {
    // What was taken may have ended the thread, and another one may have written to its queue since. What a dead thread begins
    // nobody takes back.
    if thread.is_doomed() {
        return;
    }
    // The program may change its head at any time; what it was at first counts for the whole of this call.
    let taken = thread.ring.cq_head();
    let more = take_submissions(thread, taken);
    if more == Ok(true) {
        return thread.context.repeat_syscall(min_complete, timeout_ns, syscall::CAP_ENTER);
    }
    match more.and_then(|_| thread.waiting_from(taken)) {
        Err(fault) => answer(thread, Err(thread.corrupt(fault))),
        Ok(waiting) if timeout_ns == 0 || u64::from(waiting) >= min_complete => answer(thread, Ok(waiting)),
        Ok(_) => sleep(thread, min_complete, timeout_ns),
    }
}

fn sleep(thread: &Ref<Thread>, min_complete: u64, timeout_ns: u64) {
    let min = u32::try_from(min_complete).unwrap_or(u32::MAX).min(thread.shape.cq_entries);
    let deadline = (timeout_ns != syscall::FOREVER).then(|| time::now_ns().saturating_add(timeout_ns));
    match Thread::block(thread, min, deadline) {
        Block::Ready(waiting) => answer(thread, Ok(waiting)),
        Block::Blocked => schedule::give_up_current(),
    }
}

#[inline]
fn answer(thread: &Ref<Thread>, result: Result<u32, TransportError>) {
    let value = match result {
        Ok(waiting) => u64::from(waiting),
        Err(error) => i64::from(error.code()).cast_unsigned(),
    };
    thread.context.set_return(value);
}

/// Operations between two looks at the clock.
const STRIDE: u32 = 16;
/// How long submissions are taken in one go while interrupts have to wait, nanoseconds. What is left when it is over is for the same
/// system call made anew: see [`kernel_hal::user::UserContext::repeat_syscall`].
const LONG_NS: u64 = 200_000;

/// Takes submissions in order until none is left, or the completion queue, of which the program has read all below `taken`, might
/// overflow, or it takes long: then there is more (`true`).
#[inline]
fn take_submissions(thread: &Ref<Thread>, taken: u32) -> Result<bool, RingFault> {
    let mut head = thread.sq_head.load(Ordering::Relaxed);
    // Every operation takes up one place, whether it completes at once or later.
    let room = thread.shape.cq_entries - thread.ring.cq_between(taken, head)?;
    let pending = thread.ring.sq_pending(head)?;
    let end = head.wrapping_add(pending.min(room));
    let began = (pending > STRIDE).then(time::now_ns);
    let mut done = 0;
    while head != end {
        let sqe = thread.ring.read_sqe(head);
        if sqe.op == Op::Nop as u8 {
            let run = thread.take_nops(head, end.wrapping_sub(head));
            head = head.wrapping_add(run);
            thread.sq_head.store(head, Ordering::Relaxed);
            // One that is not plain is refused below like any other submission.
            if run > 0 {
                continue;
            }
        }
        head = head.wrapping_add(1);
        thread.sq_head.store(head, Ordering::Relaxed);
        // Calls apart from the rest, so that it does not weigh on them.
        if sqe.op == Op::Call as u8 {
            submit::call(thread, &sqe)
        } else {
            submit::other(thread, &sqe)
        }
        if thread.is_doomed() {
            break;
        }
        done += 1;
        if done % STRIDE == 0 && began.is_some_and(|began| time::now_ns().saturating_sub(began) > LONG_NS) {
            thread.ring.publish_sq_head(head);
            return Ok(head != end);
        }
    }
    thread.ring.publish_sq_head(head);
    Ok(false)
}
