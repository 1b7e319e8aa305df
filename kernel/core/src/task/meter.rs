//! Whose share the time on a CPU is taken from, and what happens when it is used up.
//!
//! A CPU that runs a thread with a limited share takes a little of it beforehand and sets the timer for when that is over. What is over is
//! settled; when nothing more is to be had, the thread waits aside, in its CPU's queue of those without time, until the next period.
//! A server that works in its client's time when that ends goes on in its own: it is never held up by a client's poverty.
//! One that more urgent callers wait for may overdraw its own share by one period's worth, so that they do not wait for its poverty either.
//! Threads without a limited share cost nothing here.
//!
//! Whose share the time is taken from and to whom it is charged changes at the same moment: a processor of a virtual machine may stand still for
//! long, and does so most likely when it sets the timer, while the clock goes on. What setting the timer takes is for who came before.

use crate::task::cpu::{self, Cpu};
use crate::task::schedule;
use crate::task::share::Share;
use crate::task::stop::arrived;
use crate::task::thread::{Place, Run, Thread};
use crate::task::timers;
use capos_sched::bucket::next_period;
use core::sync::atomic::Ordering;
use kernel_hal::cpu as machine;
use kernel_hal::own::Own;
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Longest time that a CPU takes at once, nanoseconds: so much of a process's share others of its threads may lack on other CPUs.
const GRANT_NS: u64 = 1_000_000;
/// [`Cpu::grant_end`] of a CPU whose time is limited by nobody.
pub(crate) const UNLIMITED: u64 = u64::MAX;
/// [`Cpu::grant_end`] when the current thread has no time left and is about to leave.
const OVER: u64 = 0;
/// Threads that one interrupt takes back at the beginning of a period; further ones come with the next, which follows at once.
const BATCH: usize = 64;

/// The share that this CPU's time is taken from; `None` when that is limited by nobody.
static METER: Own<Share> = Own::empty();

/// Whether the time that passes on this CPU is taken from somebody's share.
#[inline]
pub(crate) fn is_on(cpu: &Cpu) -> bool {
    cpu.grant_end.load(Ordering::Relaxed) != UNLIMITED
}

/// Whether the current thread has no time left.
#[inline]
pub(crate) fn is_over(cpu: &Cpu) -> bool {
    cpu.grant_end.load(Ordering::Relaxed) == OVER
}

/// From now on `next` uses this CPU in its own time. False when it has none left.
#[cold]
pub(crate) fn change(cpu: &Cpu, next: &Thread) -> bool {
    let now = time::now_ns();
    if cpu.payer.holds(&next.process) && is_on(cpu) && now < cpu.grant_end.load(Ordering::Relaxed) {
        return true;
    }
    let before = stop(cpu, now);
    let Some(share) = &next.share else { return true };
    let Some(late) = start(cpu, share, now, next.is_raised()) else { return hold(cpu, before, now) };
    if let Some(before) = before {
        before.settle(0, late);
    }
    true
}

/// From now on this CPU's time is nobody's.
#[cold]
pub(crate) fn idle(cpu: &Cpu) {
    let before = stop(cpu, time::now_ns());
    drop(before);
}

/// Settles what was taken, and says from whom.
fn stop(cpu: &Cpu, now: u64) -> Option<Ref<Share>> {
    cpu.grant_end.store(UNLIMITED, Ordering::Relaxed);
    METER.replace(None).inspect(|share| {
        let used = now.saturating_sub(cpu.grant_start.load(Ordering::Relaxed));
        share.settle(cpu.granted.load(Ordering::Relaxed), used);
    })
}

/// Takes time out of `share`, which is used from when the timer is set; gives how long that took. `None` when there is none.
fn start(cpu: &Cpu, share: &Ref<Share>, now: u64, pressed: bool) -> Option<u64> {
    let granted = share.take(now, GRANT_NS, pressed);
    if granted == 0 {
        return None;
    }
    let end = now.saturating_add(granted);
    timers::ensure_armed(end);
    let begun = time::now_ns();
    measure(cpu, share.clone(), begun, granted, end);
    Some(begun.saturating_sub(now))
}

/// The time from `now` on, of which so much was taken, is of `share`.
fn measure(cpu: &Cpu, share: Ref<Share>, now: u64, granted: u64, end: u64) {
    cpu.granted.store(granted, Ordering::Relaxed);
    cpu.grant_start.store(now, Ordering::Relaxed);
    cpu.grant_end.store(end, Ordering::Relaxed);
    let before = METER.replace(Some(share));
    drop(before);
}

/// Nobody else has come: until the current thread has left, its time is that of `share` still. False.
#[cold]
fn hold(cpu: &Cpu, share: Option<Ref<Share>>, now: u64) -> bool {
    share.into_iter().for_each(|share| measure(cpu, share, now, 0, OVER));
    false
}

/// The timer went off: what was taken may be used up.
pub(crate) fn check(cpu: &Cpu) {
    let end = cpu.grant_end.load(Ordering::Relaxed);
    if end == UNLIMITED {
        return;
    }
    let now = time::now_ns();
    if now < end {
        return timers::ensure_armed(end);
    }
    let Some(share) = stop(cpu, now) else { return };
    let Some(current) = cpu::current() else { return };
    schedule::charge_payer(cpu);
    let own = cpu.payer.holds(&current.process);
    if let Some(late) = start(cpu, &share, now, own && current.is_raised()) {
        return share.settle(0, late);
    }
    hold(cpu, Some(share), now);
    // A client that paid has nothing left: its server goes on in its own time.
    if own || !schedule::pay_oneself(cpu, &current) {
        out_of_time(cpu);
    }
}

/// The current thread has no time left: it leaves when the event is handled.
#[cold]
pub(crate) fn out_of_time(cpu: &Cpu) {
    cpu.grant_end.store(OVER, Ordering::Relaxed);
    schedule::ask_for_rotation();
}

/// Puts a ready thread without time aside until the next period, unless it died or was stopped meanwhile.
#[cold]
pub(crate) fn set_aside(cpu: &Cpu, thread: Ref<Thread>) {
    let mut state = thread.state.lock();
    if state.run != Run::Ready {
        drop(state);
        return arrived(&thread);
    }
    // Never refused: every such queue has room for every thread, reserved when the thread was made.
    let pushed = cpu.aside.lock().push(thread.rank(), thread.clone());
    state.queued = pushed.ok().map(|handle| Place::Aside(machine::id(), handle));
    drop(state);
    let at = next_period(time::now_ns());
    if at < cpu.period_at.load(Ordering::Relaxed) {
        cpu.period_at.store(at, Ordering::Relaxed);
    }
    timers::ensure_armed(cpu.period_at.load(Ordering::Relaxed));
}

/// The timer went off: a new period may have begun, in which those who were put aside have time again.
pub(crate) fn check_period(cpu: &Cpu) {
    let at = cpu.period_at.load(Ordering::Relaxed);
    if at == u64::MAX {
        return;
    }
    let now = time::now_ns();
    if now < at {
        return timers::ensure_armed(at);
    }
    let mut again = u64::MAX;
    for taken in 0.. {
        let next = cpu.aside.lock().pop();
        let Some((_, thread)) = next else { break };
        schedule::place(thread);
        if taken == BATCH {
            again = now;
            break;
        }
    }
    cpu.period_at.store(again, Ordering::Relaxed);
    timers::ensure_armed(again);
    schedule::preempt_if_outranked(cpu);
}
