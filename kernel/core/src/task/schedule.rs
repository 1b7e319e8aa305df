//! Who runs next.
//!
//! Fixed priorities, first come first served within one, those to whom time was promised before the others. An event makes threads ready with [`make_ready`]; its handler ends with
//! [`settle`], which alone decides what this CPU resumes. The thread made ready last is not queued but kept at hand: if the caller
//! goes to sleep, as a client and a server do in turn, the CPU switches to it directly.

use crate::task::cpu::{self, CURRENT, Cpu, IDLE};
use crate::task::end;
use crate::task::process::Process;
use crate::task::stop;
use crate::task::thread::{Place, Run, Thread};
use crate::task::{donation, meter, steal, timers};
use capos_sched::Rank;
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
        // It may outrank the current thread though whoever is at hand now does not.
        preempt_if_outranked(cpu);
    }
}

/// The current thread, which just went to sleep or died, no longer belongs to this CPU.
#[inline]
pub(crate) fn give_up_current() {
    drop(take_current());
}

/// The same, for whoever is to keep it.
#[inline]
pub(crate) fn take_current() -> Option<Ref<Thread>> {
    let cpu = cpu::here();
    cpu.unsettled.store(true, Ordering::Relaxed);
    CURRENT.replace(None)
}

/// Decides what this CPU resumes. Every handler ends with it.
#[inline]
pub(crate) fn settle(cpu: &'static Cpu) {
    if cpu.unsettled.load(Ordering::Relaxed) {
        cpu.unsettled.store(false, Ordering::Relaxed);
        match cpu.rotate.load(Ordering::Relaxed) {
            true => end_turn(cpu),
            false if CURRENT.is_empty() => rest_is_over(cpu),
            false => decide(cpu),
        }
    }
}

/// The same when the current thread's turn is over: mostly nothing else is to be decided.
#[inline(never)]
fn end_turn(cpu: &'static Cpu) {
    if cpu.handoff.is_empty()
        && let Some(current) = cpu::current()
    {
        rotate(cpu, current);
        if cpu.handoff.is_empty() {
            return;
        }
    }
    decide(cpu);
}

/// The same where nobody runs: there is nothing to choose between.
#[inline(never)]
fn rest_is_over(cpu: &'static Cpu) {
    run_next(cpu);
    if !cpu.handoff.is_empty() {
        decide(cpu);
    }
}

/// Decides until nobody is at hand any more. Who was to stop and arrives here has his debugger made ready, at any point of a decision: nothing
/// else would take that one from the hand of a CPU on which nothing happens for long.
#[inline(never)]
fn decide(cpu: &'static Cpu) {
    loop {
        choose(cpu);
        if cpu.handoff.is_empty() {
            return;
        }
    }
}

#[inline(always)]
fn choose(cpu: &'static Cpu) {
    match cpu::current() {
        None => run_next(cpu),
        Some(current) if current.needs_attention() => {
            attend(current);
            run_next(cpu);
        }
        Some(current) => {
            if let Some(candidate) = cpu.handoff.take() {
                if candidate.rank() > current.rank() {
                    return give_way(cpu, current, candidate);
                }
                place(candidate);
                // It made somebody ready and runs on: if it did so for a client, that one has its answer or waits no more than others.
                if !cpu.payer.holds(&current.process) && !pay_oneself(cpu, &current) {
                    meter::out_of_time(cpu);
                }
            }
            if cpu.rotate.load(Ordering::Relaxed) {
                rotate_at_last(cpu, current);
            }
        }
    }
}

/// [`rotate`], after all else.
#[cold]
#[inline(never)]
fn rotate_at_last(cpu: &Cpu, current: Ref<Thread>) {
    rotate(cpu, current);
}

/// The current thread goes behind its equals; nothing happens when there are none and it may go on.
#[inline(always)]
fn rotate(cpu: &Cpu, current: Ref<Thread>) {
    cpu.rotate.store(false, Ordering::Relaxed);
    if meter::is_over(cpu) {
        return set_aside(cpu, current);
    }
    let mut state = current.state.lock();
    if current.needs_attention() {
        drop(state);
        attend(current);
        return run_next(cpu);
    }
    let exchanged = cpu.queue.lock().exchange(current.rank(), current.clone());
    let Ok((handle, next)) = exchanged else { return };
    state.run = Run::Ready;
    state.queued = Some(Place::Queue(machine::id(), handle));
    drop(state);
    if let Some(now) = switch(cpu, next) {
        return begin_turn(cpu, time::ticks_to_ns(now));
    }
    give_up_current();
    run_next(cpu)
}

/// The current thread has no time left.
#[cold]
#[inline(never)]
fn set_aside(cpu: &Cpu, current: Ref<Thread>) {
    if let Some(current) = leave(current) {
        meter::set_aside(cpu, current);
    }
    run_next(cpu)
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

/// When the event is handled, whoever is ready here and of a higher rank than the current thread goes first.
///
/// Equals go on: as those who are promised time get it in the end, changing between them only makes it more likely that the last one
/// is alone with two CPUs.
pub(crate) fn preempt_if_outranked(cpu: &Cpu) {
    let running = cpu::current().map(|current| current.rank());
    if cpu.queue.lock().highest() > running {
        ask_for_rotation();
    }
}

/// How long `process` has used the processors, in ticks of the clock, up to now.
pub(crate) fn time_of(process: &Ref<Process>) -> u64 {
    let now = time::ticks();
    let before = process.cpu_ticks.load(Ordering::Relaxed);
    // A CPU that changes meanwhile may be missed: its time is there at the next look.
    let since = (0..machine::count()).map(cpu::of).filter(|cpu| cpu.payer.holds(process));
    since.map(|cpu| now.saturating_sub(cpu.since.load(Ordering::Relaxed))).fold(before, u64::saturating_add)
}

/// How long a CPU had nobody, in ticks of the clock, up to now.
pub(crate) fn idle_time_of(cpu: &Cpu) -> u64 {
    let before = cpu.idle_ticks.load(Ordering::Relaxed);
    if !cpu.payer.is_empty() {
        return before;
    }
    // If it changes meanwhile, a little may be counted twice or missed: the next look is right again.
    before.saturating_add(time::ticks().saturating_sub(cpu.since.load(Ordering::Relaxed)))
}

/// The timer went off: if others wait, the current thread's turn may be over.
pub(crate) fn check_slice() {
    let cpu = cpu::here();
    if cpu.queue.lock().is_empty() {
        return;
    }
    let end = cpu.slice_end.load(Ordering::Relaxed);
    if time::now_ns() < end {
        return timers::ensure_armed(end);
    }
    ask_for_rotation();
    // Also when nobody who waits may run instead of the current thread: who does may be another before the next event.
    share_the_cpu(cpu);
}

/// The current thread, which was found here by who marked it, ends or stops.
#[cold]
fn attend(current: Ref<Thread>) {
    if current.is_doomed() { end::stop_current(current) } else { stop::asked(&current) }
}

/// The current thread stays ready, unless it is to end or to stop, and leaves the CPU to who outranks it: [`place`] and the rest under one
/// lock.
#[inline(always)]
fn give_way(cpu: &Cpu, current: Ref<Thread>, candidate: Ref<Thread>) {
    let mut state = current.state.lock();
    if current.needs_attention() {
        drop(state);
        attend(current);
        place(candidate);
        return run_next(cpu);
    }
    state.run = Run::Ready;
    let (here, mut top) = (machine::id(), None);
    let placed = IDLE.place(here, current.home.load(Ordering::Relaxed) as usize, |id| {
        let mut queue = cpu::of(id).queue.lock();
        top = queue.highest();
        // Never refused: room was reserved.
        let pushed = queue.push(current.rank(), current.clone());
        state.queued = pushed.ok().map(|handle| Place::Queue(id, handle));
    });
    drop(state);
    if let Some(idle) = placed.kick {
        machine::kick(idle);
    }
    let is_here = placed.on == here;
    if !is_here {
        top = cpu.queue.lock().highest();
    }
    if top.is_some_and(|top| top > candidate.rank()) {
        place(candidate);
    } else if let Some(now) = switch(cpu, candidate) {
        if is_here {
            begin_turn(cpu, time::ticks_to_ns(now));
        }
        return;
    }
    if is_here {
        share_the_cpu(cpu);
    }
    give_up_current();
    run_next(cpu);
}

/// The current thread is ready and no longer runs; one that was to end, and was found here by who marked it, ends here.
fn leave(current: Ref<Thread>) -> Option<Ref<Thread>> {
    let mut state = current.state.lock();
    if current.needs_attention() {
        drop(state);
        attend(current);
        return None;
    }
    state.run = Run::Ready;
    drop(state);
    give_up_current();
    Some(current)
}

fn run_next(cpu: &Cpu) {
    if let Some(candidate) = cpu.handoff.take() {
        let better = cpu.queue.lock().highest().is_some_and(|top| top > candidate.rank());
        if better {
            enqueue(machine::id(), candidate);
        } else if switch_to(cpu, candidate) {
            return;
        }
    }
    loop {
        let next = cpu.queue.lock().pop().map(|(_, thread)| thread);
        let Some(thread) = next.or_else(steal::any) else {
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

/// Makes `thread` what this CPU resumes. False when it died or was stopped meanwhile, or has no time left.
#[inline]
fn switch_to(cpu: &Cpu, thread: Ref<Thread>) -> bool {
    switch(cpu, thread).is_some()
}

/// The same; says since when, in ticks of the clock.
#[inline(always)]
fn switch(cpu: &Cpu, thread: Ref<Thread>) -> Option<u64> {
    if (thread.share.is_some() || meter::is_on(cpu)) && !meter::change(cpu, &thread) {
        meter::set_aside(cpu, thread);
        return None;
    }
    let id = machine::id();
    let mut state = thread.state.lock();
    if state.run != Run::Ready {
        drop(state);
        stop::arrived(&thread);
        return None;
    }
    state.run = Run::Running(id);
    state.queued = None;
    drop(state);
    thread.home.store(id as u32, Ordering::Relaxed);
    let now = time::ticks();
    account_at(cpu, Some(&thread.process), || now);
    cpu::count(&cpu.switches);
    user::run(&thread.context);
    let left = CURRENT.replace(Some(thread));
    drop(left);
    Some(now)
}

/// The current thread, which just went to sleep, leaves the CPU to whoever is at hand, if there is nothing to choose.
#[inline]
pub(crate) fn follow(cpu: &Cpu) {
    let Some(next) = cpu.handoff.take() else { return give_up_current() };
    if !may_follow(cpu, &next) {
        // Nobody has come since it was taken.
        drop(cpu.handoff.put(next));
        return give_up_current();
    }
    if switch_to(cpu, next) {
        return cpu.unsettled.store(!cpu.handoff.is_empty(), Ordering::Relaxed);
    }
    give_up_current();
}

/// Makes `next`, whose state says so already, what this CPU resumes, in the time of whoever pays now; gives the thread that was current.
#[inline(always)]
pub(crate) fn switch_directly(cpu: &Cpu, next: Ref<Thread>) -> Option<Ref<Thread>> {
    cpu::count(&cpu.switches);
    user::run(&next.context);
    CURRENT.replace(Some(next))
}

/// The same in the time of `next`.
#[inline(always)]
pub(crate) fn switch_in_turn(cpu: &Cpu, next: Ref<Thread>) -> Option<Ref<Thread>> {
    account(cpu, Some(&next.process));
    switch_directly(cpu, next)
}

/// Whether the CPU may go on with `next` without choosing when the current thread goes to sleep: nobody is waiting who would go first, and
/// neither's time is limited.
#[inline(always)]
pub(crate) fn may_follow(cpu: &Cpu, next: &Thread) -> bool {
    cpu.queue.lock().highest().is_none_or(|top| top <= next.rank())
        && next.share.is_none()
        && !meter::is_on(cpu)
}

/// Whether the CPU may go back from `server` to `caller` without choosing: nobody is waiting who would go first, and the time that passes is
/// the caller's; or, if that is to be looked for, that of somebody for whom it works itself.
#[inline(always)]
pub(crate) fn may_resume<const LOOKS: bool>(cpu: &Cpu, caller: &Ref<Thread>, server: &Thread) -> bool {
    let first = !server.is_above(caller) || cpu.queue.lock().highest().is_none_or(|top| top <= caller.rank());
    first && (cpu.payer.holds(&caller.process) || LOOKS && donation::reaches(cpu, caller))
}

/// Nothing to do here. False when there is after all.
fn go_idle(cpu: &Cpu) -> bool {
    if meter::is_on(cpu) {
        meter::idle(cpu);
    }
    account(cpu, None);
    let idle = IDLE.rest(machine::id(), steal::somebody_waits);
    if idle {
        user::run_idle();
    }
    idle
}

/// Charges the time since the last switch to whoever had it and has it on.
pub(crate) fn charge_payer(cpu: &Cpu) {
    if let Some(process) = cpu.payer.take() {
        process.cpu_ticks.fetch_add(elapsed(cpu, time::ticks()), Ordering::Relaxed);
        drop(cpu.payer.put(process));
    }
}

/// The current thread goes on in its own time, whoever paid before. False when it has none left.
#[cold]
pub(crate) fn pay_oneself(cpu: &Cpu, current: &Ref<Thread>) -> bool {
    let has_time = (current.share.is_none() && !meter::is_on(cpu)) || meter::change(cpu, current);
    account(cpu, Some(&current.process));
    has_time
}

/// The ticks until `now` since this was asked last.
#[inline]
fn elapsed(cpu: &Cpu, now: u64) -> u64 {
    let spent = now.saturating_sub(cpu.since.load(Ordering::Relaxed));
    cpu.since.store(now, Ordering::Relaxed);
    spent
}

/// Charges the time since the last switch to whoever had it; from now on `next` pays.
#[inline]
fn account(cpu: &Cpu, next: Option<&Ref<Process>>) {
    account_at(cpu, next, time::ticks);
}

/// The same at that time.
#[inline(always)]
fn account_at(cpu: &Cpu, next: Option<&Ref<Process>>, now: impl FnOnce() -> u64) {
    if next.is_some_and(|process| cpu.payer.holds(process)) {
        return;
    }
    let spent = elapsed(cpu, now());
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
            IDLE.rise(machine::id());
        }
    }
}

/// Finds a queue for a ready thread: that of an idle CPU if there is one, else this one's.
pub(crate) fn place(thread: Ref<Thread>) {
    let (here, home) = (machine::id(), thread.home.load(Ordering::Relaxed));
    let placed = IDLE.place(here, home as usize, |id| enqueue(id, thread));
    if let Some(idle) = placed.kick {
        machine::kick(idle);
    }
    if placed.on == here {
        share_the_cpu(cpu::here());
    }
}

/// Puts a ready thread into the queue of CPU number `id`, unless it died or was stopped meanwhile.
fn enqueue(id: usize, thread: Ref<Thread>) {
    let mut state = thread.state.lock();
    if state.run != Run::Ready {
        drop(state);
        return stop::arrived(&thread);
    }
    // Never refused: every queue has room for every thread, reserved when the thread was made.
    let pushed = cpu::of(id).queue.lock().push(thread.rank(), thread.clone());
    state.queued = pushed.ok().map(|handle| Place::Queue(id, handle));
}

/// Puts a thread that waits in a queue behind those of another rank. `None` when it has left the queue. One that was put aside gets another
/// chance: somebody urgent waits for it, or does so no more.
#[cold]
pub(crate) fn requeue(place: Place, rank: Rank) -> Option<Place> {
    let (id, thread) = match place {
        Place::Queue(id, handle) => (id, cpu::of(id).queue.lock().remove(handle)?),
        Place::Aside(id, handle) => (id, cpu::of(id).aside.lock().remove(handle)?),
    };
    // Never refused: room was reserved.
    let handle = cpu::of(id).queue.lock().push(rank, thread).ok()?;
    look_again(id);
    Some(Place::Queue(id, handle))
}

/// CPU number `id` looks again who goes first there: the rank of somebody who waits for it, or runs on it, has changed.
#[cold]
pub(crate) fn look_again(id: usize) {
    if id == machine::id() { preempt_if_outranked(cpu::here()) } else { machine::kick(id) }
}

/// Takes a thread that died out of its queue.
pub(crate) fn remove(place: Place) {
    let thread = take_out(place);
    // It may be the last reference: let go of it outside of the lock.
    drop(thread);
}

/// Takes a thread out of its queue, if it has not left it.
pub(crate) fn take_out(place: Place) -> Option<Ref<Thread>> {
    match place {
        Place::Queue(id, handle) => cpu::of(id).queue.lock().remove(handle),
        Place::Aside(id, handle) => cpu::of(id).aside.lock().remove(handle),
    }
}

/// Somebody waits behind the current thread: its turn gets an end.
fn share_the_cpu(cpu: &Cpu) {
    if cpu.queue.lock().is_empty() {
        return;
    }
    begin_turn(cpu, time::now_ns());
}

/// The current thread's turn begins at `now`, and somebody waits for its end.
#[inline(always)]
fn begin_turn(cpu: &Cpu, now: u64) {
    let end = now.saturating_add(SLICE_NS);
    cpu.slice_end.store(end, Ordering::Relaxed);
    if end < cpu.armed.load(Ordering::Relaxed) {
        timers::ensure_armed(end);
    }
}
