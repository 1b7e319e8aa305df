//! Alarms: ends of waits and of sleeps, kept per CPU.
//!
//! Thousands may go off at the same moment, and programs decide that. So an alarm has the priority of the thread that set it, as it was then: the
//! most urgent goes off first, however many others are due. One interrupt has some of them happen; what is left and more urgent
//! than who runs follows at once, so that other interrupts come in between, and the rest after a pause, in which who runs gets on.

use crate::cap::alarm::Bell;
use crate::ipc::ops::{OpId, Ticket};
use crate::ipc::timed;
use crate::task::cpu::{self, Cpu};
use crate::task::slice;
use crate::task::thread::Thread;
use capos_abi::TransportError;
use capos_sched::{Deadlines, Key, Priority, Rank};
use core::sync::atomic::Ordering;
use kernel_hal::cpu as machine;
use kernel_hal::sync::{OutOfMemory, Ref};
use kernel_hal::time;

/// What an alarm is for.
pub(crate) enum Due {
    /// The end of a thread's wait, if that wait still lasts.
    Wait(Ref<Thread>, u64),
    /// The end of a `Timer.sleepUntil`.
    Sleep(Ticket),
    /// The deadline of an operation, if it still pends.
    Deadline(Ref<Thread>, OpId),
    /// An `Alarm`, if that setting still counts.
    Bell(Ref<Bell>, u64),
}

/// Names an alarm that was set.
#[derive(Clone, Copy)]
pub(crate) struct Alarm {
    cpu: u32,
    key: Key,
}

impl Alarm {
    /// Names none: that of a wait which never ends.
    const NEVER: Alarm = Alarm { cpu: 0, key: Key::NOBODY };
}

/// The longest time that there is, less one: when the clock begins, not even that is reached.
pub(crate) const NEVER_NS: u64 = u64::MAX - 1;

/// Sets the alarm that ends wait number `epoch` of `thread`. None is needed for a time that does not come.
pub(crate) fn arm_wait(thread: &Ref<Thread>, epoch: u64, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    if at_ns >= NEVER_NS {
        return Ok(Alarm::NEVER);
    }
    arm(Due::Wait(thread.clone(), epoch), thread.priority(), at_ns)
}

/// Sets the alarm that ends a sleep of the current thread. It goes off on this CPU, so not before the event being handled is over.
pub(crate) fn arm_sleep(ticket: Ticket, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    let urgency = ticket.thread.priority();
    arm(Due::Sleep(ticket), urgency, at_ns)
}

/// Sets the alarm for the deadline of operation `id` of the current thread.
pub(crate) fn arm_deadline(thread: &Ref<Thread>, id: OpId, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    arm(Due::Deadline(thread.clone(), id), thread.priority(), at_ns)
}

/// Sets the alarm that rings `bell` in its setting number `turn`, for `thread`.
pub(crate) fn arm_bell(
    bell: &Ref<Bell>,
    turn: u64,
    thread: &Thread,
    at_ns: u64,
) -> Result<Alarm, OutOfMemory> {
    arm(Due::Bell(bell.clone(), turn), thread.priority(), at_ns)
}

fn arm(due: Due, urgency: Priority, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    let cpu = machine::id();
    let inserted = cpu::of(cpu).deadlines.lock().insert(at_ns, urgency, due);
    let key = inserted.map_err(|_| OutOfMemory)?;
    ensure_armed(at_ns);
    Ok(Alarm { cpu: cpu as u32, key })
}

/// Takes the alarm of a wait back; nothing happens when it has gone off.
pub(crate) fn disarm(alarm: Alarm) {
    let due = cpu::of(alarm.cpu as usize).deadlines.lock().remove(alarm.key);
    // The alarm may be the last to hold a thread: let go of it outside of the lock.
    drop(due);
}

/// Whether that alarm is still set and wakes operation `id` of `thread`.
pub(crate) fn holds(alarm: Alarm, thread: &Ref<Thread>, id: OpId) -> bool {
    let deadlines = cpu::of(alarm.cpu as usize).deadlines.lock();
    matches!(deadlines.get(alarm.key), Some(Due::Sleep(ticket)) if ticket.is(thread, id))
}

/// How many alarms are set.
pub(crate) fn count() -> usize {
    (0..machine::count()).map(|id| cpu::of(id).deadlines.lock().len()).sum()
}

/// Takes the alarm of a sleep back, and its ticket out of it. `None` when it has gone off.
pub(crate) fn take_back(alarm: Alarm) -> Option<Ticket> {
    match cpu::of(alarm.cpu as usize).deadlines.lock().remove(alarm.key)? {
        Due::Sleep(ticket) => Some(ticket),
        Due::Wait(..) | Due::Deadline(..) | Due::Bell(..) => None,
    }
}

/// Makes sure that this CPU's timer goes off at `at_ns` or earlier.
pub(crate) fn ensure_armed(at_ns: u64) {
    let cpu = cpu::here();
    if at_ns < cpu.armed.load(Ordering::Relaxed) {
        cpu.armed.store(at_ns, Ordering::Relaxed);
        time::arm(at_ns);
    }
}

/// Units of what goes off in one interrupt, an alarm being one; see task/slice.rs.
const BATCH: u32 = 16;
/// Time between two interrupts when alarms are left for later, for who runs: some times as long as one of them takes.
const PAUSE_NS: u64 = 50_000;

/// Lets happen whose time has come on this CPU, and arms the timer for what is left and for the next.
pub(crate) fn run_due() {
    let cpu = cpu::here();
    cpu.armed.store(u64::MAX, Ordering::Relaxed);
    let mut left = BATCH;
    while slice::take(&mut left) && run_one(cpu, &mut left) {}
    let running = if left == 0 { will_run(cpu) } else { None };
    let next = next(&cpu.deadlines.lock(), running);
    if let Some(next) = next {
        ensure_armed(next);
    }
}

/// When the timer is to go off again. While somebody of priority `running` is kept from it by what is due, it is for what is more urgent at
/// once, and for the rest after a pause.
fn next(deadlines: &Deadlines<Due>, running: Option<Priority>) -> Option<u64> {
    let Some(running) = running else { return deadlines.next() };
    let later = time::now_ns().saturating_add(PAUSE_NS);
    let urgent = deadlines.next_above(running);
    let others = deadlines.next().map(|at| at.max(later));
    urgent.into_iter().chain(others).min()
}

/// False when nothing is due.
fn run_one(cpu: &Cpu, left: &mut u32) -> bool {
    let due = cpu.deadlines.lock().pop_due(time::now_ns());
    match due {
        Some(Due::Wait(thread, epoch)) => Thread::time_out(&thread, epoch),
        Some(Due::Sleep(ticket)) => {
            ticket.answer(&[]);
        }
        Some(Due::Deadline(thread, id)) => {
            slice::look_through(left, timed::expire(&thread, id, TransportError::TimedOut));
        }
        Some(Due::Bell(bell, turn)) => bell.ring(turn),
        None => return false,
    }
    true
}

/// The highest priority of those who may run here when the interrupt is handled, if there are any.
fn will_run(cpu: &Cpu) -> Option<Priority> {
    let ready = cpu.queue.lock().highest();
    let running = cpu::current().map(|current| current.rank());
    let at_hand = cpu.handoff.take().map(|thread| {
        let rank = thread.rank();
        // Nobody has come since it was taken.
        drop(cpu.handoff.put(thread));
        rank
    });
    ready.max(running).max(at_hand).map(Rank::priority)
}
