//! A thread's pending operations: a fixed table made with the thread, so that nothing on the IPC path allocates.
//!
//! Whoever is to complete an operation later (an endpoint's queue, a timer, another process) holds a [`Ticket`]: thread, slot and
//! generation. A cancelled or completed operation changes the slot's generation, so a late ticket finds nothing.

use crate::cap::interrupt::Line;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::replies::Token;
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::task::timers::Alarm;
use alloc::vec::Vec;
use capos_abi::{Sqe, TransportError};
use kernel_hal::sync::{OutOfMemory, Ref};

/// Names one pending operation of one thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpId {
    slot: u16,
    generation: u32,
}

/// The right to complete one pending operation.
#[derive(Clone)]
pub(crate) struct Ticket {
    /// Whose operation.
    pub thread: Ref<Thread>,
    /// Which.
    pub id: OpId,
}

/// Where a message, its answer and its capabilities lie in the submitter's arena. Checked when the operation was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    pub user_data: u64,
    pub method: u16,
    pub msg_off: u32,
    pub msg_len: u32,
    pub reply_off: u32,
    pub reply_len: u32,
    pub caps_off: u32,
    pub caps_send: u8,
    pub caps_recv: u8,
}

impl Buffers {
    /// The fields of a checked submission.
    #[inline]
    pub fn of(sqe: &Sqe) -> Self {
        Buffers {
            user_data: sqe.user_data,
            method: sqe.method,
            msg_off: sqe.msg_off,
            msg_len: sqe.msg_len,
            reply_off: sqe.reply_off,
            reply_len: sqe.reply_len,
            caps_off: sqe.caps_off,
            caps_send: sqe.caps_send,
            caps_recv: sqe.caps_recv,
        }
    }
}

/// What a pending operation waits for; tells a cancellation where to take the ticket back.
pub(crate) enum Waiting {
    /// A call in an endpoint's queue.
    Queued(Ref<Endpoint>),
    /// A call that a server has received and not answered.
    Answer(Ref<Process>, Token),
    /// A receive in an endpoint's queue.
    Message(Ref<Endpoint>),
    /// A point in time.
    Time(Alarm),
    /// The end of a process.
    Exit(Ref<Process>),
    /// The end of a thread of the own process.
    Join,
    /// An interrupt.
    Line(Ref<Line>),
    /// Somebody is completing it right now; too late to cancel.
    Claimed,
}

struct Pending {
    buffers: Buffers,
    waiting: Waiting,
}

struct Slot {
    generation: u32,
    pending: Option<Pending>,
}

/// The table.
pub(crate) struct Ops {
    slots: Vec<Slot>,
    free: Vec<u16>,
}

impl Ops {
    /// A table for `capacity` operations.
    pub fn new(capacity: u16) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new();
        let mut free = Vec::new();
        slots.try_reserve_exact(usize::from(capacity)).map_err(|_| OutOfMemory)?;
        free.try_reserve_exact(usize::from(capacity)).map_err(|_| OutOfMemory)?;
        slots.extend((0..capacity).map(|_| Slot { generation: 1, pending: None }));
        free.extend((0..capacity).rev());
        Ok(Ops { slots, free })
    }

    /// Opens an operation that is already being completed: see [`Ops::park`].
    #[inline]
    pub fn begin(&mut self, buffers: Buffers) -> Result<OpId, TransportError> {
        let slot = self.free.pop().ok_or(TransportError::TooManyInFlight)?;
        let Some(entry) = self.slots.get_mut(usize::from(slot)) else {
            return Err(TransportError::TooManyInFlight);
        };
        entry.pending = Some(Pending { buffers, waiting: Waiting::Claimed });
        Ok(OpId { slot, generation: entry.generation })
    }

    /// Lets a claimed operation wait.
    #[inline]
    pub fn park(&mut self, id: OpId, waiting: Waiting) {
        if let Some(pending) = self.find(id) {
            pending.waiting = waiting;
        }
    }

    /// Claims a waiting operation for completion. `None` when it is gone or somebody else has claimed it.
    #[inline]
    pub fn claim(&mut self, id: OpId) -> Option<(Buffers, Waiting)> {
        let pending = self.find(id)?;
        match core::mem::replace(&mut pending.waiting, Waiting::Claimed) {
            Waiting::Claimed => None,
            waiting => Some((pending.buffers, waiting)),
        }
    }

    /// Ends a claimed operation; its id becomes stale.
    #[inline]
    pub fn finish(&mut self, id: OpId) {
        let Some(entry) = self.slots.get_mut(usize::from(id.slot)) else { return };
        if entry.generation == id.generation && entry.pending.take().is_some() {
            entry.generation = entry.generation.wrapping_add(1);
            // Never grows: the list was made with room for every slot.
            self.free.push(id.slot);
        }
    }

    /// The waiting operation with that user data, if there is one.
    pub fn find_by_user_data(&self, user_data: u64) -> Option<OpId> {
        (0u16..).zip(&self.slots).find_map(|(slot, entry)| {
            let pending = entry.pending.as_ref()?;
            let waits = !matches!(pending.waiting, Waiting::Claimed);
            (waits && pending.buffers.user_data == user_data)
                .then_some(OpId { slot, generation: entry.generation })
        })
    }

    /// Any operation that waits; for the thread's end.
    pub fn any_waiting(&self) -> Option<OpId> {
        (0u16..).zip(&self.slots).find_map(|(slot, entry)| {
            let pending = entry.pending.as_ref()?;
            let waits = !matches!(pending.waiting, Waiting::Claimed);
            waits.then_some(OpId { slot, generation: entry.generation })
        })
    }

    fn find(&mut self, id: OpId) -> Option<&mut Pending> {
        let entry = self.slots.get_mut(usize::from(id.slot))?;
        if entry.generation == id.generation { entry.pending.as_mut() } else { None }
    }
}
