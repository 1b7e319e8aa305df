//! Alarms: ends of waits and of sleeps, kept per CPU.

use crate::cap::alarm::Bell;
use crate::ipc::ops::{OpId, Ticket};
use crate::ipc::timed;
use crate::task::cpu;
use crate::task::thread::Thread;
use capos_abi::TransportError;
use capos_sched::Key;
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

/// Sets the alarm that ends wait number `epoch` of `thread`.
pub(crate) fn arm_wait(thread: &Ref<Thread>, epoch: u64, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    arm(Due::Wait(thread.clone(), epoch), at_ns)
}

/// Sets the alarm that ends a sleep of the current thread. It goes off on this CPU, so not before the event being handled is over.
pub(crate) fn arm_sleep(ticket: Ticket, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    arm(Due::Sleep(ticket), at_ns)
}

/// Sets the alarm for the deadline of operation `id` of the current thread.
pub(crate) fn arm_deadline(thread: &Ref<Thread>, id: OpId, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    arm(Due::Deadline(thread.clone(), id), at_ns)
}

/// Sets the alarm that rings `bell` in its setting number `turn`.
pub(crate) fn arm_bell(bell: &Ref<Bell>, turn: u64, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    arm(Due::Bell(bell.clone(), turn), at_ns)
}

fn arm(due: Due, at_ns: u64) -> Result<Alarm, OutOfMemory> {
    let cpu = machine::id();
    let inserted = cpu::of(cpu).deadlines.lock().insert(at_ns, due);
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

/// Lets everything happen whose time has come on this CPU, and arms the timer for the next.
pub(crate) fn run_due() {
    let cpu = cpu::here();
    cpu.armed.store(u64::MAX, Ordering::Relaxed);
    loop {
        let due = cpu.deadlines.lock().pop_due(time::now_ns());
        match due {
            Some(Due::Wait(thread, epoch)) => Thread::time_out(&thread, epoch),
            Some(Due::Sleep(ticket)) => {
                ticket.answer(&[]);
            }
            Some(Due::Deadline(thread, id)) => timed::expire(&thread, id, TransportError::TimedOut),
            Some(Due::Bell(bell, turn)) => bell.ring(turn),
            None => break,
        }
    }
    let next = cpu.deadlines.lock().next();
    if let Some(next) = next {
        ensure_armed(next);
    }
}
