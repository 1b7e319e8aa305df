//! Who runs next.
//!
//! Fixed priorities, first come first served within one. An event makes threads ready with [`make_ready`]; its handler ends with
//! [`settle`], which alone decides what this CPU resumes. The thread made ready last is not queued but kept at hand: if the caller
//! goes to sleep, as a client and a server do in turn, the CPU switches to it directly.

use crate::task::cpu::{self, CURRENT, Cpu, IDLE};
use crate::task::end;
use crate::task::process::Process;
use crate::task::thread::{Run, Thread};
use crate::task::timers;
use capos_sched::{Handle, Priority};
use core::sync::atomic::Ordering;
use kernel_hal::cpu as machine;
use kernel_hal::sync::Ref;
use kernel_hal::{time, user};

/// How long one thread runs while others of its priority wait, nanoseconds.
const SLICE_NS: u64 = 10_000_000;

/// A thread that was blocked or new can run.
#[inline]
pub(crate) fn make_ready(thread: Ref<Thread>) {
    let cpu = cpu::here();
    cpu.unsettled.store(true, Ordering::Relaxed);
    if let Some(displaced) = cpu.handoff.put(thread) {
        place(displaced);
    }
}

/// The current thread, which just went to sleep or died, no longer belongs to this CPU.
#[inline]
pub(crate) fn give_up_current() {
    let cpu = cpu::here();
    cpu.unsettled.store(true, Ordering::Relaxed);
    let gone = CURRENT.replace(None);
    drop(gone);
}

/// Decides what this CPU resumes. Every handler ends with it.
#[inline]
pub(crate) fn settle(cpu: &'static Cpu) {
    if cpu.unsettled.load(Ordering::Relaxed) {
        cpu.unsettled.store(false, Ordering::Relaxed);
        decide(cpu);
    }
}

#[inline(never)]
fn decide(cpu: &'static Cpu) {
    match cpu::current() {
        None => run_next(cpu),
        Some(current) if current.is_doomed() => {
            end::stop_current(current);
            run_next(cpu);
        }
        Some(current) => {
            if let Some(candidate) = cpu.handoff.take() {
                if candidate.priority() > current.priority() {
                    preempt(current);
                    enqueue(machine::id(), candidate);
                    return run_next(cpu);
                }
                place(candidate);
            }
            if cpu.rotate.load(Ordering::Relaxed) {
                rotate(cpu, current);
            }
        }
    }
}

#[cold]
fn rotate(cpu: &Cpu, current: Ref<Thread>) {
    cpu.rotate.store(false, Ordering::Relaxed);
    let better = cpu.queue.lock().highest().is_some_and(|top| top >= current.priority());
    if better {
        preempt(current);
        run_next(cpu);
    }
}

/// When the event is handled, others of the current thread's priority or above go first.
///
/// Not at once: as long as the event is being handled the current thread's ring is being worked on, and from the moment it is in
/// a queue another CPU may run it.
pub(crate) fn ask_for_rotation() {
    let cpu = cpu::here();
    cpu.unsettled.store(true, Ordering::Relaxed);
    cpu.rotate.store(true, Ordering::Relaxed);
}

/// The timer went off: if others wait, the current thread's turn may be over.
pub(crate) fn check_slice() {
    let cpu = cpu::here();
    if cpu.queue.lock().is_empty() {
        return;
    }
    let end = cpu.slice_end.load(Ordering::Relaxed);
    if time::now_ns() >= end { ask_for_rotation() } else { timers::ensure_armed(end) }
}

/// The current thread stays ready and leaves the CPU; one that was to end, and was found here by who marked it, ends here.
fn preempt(current: Ref<Thread>) {
    let mut state = current.state.lock();
    if current.is_doomed() {
        drop(state);
        return end::stop_current(current);
    }
    state.run = Run::Ready;
    drop(state);
    give_up_current();
    enqueue(machine::id(), current);
}

fn run_next(cpu: &Cpu) {
    if let Some(candidate) = cpu.handoff.take() {
        let better = cpu.queue.lock().highest().is_some_and(|top| top > candidate.priority());
        if better {
            enqueue(machine::id(), candidate);
        } else if switch_to(cpu, candidate) {
            return;
        }
    }
    loop {
        let next = cpu.queue.lock().pop().map(|(_, thread)| thread);
        let Some(thread) = next.or_else(steal) else {
            if go_idle(cpu) {
                return;
            }
            continue;
        };
        if switch_to(cpu, thread) {
            return share_the_cpu(cpu);
        }
    }
}

/// Makes `thread` what this CPU resumes. False when it died meanwhile.
#[inline]
fn switch_to(cpu: &Cpu, thread: Ref<Thread>) -> bool {
    let id = machine::id();
    let mut state = thread.state.lock();
    if state.run == Run::Dead {
        return false;
    }
    state.run = Run::Running(id);
    state.queued = None;
    drop(state);
    thread.home.store(id as u32, Ordering::Relaxed);
    account(cpu, Some(&thread.process));
    cpu::count(&cpu.switches);
    user::run(&thread.context);
    let left = CURRENT.replace(Some(thread));
    drop(left);
    true
}

/// Makes `next`, whose state says so already, what this CPU resumes, in the time of whoever pays now; gives the thread that was current.
#[inline(always)]
pub(crate) fn switch_directly(cpu: &Cpu, next: Ref<Thread>) -> Option<Ref<Thread>> {
    cpu::count(&cpu.switches);
    user::run(&next.context);
    CURRENT.replace(Some(next))
}

/// Whether the CPU may go back from `server` to `caller` without choosing: nobody is waiting who would go first, and the time that passes is
/// the caller's.
#[inline(always)]
pub(crate) fn may_resume(cpu: &Cpu, caller: &Thread, server: &Thread) -> bool {
    let first =
        !server.is_above(caller) || cpu.queue.lock().highest().is_none_or(|top| top <= caller.priority());
    first && cpu.payer.holds(&caller.process)
}

/// Nothing to do here. False when there is after all.
fn go_idle(cpu: &Cpu) -> bool {
    account(cpu, None);
    let bit = own_bit();
    IDLE.fetch_or(bit, Ordering::SeqCst);
    // Whoever queued a thread before seeing the bit did not kick us: look again.
    if !cpu.queue.lock().is_empty() {
        IDLE.fetch_and(!bit, Ordering::SeqCst);
        return false;
    }
    user::run_idle();
    true
}

/// Charges the time since the last switch to whoever had it; from now on `next` pays.
#[inline]
fn account(cpu: &Cpu, next: Option<&Ref<Process>>) {
    if next.is_some_and(|process| cpu.payer.holds(process)) {
        return;
    }
    let now = time::ticks();
    let spent = now.saturating_sub(cpu.since.load(Ordering::Relaxed));
    cpu.since.store(now, Ordering::Relaxed);
    let payer = match next {
        Some(process) => cpu.payer.put(process.clone()),
        None => cpu.payer.take(),
    };
    match payer {
        Some(process) => {
            process.cpu_ticks.fetch_add(spent, Ordering::Relaxed);
        }
        None => {
            cpu.idle_ticks.fetch_add(spent, Ordering::Relaxed);
            IDLE.fetch_and(!own_bit(), Ordering::SeqCst);
        }
    }
}

fn own_bit() -> u64 {
    1 << (machine::id() % 64)
}

/// Finds a queue for a ready thread: that of an idle CPU if there is one, else this one's.
fn place(thread: Ref<Thread>) {
    let idle = IDLE.load(Ordering::SeqCst) & !own_bit();
    if idle == 0 {
        enqueue(machine::id(), thread);
        share_the_cpu(cpu::here());
        return;
    }
    let home = thread.home.load(Ordering::Relaxed);
    let target = if idle & (1 << (home % 64)) != 0 { home as usize } else { idle.trailing_zeros() as usize };
    enqueue(target, thread);
    machine::kick(target);
}

/// Puts a ready thread into the queue of CPU number `id`, unless it died meanwhile.
fn enqueue(id: usize, thread: Ref<Thread>) {
    let mut state = thread.state.lock();
    if state.run == Run::Dead {
        return;
    }
    // Never refused: every queue has room for every thread, reserved when the thread was made.
    let pushed = cpu::of(id).queue.lock().push(thread.priority(), thread.clone());
    state.queued = pushed.ok().map(|handle| (id, handle));
}

/// Puts a thread that is in the queue of CPU number `id` behind those of another priority. `None` when it has left the queue.
pub(crate) fn requeue(id: usize, handle: Handle, priority: Priority) -> Option<Handle> {
    let mut queue = cpu::of(id).queue.lock();
    let thread = queue.remove(handle)?;
    // Never refused: a place has just become free.
    queue.push(priority, thread).ok()
}

/// Takes a thread that died out of its queue.
pub(crate) fn remove(id: usize, handle: Handle) {
    let thread = cpu::of(id).queue.lock().remove(handle);
    // It may be the last reference: let go of it outside of the lock.
    drop(thread);
}

/// Somebody waits behind the current thread: its turn gets an end.
fn share_the_cpu(cpu: &Cpu) {
    if cpu.queue.lock().is_empty() {
        return;
    }
    let end = time::now_ns().saturating_add(SLICE_NS);
    cpu.slice_end.store(end, Ordering::Relaxed);
    timers::ensure_armed(end);
}

/// A ready thread from another CPU's queue. Looks at each queue once and waits for none.
fn steal() -> Option<Ref<Thread>> {
    let (here, cpus) = (machine::id(), machine::count());
    (1..cpus).find_map(|step| cpu::of((here + step) % cpus).queue.try_lock()?.pop()).map(|(_, thread)| thread)
}
