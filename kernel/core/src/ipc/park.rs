//! Parking: a thread waits for permits that others of its process give it.
//!
//! Each thread has 64 permits, one bit each. Giving one that is there already changes nothing, so nothing has to be kept for a thread that
//! nobody waits in, and a permit that comes before its `PARK` is not lost.

use crate::ipc::ops::{Buffers, OpId, Ticket, Waiting};
use crate::task::schedule;
use crate::task::thread::{self, Thread};
use capos_abi::{Cqe, TransportError};
use kernel_hal::sync::Ref;

/// A thread's permits and who waits for them.
pub(crate) struct Parking {
    permits: u64,
    /// The one operation that waits, and for which.
    waiter: Option<(OpId, u64)>,
}

impl Parking {
    /// No permits, nobody waits.
    pub const fn new() -> Self {
        Parking { permits: 0, waiter: None }
    }

    /// Whether that operation waits.
    pub fn holds(&self, id: OpId) -> bool {
        self.waiter.is_some_and(|(waiter, _)| waiter == id)
    }

    fn take(&mut self, mask: u64) -> u64 {
        let taken = self.permits & mask;
        self.permits &= !mask;
        taken
    }
}

/// `PARK` for one of the permits in the mask `cap`. `Ok(None)` means that it waits.
pub(crate) fn park(thread: &Ref<Thread>, buffers: &Buffers) -> Result<Option<Cqe>, TransportError> {
    let mask = buffers.cap;
    if mask == 0 {
        return Err(TransportError::InvalidArgument);
    }
    {
        let mut state = thread.state.lock();
        let taken = state.parking.take(mask);
        if taken != 0 {
            return Ok(Some(thread::happened(buffers.user_data, taken)));
        }
        if state.parking.waiter.is_some() {
            return Err(TransportError::TooManyInFlight);
        }
    }
    let id = thread.begin(*buffers, Waiting::Parked)?;
    let mut state = thread.state.lock();
    // A permit may have come between the two looks.
    let taken = state.parking.take(mask);
    if taken == 0 {
        state.parking.waiter = Some((id, mask));
        return Ok(None);
    }
    let ended = state.ops.end(id);
    drop(state);
    drop(ended);
    Ok(Some(thread::happened(buffers.user_data, taken)))
}

/// `UNPARK`: thread number `wanted` of the process of `thread`.
pub(crate) fn unpark(thread: &Ref<Thread>, wanted: u64, bits: u64) -> Result<(), TransportError> {
    if bits == 0 {
        return Err(TransportError::InvalidArgument);
    }
    let target = {
        let threads = thread.process.threads.lock();
        threads.list.iter().find(|other| other.id == wanted).cloned()
    };
    let target = target.ok_or(TransportError::InvalidArgument)?;
    if give(&target, bits) {
        schedule::make_ready(target);
    }
    Ok(())
}

/// True when that woke the thread.
fn give(target: &Ref<Thread>, bits: u64) -> bool {
    let mut state = target.state.lock();
    state.parking.permits |= bits;
    let Some((id, mask)) = state.parking.waiter else { return false };
    let taken = state.parking.take(mask);
    let user_data = state.ops.buffers(id).map(|buffers| buffers.user_data);
    let Some(user_data) = user_data.filter(|_| taken != 0) else { return false };
    state.parking.waiter = None;
    state.complete(target, id, &thread::happened(user_data, taken))
}

/// Takes back the ticket of a `PARK` that is cancelled.
pub(crate) fn withdraw(thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
    let taken = thread.state.lock().parking.waiter.take_if(|(waiter, _)| *waiter == id);
    taken.map(|(id, _)| Ticket { thread: thread.clone(), id })
}
