//! The system calls: `cap_enter` and `exit`.

use crate::cap::{self, Last, Outcome, Way, long};
use crate::ipc::{direct_events, runs};
use crate::ring::submit::{self, Called, Wait};
use crate::task::cpu::Cpu;
use crate::task::process::Status;
use crate::task::revoke::Progress;
use crate::task::sleep::Block;
use crate::task::thread::Thread;
use crate::task::{cpu, end, revoke, schedule};
use capos_abi::{Op, TransportError, syscall};
use capos_ring::{Kind, RingFault};
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Handles a system call of the current thread: its two arguments and its number.
///
/// What programs do most, one call or one answer at a time, goes its own way from here. Each of the ways goes on to the end of the system
/// call by itself, so that none has to keep anything for another.
pub(crate) extern "sysv64" fn syscall(a0: u64, a1: u64, number: u64) {
    let cpu = cpu::here();
    // Only a current thread makes system calls; without one there is nobody to answer.
    let Some(thread) = cpu::current() else { return schedule::settle(cpu) };
    cpu::count(&cpu.syscalls);
    if number != syscall::CAP_ENTER {
        return other_syscall(cpu, thread, a0, number);
    }
    let wait = Wait { min_complete: a0, timeout_ns: a1 };
    let head = thread.sq_head.load(Ordering::Relaxed);
    match lone(&thread, head) {
        Some(kind) if kind.is(Op::Call) => lone_call(cpu, thread, head, kind, wait),
        Some(kind) if kind.is_with_room(Op::ReturnRecv) => {
            lone_answer::<false>(cpu, thread, head, kind, wait)
        }
        Some(kind) if kind.is(Op::Wait) => lone_wait::<false>(cpu, thread, head, kind, wait),
        Some(kind) if kind.is_with_caps(Op::Call) => lone_carrying_call(cpu, thread, head, kind, wait),
        Some(_) => cap_enter(cpu, thread, wait),
        None => beside_others(cpu, thread, head, wait),
    }
}

/// The same ways where others are pending, as the receives of a server are that waits for something else, if the program has seen all that are
/// complete.
#[inline(never)]
fn beside_others(cpu: &'static Cpu, thread: Ref<Thread>, head: u32, wait: Wait) {
    let has_seen_all = thread.has_completed_all(thread.ring.cq_head());
    let kind =
        if has_seen_all && !thread.busy.load(Ordering::Relaxed) { thread.ring.lone(head) } else { None };
    match kind {
        Some(kind) if kind.is(Op::Wait) => lone_wait::<true>(cpu, thread, head, kind, wait),
        Some(kind) if kind.is_with_room(Op::ReturnRecv) => lone_answer::<true>(cpu, thread, head, kind, wait),
        Some(kind) if kind.is_with_caps(Op::Call) => lone_carrying_call(cpu, thread, head, kind, wait),
        _ => cap_enter(cpu, thread, wait),
    }
}

#[cold]
fn other_syscall(cpu: &'static Cpu, thread: Ref<Thread>, a0: u64, number: u64) {
    match number {
        syscall::EXIT => end::end_process(&thread.process, Status::Exited(a0.cast_signed())),
        _ => answer(&thread, Err(TransportError::UnknownOp)),
    }
    drop(thread);
    schedule::settle(cpu);
}

/// What kind of submission waits, if it is the only one, all before it are done and the program has seen all of it. What a thread is still at
/// may have its completion already: that comes first.
#[inline(always)]
fn lone(thread: &Ref<Thread>, head: u32) -> Option<Kind> {
    if thread.ring.cq_head() != head || !thread.has_completed_all(head) || thread.busy.load(Ordering::Relaxed)
    {
        return None;
    }
    thread.ring.lone(head)
}

/// A call without capabilities.
#[inline(always)]
fn lone_call(cpu: &'static Cpu, thread: Ref<Thread>, head: u32, kind: Kind, wait: Wait) {
    let next = head.wrapping_add(1);
    let call = thread.ring.queued(head);
    thread.sq_head.store(next, Ordering::Relaxed);
    let outcome = cap::dispatch(&thread, &call, kind, Way::Lone(cpu, wait));
    if outcome.is_none_yet() {
        if outcome != Outcome::AWAY {
            revoke::catch_up(&thread);
            thread.ring.publish_sq_head(next);
            await_alone(cpu, thread, wait);
        }
        return;
    }
    let completion = outcome.completion(call.user_data());
    thread.ring.publish_sq_head(next);
    thread.post_alone(next, &completion);
    if wait.min_complete > 1 {
        return cap_enter(cpu, thread, wait);
    }
    answer(&thread, Ok(1));
    drop(thread);
    schedule::settle(cpu);
}

/// A call with capabilities, or with room for some.
#[inline(never)]
fn lone_carrying_call(cpu: &'static Cpu, thread: Ref<Thread>, head: u32, kind: Kind, wait: Wait) {
    let next = head.wrapping_add(1);
    let call = thread.ring.queued(head);
    thread.sq_head.store(next, Ordering::Relaxed);
    let last = wait.is_for_one().then_some(Last { cpu, min: 1 });
    let called = submit::call(&thread, kind, &call, last);
    if called == Called::Away {
        return leave(cpu, thread);
    }
    thread.ring.publish_sq_head(next);
    if thread.busy.load(Ordering::Relaxed) {
        return go_on_later(cpu, thread, wait);
    }
    if called != Called::Done || wait.min_complete > 1 {
        return cap_enter(cpu, thread, wait);
    }
    answer(&thread, Ok(1));
    leave(cpu, thread);
}

/// What a thread has set off and is not done with comes first, and before that whatever interrupts are waiting.
#[cold]
#[inline(never)]
fn go_on_later(cpu: &'static Cpu, thread: Ref<Thread>, wait: Wait) {
    thread.context.repeat_syscall(wait.min_complete, wait.timeout_ns, syscall::CAP_ENTER);
    leave(cpu, thread);
}

/// Has a thread sleep that began the only operation that it has pending, and lets whoever that made ready run at once.
#[inline(never)]
fn await_alone(cpu: &'static Cpu, thread: Ref<Thread>, wait: Wait) {
    if thread.busy.load(Ordering::Relaxed) {
        return go_on_later(cpu, thread, wait);
    }
    if !wait.is_for_one() || !thread.rest_alone() {
        return cap_enter(cpu, thread, wait);
    }
    drop(thread);
    schedule::follow(cpu);
    schedule::settle(cpu);
}

/// An answer without capabilities, and the next receive, beside other operations or not.
#[inline(never)]
fn lone_answer<const BESIDE: bool>(
    cpu: &'static Cpu,
    thread: Ref<Thread>,
    head: u32,
    kind: Kind,
    wait: Wait,
) {
    let next = head.wrapping_add(1);
    let answer = thread.ring.queued(head);
    thread.sq_head.store(next, Ordering::Relaxed);
    if wait.is_for_one() && submit::answer_directly::<BESIDE>(cpu, &thread, kind, &answer) {
        return;
    }
    answer_otherwise(cpu, thread, head, kind, wait);
}

/// The same when something stands in the way.
#[cold]
#[inline(never)]
fn answer_otherwise(cpu: &'static Cpu, thread: Ref<Thread>, head: u32, kind: Kind, wait: Wait) {
    let answer = thread.ring.queued(head);
    // In the time of neither side: it may be somebody's who waits for the other side.
    let for_other = wait.is_for_one() && !cpu.payer.holds(&thread.process);
    if for_other && submit::answer_last(cpu, &thread, kind, &answer, 1) {
        return leave(cpu, thread);
    }
    submit::other(&thread, kind, &answer);
    thread.ring.publish_sq_head(head.wrapping_add(1));
    cap_enter(cpu, thread, wait);
}

/// A wait for bits, beside other operations or not.
#[inline(never)]
fn lone_wait<const BESIDE: bool>(cpu: &'static Cpu, thread: Ref<Thread>, head: u32, kind: Kind, wait: Wait) {
    let next = head.wrapping_add(1);
    let submission = thread.ring.queued(head);
    thread.sq_head.store(next, Ordering::Relaxed);
    let directly = if BESIDE { direct_events::wait_beside } else { direct_events::wait };
    if wait.is_for_one() && directly(cpu, &thread, &submission, kind) {
        return schedule::settle(cpu);
    }
    submit::other(&thread, kind, &submission);
    thread.ring.publish_sq_head(next);
    cap_enter(cpu, thread, wait);
}

#[inline(never)]
fn cap_enter(cpu: &'static Cpu, thread: Ref<Thread>, wait: Wait) {
    take_and_wait(cpu, &thread, wait);
    leave(cpu, thread);
}

/// The end of a system call of `thread`.
#[inline(always)]
pub(super) fn leave(cpu: &'static Cpu, thread: Ref<Thread>) {
    // Whoever marked it has kicked this CPU, and that may take a while: a program must not see that nothing was done for it.
    if thread.is_doomed() {
        cpu.unsettled.store(true, Ordering::Relaxed);
    }
    drop(thread);
    schedule::settle(cpu);
}

fn take_and_wait(cpu: &'static Cpu, thread: &Ref<Thread>, wait: Wait) {
    // What was taken may have ended the thread, and another one may have written to its queue since. What a dead thread begins
    // nobody takes back.
    if thread.is_doomed() {
        return;
    }
    let Wait { min_complete, timeout_ns } = wait;
    // What it works on comes before what it has submitted since.
    if thread.busy.load(Ordering::Relaxed) && !long::go_on(thread) {
        return thread.context.repeat_syscall(min_complete, timeout_ns, syscall::CAP_ENTER);
    }
    // The program may change its head at any time; what it was at first counts for the whole of this call.
    let taken = thread.ring.cq_head();
    let waiting = match take_submissions(cpu, thread, taken, wait) {
        Ok(Taken::Away) => return,
        Ok(Taken::NotYet) => {
            return thread.context.repeat_syscall(min_complete, timeout_ns, syscall::CAP_ENTER);
        }
        Ok(Taken::All) => thread.waiting_from(taken),
        Err(fault) => Err(fault),
    };
    conclude(thread, waiting, min_complete, timeout_ns);
}

/// Answers the system call, or has the thread sleep.
#[inline(always)]
pub(super) fn conclude(
    thread: &Ref<Thread>,
    waiting: Result<u32, RingFault>,
    min_complete: u64,
    timeout_ns: u64,
) {
    match waiting {
        Err(fault) => answer(thread, Err(thread.corrupt(fault))),
        Ok(waiting) if timeout_ns == 0 || u64::from(waiting) >= min_complete => answer(thread, Ok(waiting)),
        Ok(_) => sleep(thread, min_complete, timeout_ns),
    }
}

#[inline(always)]
fn sleep(thread: &Ref<Thread>, min_complete: u64, timeout_ns: u64) {
    let min = u32::try_from(min_complete).unwrap_or(u32::MAX).min(thread.shape.cq_entries);
    let deadline = (timeout_ns != syscall::FOREVER).then(|| time::now_ns().saturating_add(timeout_ns));
    match Thread::block(thread, min, deadline) {
        Block::Ready(waiting) => answer(thread, Ok(waiting)),
        Block::Blocked => schedule::give_up_current(),
    }
}

#[inline]
pub(super) fn answer(thread: &Ref<Thread>, result: Result<u32, TransportError>) {
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
pub(super) const LONG_NS: u64 = 200_000;

/// What has become of submissions.
enum Taken {
    All,
    /// It takes long: there is more.
    NotYet,
    /// The last one has put its thread to rest, and somebody else runs.
    Away,
}

/// Takes submissions in order until none is left, or the completion queue, of which the program has read all below `taken`, might
/// overflow, or it takes long.
#[inline]
fn take_submissions(
    cpu: &'static Cpu,
    thread: &Ref<Thread>,
    taken: u32,
    wait: Wait,
) -> Result<Taken, RingFault> {
    let mut head = thread.sq_head.load(Ordering::Relaxed);
    // Every operation takes up one place, whether it completes at once or later.
    let room = thread.shape.cq_entries - thread.ring.cq_between(taken, head)?;
    let pending = thread.ring.sq_pending(head)?;
    let end = head.wrapping_add(pending.min(room));
    // Of NOPs alone even the most that there can be do not take long.
    let mut began = 0;
    // The last one may go the direct way; no submission has the number `end`.
    let last = if wait.is_for_all(taken, end) { end.wrapping_sub(1) } else { end };
    let mut done = 0;
    while head != end {
        let is_last = head == last && thread.has_completed_all(head);
        let submission = thread.ring.queued(head);
        let kind = submission.kind();
        if kind.op() == Op::Nop as u8 {
            let run = thread.take_nops(head, end.wrapping_sub(head));
            head = head.wrapping_add(run);
            thread.sq_head.store(head, Ordering::Relaxed);
            // One that is not plain is refused below like any other submission.
            if run > 0 {
                continue;
            }
        }
        if done == 0 && pending > STRIDE {
            began = time::now_ns();
        }
        let left = end.wrapping_sub(head);
        let run =
            if left > 1 { runs::take(thread, kind, head, head.wrapping_add(left.min(STRIDE))) } else { 0 };
        head = head.wrapping_add(run.max(1));
        thread.sq_head.store(head, Ordering::Relaxed);
        // Calls apart from the rest, so that it does not weigh on them.
        if run > 0 {
            // They are under way.
        } else if kind.op() == Op::Call as u8 {
            let directly = is_last && kind.is_with_caps(Op::Call);
            let last = directly.then_some(Last { cpu, min: wait.min_complete });
            if submit::call(thread, kind, &submission, last) == Called::Away {
                return Ok(Taken::Away);
            }
        } else if kind.op() == Op::Revoke as u8 {
            if submit::revoke(thread, kind, &submission) == Progress::More {
                thread.put_back();
                return Ok(if thread.is_doomed() { Taken::All } else { Taken::NotYet });
            }
        } else {
            if is_last
                && kind.is_with_caps(Op::ReturnRecv)
                && submit::answer_last(cpu, thread, kind, &submission, wait.min_complete)
            {
                return Ok(Taken::Away);
            }
            submit::other(thread, kind, &submission)
        }
        if thread.is_doomed() {
            break;
        }
        if thread.busy.load(Ordering::Relaxed) {
            thread.ring.publish_sq_head(head);
            return Ok(Taken::NotYet);
        }
        done += run.max(1);
        // So many that the clock was looked at.
        if done >= STRIDE && pending > STRIDE && time::now_ns().saturating_sub(began) > LONG_NS {
            thread.ring.publish_sq_head(head);
            return Ok(if head == end { Taken::All } else { Taken::NotYet });
        }
    }
    thread.ring.publish_sq_head(head);
    Ok(Taken::All)
}
