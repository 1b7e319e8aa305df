//! Calls that may happen in the middle of anything: heap growth, a thread's setup, last words.
//!
//! They allocate nothing, borrow nothing, and leave every other completion where it is, so they are safe inside the allocator
//! and inside a panic. All are calls of kernel objects, which complete within the `cap_enter` that submits them.
#![cfg_attr(not(capos), expect(dead_code, reason = "what calls these exists only on capOS"))]

use crate::arena;
use crate::scratch::EMERGENCY_LEN;
use crate::sys;
use crate::thread::{EMERGENCY, IGNORED, Thread};
use capos_abi::{CapId, Cqe, MAX_MESSAGE, Op, Sqe};
use capos_schema::{Decode, Encode, log_sink, thread_control, virtual_memory};

/// Makes `base` the FS base of the calling thread, which is `thread`.
pub(crate) fn set_fs_base(thread: &Thread, base: u64) {
    let _ = call(
        thread,
        CapId::SELF_THREADS,
        thread_control::INTERFACE_ID,
        thread_control::SET_FS_BASE,
        &thread_control::SetFsBaseParams { base },
    );
}

/// Sets `size` bytes of address space aside.
pub(crate) fn reserve(thread: &Thread, size: u64) -> Option<u64> {
    let cqe = call(
        thread,
        CapId::SELF_MEMORY,
        virtual_memory::INTERFACE_ID,
        virtual_memory::RESERVE,
        &virtual_memory::ReserveParams { size },
    )?;
    // SAFETY: the emergency place is this module's, and the call is over.
    let answer = unsafe { arena::bytes(thread, thread.scratch.emergency + EMERGENCY_LEN, answer_len(&cqe)) };
    virtual_memory::ReserveResults::decode(answer).ok().map(|results| results.address)
}

/// Backs pages with memory; false when there is none or the budget does not allow it.
pub(crate) fn commit(thread: &Thread, address: u64, size: u64) -> bool {
    let protection = virtual_memory::Protection::ReadWrite;
    call(
        thread,
        CapId::SELF_MEMORY,
        virtual_memory::INTERFACE_ID,
        virtual_memory::COMMIT,
        &virtual_memory::CommitParams { address, size, protection },
    )
    .is_some()
}

/// Writes one record to the log sink `sink`, from a thread that will do nothing else.
pub(crate) fn last_words(thread: &Thread, sink: CapId, text: &str) {
    let params = log_sink::WriteParams { level: log_sink::LogLevel::Error, text };
    // SAFETY: the thread is ending; whoever claimed the scratch place will not come back to it.
    let place = unsafe { arena::bytes_mut(thread, thread.scratch.request, MAX_MESSAGE) };
    if let Ok(len) = params.encode(place) {
        submit(thread, sink, log_sink::INTERFACE_ID, log_sink::WRITE, thread.scratch.request, len);
    }
}

/// Calls with a short message; the completion if it is an answer and no error.
fn call(thread: &Thread, cap: CapId, interface: u64, method: u16, params: &impl Encode) -> Option<Cqe> {
    // SAFETY: the emergency place is this module's, which has no call in flight between calls.
    let place = unsafe { arena::bytes_mut(thread, thread.scratch.emergency, EMERGENCY_LEN as usize) };
    let len = params.encode(place).ok()?;
    submit(thread, cap, interface, method, thread.scratch.emergency, len)
}

fn submit(thread: &Thread, cap: CapId, interface: u64, method: u16, msg_off: u32, len: usize) -> Option<Cqe> {
    let sqe = Sqe {
        op: Op::Call as u8,
        method,
        user_data: EMERGENCY,
        cap: cap.raw(),
        interface,
        msg_off,
        msg_len: len as u32,
        reply_off: thread.scratch.emergency + EMERGENCY_LEN,
        reply_len: EMERGENCY_LEN,
        ..Sqe::default()
    };
    // A full queue empties with one enter; if it does not, the kernel refuses the queue and there is nothing to be done.
    if thread.ring.submit(&sqe).is_err() {
        sys::cap_enter(0, 0);
        thread.ring.submit(&sqe).ok()?;
    }
    sys::cap_enter(0, 0);
    thread.forget_immediate();
    thread.ring.take(EMERGENCY, IGNORED).filter(|cqe| cqe.result >= 0 && cqe.flags == 0)
}

fn answer_len(cqe: &Cqe) -> usize {
    (cqe.result.max(0) as usize).min(EMERGENCY_LEN as usize)
}
