//! Taking back what ended processes and threads had, in slices.
//!
//! What is to end stops at once; what it had may be much, and comes back bit by bit. The processor on which something ended takes the first
//! slice there and then, which is all of it for most. For each further one its timer goes off, so that interrupts come in between and whoever
//! is ready runs for as long; whoever waits for the end waits until all is done.
//!
//! Who ended first is done with first: however much ends behind it, those who wait for it hear of it when all before has come back.
//!
//! Somebody reaps a process as long as there is something to take back; nobody else does at that time. So a thread that ends somewhere else is
//! left to them.

use crate::boot;
use crate::cap::{Object, long};
use crate::ipc::endpoint::Endpoint;
use crate::task::cpu::{self, Cpu};
use crate::task::end::{self, wait_results};
use crate::task::process::{Corpse, Process, Remains, Status, Wants};
use crate::task::rest::Rest;
use crate::task::slice::{look_through, take};
use crate::task::thread::Thread;
use crate::task::trace;
use crate::task::{create, debug, registry, revoke, timers};
use capos_abi::TransportError;
use capos_mem::Resource;
use capos_schema::process_handle::TraceKind;
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Units of a slice. One is a pending operation, a capability, a table, a region or a piece of memory: some hundred instructions; see
/// task/slice.rs.
pub(crate) const SLICE: u32 = 128;
/// What a thread costs beside its operations.
const THREAD: u32 = 4;
/// Time between two slices, for who else is ready: about as long as one takes.
const PAUSE_NS: u64 = 50_000;

/// Something of `process` is to be taken back, and it is no longer current. Begins at once, unless somebody is at it.
pub(crate) fn begin(process: &Ref<Process>) {
    if process.threads.lock().begin_to_reap() {
        let cpu = cpu::here();
        cpu.dying.push(process.clone());
        go_on(cpu);
    }
}

/// The last right to receive at `endpoint` has gone. What is there ends: begins at once, unless this processor is at it, and then it
/// comes to that before whatever had the right is done with.
pub(crate) fn close(endpoint: &Ref<Endpoint>) {
    let cpu = cpu::here();
    // There is no way back to the list for who has left it, so nobody is in there twice.
    cpu.closing.push(endpoint.clone());
    go_on(cpu);
}

/// Closes what is to be closed. False when `left` is used up before.
fn close_endpoints(left: &mut u32) -> bool {
    let cpu = cpu::here();
    while let Some(endpoint) = cpu.closing.pop() {
        if !endpoint.close(left) {
            cpu.closing.put_back(endpoint);
            return false;
        }
    }
    true
}

/// The timer went off: the next slice, if there is one.
#[inline]
pub(crate) fn check(cpu: &Cpu) {
    if is_busy(cpu) {
        go_on(cpu);
    }
}

fn is_busy(cpu: &Cpu) -> bool {
    !cpu.dying.is_empty() || !cpu.closing.is_empty()
}

/// One slice.
///
/// The capabilities of a process may be the last to others that were never started and end with it, and so on; programs decide how long such
/// a chain is. So they queue up here, one after the other, instead of one inside the other.
fn go_on(cpu: &Cpu) {
    if cpu.reaping.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut left = SLICE;
    while close_endpoints(&mut left)
        && left > 0
        && let Some(process) = cpu.dying.pop()
    {
        if !take_back(&process, &mut left) {
            cpu.dying.put_back(process);
        }
    }
    cpu.reaping.store(false, Ordering::Relaxed);
    if is_busy(cpu) {
        timers::ensure_armed(time::now_ns().saturating_add(PAUSE_NS));
    }
}

/// Takes back what `left` allows for. False when there is more.
fn take_back(process: &Ref<Process>, left: &mut u32) -> bool {
    loop {
        if !wake_joiners(process, left) {
            return false;
        }
        let (corpse, looked_at) = process.threads.lock().next_corpse();
        look_through(left, looked_at);
        match corpse {
            Corpse::Of(thread) if !bury(&thread, left) => return false,
            Corpse::Of(_) => {}
            Corpse::NoneYet => return true,
            Corpse::AllGone => break,
        }
    }
    let ended = {
        let mut exit = process.exit.lock();
        exit.status.get_or_insert(Status::Exited(0));
        exit.done
    };
    if !ended {
        if !release_all(process, left) || !process.space.clear_some(left) {
            return false;
        }
        conclude(process);
    }
    if !wake_waiters(process, left) {
        return false;
    }
    signal_bound(process);
    boot::check_init(process);
    true
}

/// Takes back everything a dead thread had. False when `left` is used up before.
fn bury(thread: &Ref<Thread>, left: &mut u32) -> bool {
    let process = &thread.process;
    if !end_operations(thread, left) {
        return false;
    }
    if let Some(remains) = long::abandon(thread) {
        *process.remains.lock() = Some(remains);
    }
    if !clear_remains(process, left) || *left == 0 {
        return false;
    }
    *left = left.saturating_sub(THREAD);
    // Behind its ring in the list they move up.
    look_through(left, usize::try_from(process.space.regions()).unwrap_or(usize::MAX));
    trace::add(thread, TraceKind::ThreadEnded, 0, 0);
    revoke::abandon(thread);
    // The address and size are the kernel's own, so this cannot be refused; if the process unmapped its ring itself, so be it.
    let _ = process.space.unmap(thread.ring_address, thread.shape.pages());
    process.account.refund(Resource::Threads, 1);
    process.account.refund(Resource::CallsInFlight, u64::from(thread.shape.sq_entries));
    registry::thread_left();
    create::leave_queues();
    process.threads.lock().strike_out(thread);
    true
}

/// Ends what a dead thread has pending. False when `left` is used up before.
pub(crate) fn end_operations(thread: &Ref<Thread>, left: &mut u32) -> bool {
    let mut from = 0;
    loop {
        let pending = thread.state.lock().ops.next_from(from);
        let Some((id, waiting)) = pending else { return true };
        if !take(left) {
            return false;
        }
        look_through(left, end::members(thread, &waiting));
        // Who has the ticket right now, or has thrown it away as that of a dead thread, finds nothing to complete; and an alarm that
        // were left here might hold the thread, and all it knows, for ever.
        if !end::withdraw(thread, id, waiting, TransportError::Canceled) {
            thread.end(id);
        }
        from = id.following();
    }
}

/// Who waits for the end of the thread that ended last hears of it. False when there are more.
fn wake_joiners(process: &Process, left: &mut u32) -> bool {
    loop {
        let (ticket, looked_at) = process.threads.lock().next_joiner();
        look_through(left, looked_at);
        let Some(ticket) = ticket else { return true };
        ticket.answer(&[]);
        if !take(left) {
            return false;
        }
    }
}

/// What there may be too much of goes piece by piece. False when there is more.
fn clear_remains(process: &Process, left: &mut u32) -> bool {
    let taken = process.remains.lock().take();
    let (all, remains) = match taken {
        None => return true,
        Some(Remains::Memory(mut memory)) => (memory.give_back_some(left), Remains::Memory(memory)),
        Some(Remains::Rest(mut rest)) => (rest.go_on(left), Remains::Rest(rest)),
    };
    if !all {
        *process.remains.lock() = Some(remains);
    }
    all
}

/// Empties the capability table. The memory behind a capability that was the last to it goes with it, and what went on through it.
fn release_all(process: &Ref<Process>, left: &mut u32) -> bool {
    while clear_remains(process, left) && close_endpoints(left) && take(left) {
        let Some(object) = process.release_any() else { return true };
        let remains = match object {
            Object::MemoryObject(object) => object.into_memory().map(Remains::Memory),
            Object::Endpoint(_) => Some(Remains::Rest(Rest::given_up(process, object))),
            _ => None,
        };
        *process.remains.lock() = remains;
    }
    false
}

/// All is taken back: others may know.
fn conclude(process: &Ref<Process>) {
    process.trace.close();
    process.account.close();
    let share = process.share.lock().take();
    drop(share);
    registry::leave(process.id);
    process.exit.lock().done = true;
    debug::ended(process);
}

fn wake_waiters(process: &Ref<Process>, left: &mut u32) -> bool {
    while take(left) {
        let (waiter, status) = {
            let mut exit = process.exit.lock();
            (exit.waiters.pop(), exit.status)
        };
        match waiter {
            None => return true,
            Some((ticket, Wants::Status)) => ticket.reply(&wait_results(status)),
            Some((ticket, Wants::End)) => ticket.answer(&[]),
        };
    }
    false
}

fn signal_bound(process: &Ref<Process>) {
    loop {
        let bound = process.exit.lock().bound.pop();
        let Some(bound) = bound else { return };
        bound.signal();
    }
}
