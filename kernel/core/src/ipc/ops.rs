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
use capos_abi::{CapId, TransportError};
use capos_ring::{Kind, Queued, Span};
use kernel_hal::sync::{OutOfMemory, Ref};

/// Names one pending operation of one thread: [`OpId::SOLE`], or one more than the number of a slot.
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

    /// The operation in [`Sole`].
    pub const SOLE: OpId = OpId(0);

    const fn of_slot(slot: u32) -> Self {
        OpId(slot + 1)
    }

    /// Its slot; that of the sole operation is never there.
    const fn slot(self) -> usize {
        self.0.wrapping_sub(1) as usize
    }

    /// Where to go on after it: see [`Ops::next_from`].
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

/// The words of a submission that matter until it is done: its own copy. Where a message, its answer and its capabilities lie in the
/// submitter's arena was checked when the operation was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    pub kind: Kind,
    pub user_data: u64,
    /// What the operation goes through: for a call or a `WAIT` the capability that it names, which may be revoked meanwhile.
    pub cap: u64,
    pub message: Span,
    pub answer: Span,
    /// Where the capabilities lie; the upper half is reserved.
    pub caps: u64,
}

impl Buffers {
    /// Nothing.
    pub const NONE: Buffers =
        Buffers { kind: Kind::NOP, user_data: 0, cap: 0, message: Span::NONE, answer: Span::NONE, caps: 0 };

    /// Of a submission of which so much is known already: what `cap` names was looked up, and the program may have changed the word since.
    #[inline(always)]
    pub fn read(submission: &Queued<'_>, kind: Kind, cap: u64) -> Self {
        Buffers {
            kind,
            user_data: submission.user_data(),
            cap,
            message: submission.message(),
            answer: submission.answer(),
            caps: submission.caps(),
        }
    }

    /// What the receiving half of a `RETURN_RECV` asks for: the message comes where a call's answer would.
    #[inline(always)]
    pub fn next(self) -> Self {
        Buffers { message: self.answer, ..self }
    }

    /// Where the capabilities lie.
    #[inline(always)]
    pub fn caps_off(&self) -> u32 {
        self.caps as u32
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
    /// What a process that is debugged comes to.
    Debug(Ref<Process>),
}

impl Waiting {
    /// Whether the operation goes on by the capability that it names: a receive does by another (and ends as its endpoint's rights are
    /// given up), a `PARK` by none.
    fn is_through_cap(&self) -> bool {
        !matches!(self, Waiting::Message(_) | Waiting::Parked)
    }
}

/// One pending operation.
pub(crate) struct Pending {
    pub buffers: Buffers,
    pub waiting: Waiting,
}

/// Where the ticket of the sole operation lies.
pub(crate) enum At {
    /// There is no such operation.
    Nowhere,
    /// A call: at an endpoint.
    Call(Ref<Endpoint>),
    /// A receive: at an endpoint.
    Message(Ref<Endpoint>),
    /// A wait for bits of a notification.
    Bits(Ref<Event>),
    /// A wait for what a process that is debugged comes to.
    Debug(Ref<Process>),
}

impl At {
    /// The call that somebody makes where the receive was.
    #[inline(always)]
    pub fn calling(self) -> Self {
        match self {
            At::Message(endpoint) => At::Call(endpoint),
            at => at,
        }
    }

    /// The receive of somebody where the call was.
    #[inline(always)]
    pub fn receiving(self) -> Self {
        match self {
            At::Call(endpoint) => At::Message(endpoint),
            at => at,
        }
    }

    #[inline(always)]
    fn into_waiting(self) -> Option<Waiting> {
        match self {
            At::Nowhere => None,
            At::Call(endpoint) => Some(Waiting::Call(endpoint)),
            At::Message(endpoint) => Some(Waiting::Message(endpoint)),
            At::Bits(event) => Some(Waiting::Bits(event)),
            At::Debug(process) => Some(Waiting::Debug(process)),
        }
    }
}

/// An operation that began when nothing else was pending, as nearly all do, or that its thread rests for: it has a place of its own, which is
/// found without looking into the table.
pub(crate) struct Sole {
    pub buffers: Buffers,
    at: At,
}

impl Sole {
    const fn none() -> Self {
        Sole { buffers: Buffers::NONE, at: At::Nowhere }
    }

    /// Begins, where nothing is.
    #[inline(always)]
    pub fn begin(&mut self, buffers: Buffers, at: At) {
        self.buffers = buffers;
        // There is nothing here that would have to be dropped, and the compiler does not know it.
        core::mem::forget(core::mem::replace(&mut self.at, at));
    }

    /// Ends; gives where its ticket lay.
    #[inline(always)]
    pub fn end(&mut self) -> At {
        core::mem::replace(&mut self.at, At::Nowhere)
    }

    /// Where it calls, if it is a call.
    pub fn called(&self) -> Option<&Ref<Endpoint>> {
        match &self.at {
            At::Call(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    fn is_there(&self) -> bool {
        !matches!(self.at, At::Nowhere)
    }

    fn waiting(&self) -> Option<Waiting> {
        match &self.at {
            At::Nowhere => None,
            At::Call(endpoint) => Some(Waiting::Call(endpoint.clone())),
            At::Message(endpoint) => Some(Waiting::Message(endpoint.clone())),
            At::Bits(event) => Some(Waiting::Bits(event.clone())),
            At::Debug(process) => Some(Waiting::Debug(process.clone())),
        }
    }

    fn take(&mut self) -> Option<Waiting> {
        self.end().into_waiting()
    }
}

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

struct Slot {
    /// The next free slot, while this one is free.
    next_free: u32,
    /// Where the ticket lies; `None` while this one is free.
    waiting: Option<Waiting>,
    /// What was asked for last.
    buffers: Buffers,
}

/// A free slot, not taken yet.
pub(crate) struct Opening<'o> {
    slot: &'o mut Slot,
    at: u32,
    first_free: &'o mut u32,
}

impl Opening<'_> {
    /// Opens an operation there.
    #[inline(always)]
    pub fn begin(self, buffers: Buffers, waiting: Waiting) -> OpId {
        *self.first_free = self.slot.next_free;
        self.slot.buffers = buffers;
        // A free slot holds nothing that would have to be dropped, and the compiler does not know it.
        core::mem::forget(self.slot.waiting.replace(waiting));
        OpId::of_slot(self.at)
    }
}

/// A pending operation whose ticket lies at an endpoint.
pub(crate) struct AtEndpoint<'o> {
    slot: &'o mut Slot,
    at: u32,
    first_free: &'o mut u32,
}

impl AtEndpoint<'_> {
    /// What was asked for.
    #[inline(always)]
    pub fn buffers(&self) -> &Buffers {
        &self.slot.buffers
    }

    /// Ends it; gives the endpoint.
    #[inline(always)]
    pub fn end(self) -> Option<Ref<Endpoint>> {
        match self.slot.waiting.take() {
            Some(Waiting::Call(endpoint) | Waiting::Message(endpoint)) => {
                self.slot.next_free = core::mem::replace(self.first_free, self.at);
                Some(endpoint)
            }
            other => {
                self.slot.waiting = other;
                None
            }
        }
    }
}

/// The table.
pub(crate) struct Ops {
    /// Those with a deadline.
    pub timed: Timed,
    pub sole: Sole,
    slots: Vec<Slot>,
    first_free: u32,
}

impl Ops {
    /// A table for `capacity` operations.
    pub fn new(capacity: u32) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity as usize).map_err(|_| OutOfMemory)?;
        let next = |slot: u32| if slot + 1 < capacity { slot + 1 } else { NONE };
        let free = |slot| Slot { next_free: next(slot), waiting: None, buffers: Buffers::NONE };
        slots.extend((0..capacity).map(free));
        Ok(Ops {
            timed: Timed::new(),
            sole: Sole::none(),
            slots,
            first_free: if capacity > 0 { 0 } else { NONE },
        })
    }

    /// Opens an operation whose ticket is about to be put where `waiting` says; `alone` when no other is pending.
    #[inline(always)]
    pub fn begin(&mut self, buffers: Buffers, waiting: Waiting, alone: bool) -> Result<OpId, TransportError> {
        match waiting {
            Waiting::Call(endpoint) if alone => self.sole.begin(buffers, At::Call(endpoint)),
            Waiting::Message(endpoint) if alone => self.sole.begin(buffers, At::Message(endpoint)),
            Waiting::Bits(event) if alone => self.sole.begin(buffers, At::Bits(event)),
            Waiting::Debug(process) if alone => self.sole.begin(buffers, At::Debug(process)),
            waiting => return self.begin_in_slot(buffers, waiting),
        }
        Ok(OpId::SOLE)
    }

    #[inline(always)]
    fn begin_in_slot(&mut self, buffers: Buffers, waiting: Waiting) -> Result<OpId, TransportError> {
        let opening = self.opening().ok_or(TransportError::TooManyInFlight)?;
        Ok(opening.begin(buffers, waiting))
    }

    /// Where the next operation goes that is not the sole one, if there is room for it.
    #[inline(always)]
    pub fn opening(&mut self) -> Option<Opening<'_>> {
        let at = self.first_free;
        let slot = self.slots.get_mut(at as usize)?;
        Some(Opening { slot, at, first_free: &mut self.first_free })
    }

    /// The operation at an endpoint that has a slot and that number.
    #[inline(always)]
    pub fn at_endpoint(&mut self, id: OpId) -> Option<AtEndpoint<'_>> {
        let at = id.slot();
        let slot = self.slots.get_mut(at)?;
        match slot.waiting {
            Some(Waiting::Call(_) | Waiting::Message(_)) => {
                Some(AtEndpoint { slot, at: at as u32, first_free: &mut self.first_free })
            }
            _ => None,
        }
    }

    /// Whether another operation can have the place of its own, or a slot.
    pub fn vacant(&self) -> Option<OpId> {
        if !self.sole.is_there() {
            return Some(OpId::SOLE);
        }
        let slot = self.first_free;
        self.slots.get(slot as usize).map(|_| OpId::of_slot(slot))
    }

    /// Opens the operation that is [`vacant`](Ops::vacant), or the sole one where there is none.
    #[inline(always)]
    pub fn begin_at(&mut self, id: OpId, buffers: Buffers, at: At) {
        if id == OpId::SOLE {
            return self.sole.begin(buffers, at);
        }
        if let (Some(opening), Some(waiting)) = (self.opening(), at.into_waiting()) {
            opening.begin(buffers, waiting);
        }
    }

    /// What the submitter of a pending operation asked for, if it has no deadline.
    #[inline(always)]
    pub fn endless(&self, id: OpId) -> Option<&Buffers> {
        if id == OpId::SOLE {
            return Some(&self.sole.buffers);
        }
        self.slots.get(id.slot()).map(|slot| &slot.buffers)
    }

    /// Ends such an operation, a call, a receive or a wait for bits; gives where its ticket lay.
    #[inline(always)]
    pub fn end_at(&mut self, id: OpId) -> At {
        if id == OpId::SOLE { self.sole.end() } else { self.end_in_slot(id) }
    }

    #[inline(never)]
    fn end_in_slot(&mut self, id: OpId) -> At {
        match self.end(id) {
            Some(Waiting::Call(endpoint)) => At::Call(endpoint),
            Some(Waiting::Message(endpoint)) => At::Message(endpoint),
            Some(Waiting::Bits(event)) => At::Bits(event),
            Some(Waiting::Debug(process)) => At::Debug(process),
            _ => At::Nowhere,
        }
    }

    /// The user data of a `WAIT` without a deadline.
    #[inline(always)]
    pub fn wait(&self, id: OpId) -> Option<u64> {
        if id == OpId::SOLE {
            return matches!(self.sole.at, At::Bits(_)).then_some(self.sole.buffers.user_data);
        }
        self.wait_in_slot(id)
    }

    #[inline(never)]
    fn wait_in_slot(&self, id: OpId) -> Option<u64> {
        let slot = self.slots.get(id.slot())?;
        matches!(slot.waiting, Some(Waiting::Bits(_))).then_some(slot.buffers.user_data)
    }

    /// Whether the sole operation is the only one of that many.
    pub fn is_alone(&self, pending: u32) -> bool {
        pending == 1 && self.sole.is_there()
    }

    /// What the submitter asked for.
    #[inline(always)]
    pub fn buffers(&self, id: OpId) -> Option<&Buffers> {
        if id == OpId::SOLE {
            return self.sole.is_there().then_some(&self.sole.buffers);
        }
        match self.slots.get(id.slot()) {
            Some(slot) => slot.waiting.is_some().then_some(&slot.buffers),
            None => self.timed.get(id).map(|pending| &pending.buffers),
        }
    }

    /// Where the ticket lies.
    pub fn waiting(&self, id: OpId) -> Option<Waiting> {
        if id == OpId::SOLE {
            return self.sole.waiting();
        }
        match self.slots.get(id.slot()) {
            Some(slot) => slot.waiting.clone(),
            None => self.timed.get(id).map(|pending| pending.waiting.clone()),
        }
    }

    /// Ends an operation; gives where its ticket was, for the caller to drop outside of any lock.
    #[inline(always)]
    pub fn end(&mut self, id: OpId) -> Option<Waiting> {
        if id == OpId::SOLE {
            return self.sole.take();
        }
        let Some(slot) = self.slots.get_mut(id.slot()) else { return self.timed.end(id) };
        let waiting = slot.waiting.take()?;
        slot.next_free = self.first_free;
        self.first_free = id.slot() as u32;
        Some(waiting)
    }

    /// Notes where the ticket of an operation of a kernel object lies now.
    pub fn moved(&mut self, id: OpId, waiting: Waiting) {
        match self.slots.get_mut(id.slot()) {
            Some(slot) => {
                if let Some(pending) = &mut slot.waiting {
                    *pending = waiting;
                }
            }
            None => self.timed.moved(id, waiting),
        }
    }

    /// The first pending operation with that user data, and where its ticket lies.
    pub fn find(&self, user_data: u64) -> Option<(OpId, Waiting)> {
        self.search(0, |buffers, _| buffers.user_data == user_data)
    }

    /// The first pending operation from number `from` on, and where its ticket lies.
    pub fn next_from(&self, from: u32) -> Option<(OpId, Waiting)> {
        self.search(from, |_, _| true)
    }

    /// The endpoint of the first call.
    pub fn called(&self) -> Option<Ref<Endpoint>> {
        let called = |waiting: &Waiting| match waiting {
            Waiting::Call(endpoint) => Some(endpoint.clone()),
            _ => None,
        };
        let in_slots = || self.slots.iter().find_map(|slot| called(slot.waiting.as_ref()?));
        let alone = self.sole.waiting().as_ref().and_then(called);
        alone.or_else(in_slots).or_else(|| self.timed.find_map(called))
    }

    /// The first pending operation through `cap` from number `from` on, and where its ticket lies.
    pub fn through(&self, cap: CapId, from: u32) -> Option<(OpId, Waiting)> {
        self.search(from, |buffers, waiting| buffers.cap == cap.raw() && waiting.is_through_cap())
    }

    fn search(&self, from: u32, wanted: impl Fn(&Buffers, &Waiting) -> bool) -> Option<(OpId, Waiting)> {
        if from == 0
            && let Some(waiting) = self.sole.waiting()
            && wanted(&self.sole.buffers, &waiting)
        {
            return Some((OpId::SOLE, waiting));
        }
        let slots = (0u32..).zip(&self.slots).skip(from.saturating_sub(1) as usize);
        let in_slots = slots.into_iter().find_map(|(slot, entry)| {
            let waiting = entry.waiting.as_ref().filter(|waiting| wanted(&entry.buffers, waiting))?;
            Some((OpId::of_slot(slot), waiting.clone()))
        });
        in_slots.or_else(|| self.timed.search(from, |pending| wanted(&pending.buffers, &pending.waiting)))
    }
}
