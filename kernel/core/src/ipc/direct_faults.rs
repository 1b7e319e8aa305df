//! The shortest way of a fault to who mends faults, if he rests in a `ProcessDebug.resumeAndWait`: from the thread that stops straight to his.
//!
//! As in `direct.rs` everything is looked at first, waiting for no lock, and nothing changes when the answer is `false`: then the fault goes
//! the ordinary way, as `task/stop.rs` and `task/debug.rs` have it. Whoever mends works in his own time.

use crate::ipc::ops::{OpId, Ticket};
use crate::task::cpu::Cpu;
use crate::task::debug::{BRIEF, Waiter, in_brief};
use crate::task::stop::Cause;
use crate::task::thread::Thread;
use crate::task::{schedule, stop};
use capos_abi::Cqe;
use capos_schema::Encode;
use kernel_hal::Fault;
use kernel_hal::order;
use kernel_hal::sync::Ref;

/// The current thread raised an exception. True when it has stopped, and who waited for that runs instead.
#[inline(always)]
pub(crate) fn fault(cpu: &Cpu, thread: &Ref<Thread>, fault: Fault) -> bool {
    fault_with::<false>(cpu, thread, fault) || order::is_checked() && fault_watched(cpu, thread, fault)
}

/// The same of locks that are watched.
#[cold]
#[inline(never)]
fn fault_watched(cpu: &Cpu, thread: &Ref<Thread>, fault: Fault) -> bool {
    fault_with::<true>(cpu, thread, fault)
}

#[inline(always)]
fn fault_with<const WATCHED: bool>(cpu: &Cpu, thread: &Ref<Thread>, fault: Fault) -> bool {
    let Some(mut debug) = thread.process.debug.try_lock::<WATCHED>() else { return false };
    let Some(Waiter { ticket: Ticket { thread: handler, id: OpId::SOLE }, brief: true }) = debug.waiter()
    else {
        return false;
    };
    let Some(mut waiting) = handler.state.try_lock::<WATCHED>() else { return false };
    let to = &waiting.ops.sole.buffers;
    if !waiting.rests() || (to.answer.len() as usize) < BRIEF || !schedule::may_follow(cpu, handler) {
        return false;
    }
    let Some(mut own) = thread.state.try_lock::<WATCHED>() else { return false };
    if thread.needs_attention() || own.is_stepping() {
        return false;
    }
    // From here on nothing can fail: the room for the answer is in the arena since it was asked for.
    let cause = Cause::Fault(fault);
    let mut bytes = [0; BRIEF];
    let len = in_brief(thread, cause).encode(&mut bytes).unwrap_or(0);
    let _ = handler.ring.arena_write(to.answer.off(), bytes.get(..len).unwrap_or_default());
    let cqe = Cqe { user_data: to.user_data, result: len as i32, ..Cqe::default() };
    let at = waiting.resume_with(handler, OpId::SOLE, &cqe);
    drop(waiting);
    own.stop_told(cause);
    drop(own);
    stop::record(thread, cause);
    let left = debug.take_waiter().and_then(|waiter| schedule::switch_in_turn(cpu, waiter.ticket.thread));
    drop(debug);
    // Only now: the last of either would take locks.
    drop((left, at));
    true
}
