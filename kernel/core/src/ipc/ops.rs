//! A thread's pending operations: a fixed table made with the thread, so that nothing on the IPC path allocates.
//!
//! Whoever is to complete an operation later (an endpoint, a timer, another process) holds its [`Ticket`]. There is one of each and it
//! lies in one place, so whoever takes it out of there, under that place's lock, completes the operation, and nobody else can.

use crate::cap::interrupt::Line;
use crate::cap::notification::Event;
use crate::ipc::endpoint::Endpoint;
use crate::ipc::timed::Timed;
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::task::timers::Alarm;
use alloc::vec::Vec;
use capos_abi::{Sqe, TransportError};
use kernel_hal::sync::{OutOfMemory, Ref};

/// Names one pending operation of one thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpId(u32);

impl OpId {
    /// One of an operation with a deadline.
    pub const fn timed(number: u32) -> Self {
        OpId(number)
    }

    /// Its number among all.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The slot behind its own.
    pub fn following(self) -> u32 {
        self.0 + 1
    }
}

/// The right, and the duty, to complete one pending operation.
pub(crate) struct Ticket {
    /// Whose operation.
    pub thread: Ref<Thread>,
    /// Which.
    pub id: OpId,
}

impl Ticket {
    /// Whether this is operation `id` of `thread`.
    pub fn is(&self, thread: &Ref<Thread>, id: OpId) -> bool {
        self.id == id && Ref::ptr_eq(&self.thread, thread)
    }

    /// Takes that of operation `id` of `thread` out of a list, if it is there; the others keep their order.
    pub fn take(list: &mut Vec<Ticket>, thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
        let at = list.iter().position(|ticket| ticket.is(thread, id))?;
        Some(list.remove(at))
    }
}

/// Where a message, its answer and its capabilities lie in the submitter's arena. Checked when the operation was taken. In the order of the
/// submission's own fields, so that they are copied by the word.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Buffers {
    pub user_data: u64,
    pub msg_off: u32,
    pub msg_len: u32,
    pub reply_off: u32,
    pub reply_len: u32,
    pub caps_off: u32,
    pub method: u16,
    pub caps_send: u8,
    pub caps_recv: u8,
}

impl Buffers {
    /// The fields of a checked submission.
    #[inline]
    pub fn of(sqe: &Sqe) -> Self {
        Buffers {
            user_data: sqe.user_data,
            msg_off: sqe.msg_off,
            msg_len: sqe.msg_len,
            reply_off: sqe.reply_off,
            reply_len: sqe.reply_len,
            caps_off: sqe.caps_off,
            method: sqe.method,
            caps_send: sqe.caps_send,
            caps_recv: sqe.caps_recv,
        }
    }

    /// What the receiving half of a `RETURN_RECV` asks for: the message comes where a call's answer would.
    #[inline]
    pub fn of_next(sqe: &Sqe) -> Self {
        Buffers { msg_off: sqe.reply_off, msg_len: sqe.reply_len, ..Buffers::of(sqe) }
    }
}

/// Where the ticket of a pending operation lies: where a cancellation takes it back.
#[derive(Clone)]
pub(crate) enum Waiting {
    /// A call: at an endpoint, queued or received.
    Call(Ref<Endpoint>),
    /// A receive: at an endpoint.
    Message(Ref<Endpoint>),
    /// With an alarm that is about to be set.
    Nowhere,
    /// With an alarm.
    Time(Alarm),
    /// The end of a process.
    Exit(Ref<Process>),
    /// The end of a thread of the own process.
    Join,
    /// An interrupt.
    Line(Ref<Line>),
    /// Bits of a notification: a call of its `wait`.
    Event(Ref<Event>),
    /// The same: a `WAIT`.
    Bits(Ref<Event>),
    /// A permit of its own thread.
    Parked,
}

/// One pending operation.
pub(crate) struct Pending {
    pub buffers: Buffers,
    pub waiting: Waiting,
}

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

struct Slot {
    /// The next free slot, while this one is free.
    next_free: u32,
    pending: Option<Pending>,
}

/// The table.
pub(crate) struct Ops {
    /// Those with a deadline.
    pub timed: Timed,
    slots: Vec<Slot>,
    first_free: u32,
}

impl Ops {
    /// A table for `capacity` operations.
    pub fn new(capacity: u32) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity as usize).map_err(|_| OutOfMemory)?;
        let next = |slot: u32| if slot + 1 < capacity { slot + 1 } else { NONE };
        slots.extend((0..capacity).map(|slot| Slot { next_free: next(slot), pending: None }));
        Ok(Ops { timed: Timed::new(), slots, first_free: if capacity > 0 { 0 } else { NONE } })
    }

    /// Opens an operation whose ticket is about to be put where `waiting` says.
    #[inline(always)]
    pub fn begin(&mut self, buffers: Buffers, waiting: Waiting) -> Result<OpId, TransportError> {
        let id = self.first_free;
        let slot = self.slots.get_mut(id as usize).ok_or(TransportError::TooManyInFlight)?;
        self.first_free = slot.next_free;
        // A free slot holds nothing that would have to be dropped, and the compiler does not know it.
        core::mem::forget(slot.pending.replace(Pending { buffers, waiting }));
        Ok(OpId(id))
    }

    /// Whether one more may begin.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        (self.first_free as usize) < self.slots.len()
    }

    /// What the submitter asked for.
    #[inline(always)]
    pub fn buffers(&self, id: OpId) -> Option<&Buffers> {
        match self.slots.get(id.0 as usize) {
            Some(slot) => Some(&slot.pending.as_ref()?.buffers),
            None => self.timed.get(id).map(|pending| &pending.buffers),
        }
    }

    /// Where the ticket lies.
    pub fn waiting(&self, id: OpId) -> Option<&Waiting> {
        match self.slots.get(id.0 as usize) {
            Some(slot) => Some(&slot.pending.as_ref()?.waiting),
            None => self.timed.get(id).map(|pending| &pending.waiting),
        }
    }

    /// Ends an operation; gives what it asked for and where its ticket was, for the caller to drop outside of any lock.
    #[inline(always)]
    pub fn end(&mut self, id: OpId) -> Option<Pending> {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return self.timed.end(id) };
        let pending = slot.pending.take()?;
        slot.next_free = self.first_free;
        self.first_free = id.0;
        Some(pending)
    }

    /// Notes where the ticket lies now.
    pub fn moved(&mut self, id: OpId, waiting: Waiting) {
        match self.slots.get_mut(id.0 as usize) {
            Some(slot) => {
                if let Some(pending) = &mut slot.pending {
                    pending.waiting = waiting;
                }
            }
            None => self.timed.moved(id, waiting),
        }
    }

    /// The first pending operation with that user data, and where its ticket lies.
    pub fn find(&self, user_data: u64) -> Option<(OpId, Waiting)> {
        self.search(0, |pending| pending.buffers.user_data == user_data)
    }

    /// The first pending operation from slot `from` on, and where its ticket lies.
    pub fn next_from(&self, from: u32) -> Option<(OpId, Waiting)> {
        self.search(from, |_| true)
    }

    /// The endpoint of the first call.
    pub fn called(&self) -> Option<Ref<Endpoint>> {
        let called = |waiting: &Waiting| match waiting {
            Waiting::Call(endpoint) => Some(endpoint.clone()),
            _ => None,
        };
        let in_slots = self.slots.iter().find_map(|slot| called(&slot.pending.as_ref()?.waiting));
        in_slots.or_else(|| self.timed.find_map(called))
    }

    fn search(&self, from: u32, wanted: impl Fn(&Pending) -> bool) -> Option<(OpId, Waiting)> {
        let in_slots = (0u32..).zip(&self.slots).skip(from as usize).find_map(|(slot, entry)| {
            let pending = entry.pending.as_ref().filter(|pending| wanted(pending))?;
            Some((OpId(slot), pending.waiting.clone()))
        });
        in_slots.or_else(|| self.timed.search(from, wanted))
    }
}
