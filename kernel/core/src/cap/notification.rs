//! `Notification`: a word of bits to wait for.

use super::signaller::Signaller;
use super::{Call, Object, Outcome};
use crate::audit::census::{Counted, Kind};
use crate::ipc::ops::{OpId, Ticket, Waiting};
use crate::task::thread::Thread;
use alloc::vec::Vec;
use capos_abi::{ExceptionCode, TransportError};
use capos_mem::Resource;
use capos_schema::notification::{MintParams, MintResults, PollResults, WaitResults};
use kernel_hal::account::Account;
use kernel_hal::label::Label;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Guard, Lock, OutOfMemory, Ref};

/// Most that wait at a time: there is room for them from the beginning, so that waiting never allocates.
const WAITERS_MAX: usize = 8;

/// The bits, and who waits for them: never both.
pub(crate) struct State {
    bits: u64,
    /// In the order in which they came.
    waiters: Vec<Ticket>,
    /// Nobody can wait any more.
    closed: bool,
}

impl State {
    /// Whether whoever comes now would wait.
    #[inline(always)]
    pub fn takes_waiters(&self) -> bool {
        self.bits == 0 && !self.closed && self.waiters.len() < WAITERS_MAX
    }

    /// Takes the bits, if there are any. Nobody waits then.
    #[inline(always)]
    pub fn take_bits(&mut self) -> Option<u64> {
        (self.bits != 0).then(|| core::mem::take(&mut self.bits))
    }

    /// Somebody waits, behind the others.
    #[inline(always)]
    pub fn push(&mut self, waiter: Ticket) {
        self.waiters.push(waiter);
    }

    /// Who has waited longest.
    #[inline(always)]
    pub fn first(&self) -> Option<&Ticket> {
        self.waiters.first()
    }

    /// Takes that one out.
    #[inline(always)]
    pub fn pop_first(&mut self) -> Option<Ticket> {
        // Nearly always there is nobody else who would have to move up.
        if self.waiters.len() > 1 { Some(self.waiters.remove(0)) } else { self.waiters.pop() }
    }
}

/// What signallers and waiters share.
pub(crate) struct Event {
    state: Lock<State>,
    account: Ref<Account>,
    label: Label,
    _counted: Counted,
}

/// Whom a signal reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// Somebody who waited, or will wait.
    News,
    /// Nobody has taken an earlier one yet that says the same.
    Already,
    /// Nobody ever will.
    Nobody,
}

impl Event {
    /// Sets bits and wakes the first who waits.
    #[inline]
    pub fn signal(&self, bits: u64) -> Heard {
        let mut bits = bits;
        loop {
            let mut state = self.state.lock();
            let before = state.bits;
            state.bits |= bits;
            let Some(waiter) = state.pop_first() else {
                let known = before & bits == bits;
                return if state.closed {
                    Heard::Nobody
                } else if known {
                    Heard::Already
                } else {
                    Heard::News
                };
            };
            bits = core::mem::take(&mut state.bits);
            drop(state);
            // When it is dead they are for the next.
            if waiter.give_bits(bits) {
                return Heard::News;
            }
        }
    }

    /// What tells it from other events.
    pub fn label(&self) -> u64 {
        self.label.number()
    }

    /// Bits and waiters, if nobody has their lock.
    #[inline(always)]
    pub fn try_lock<const WATCHED: bool>(&self) -> Option<Guard<'_, State>> {
        self.state.try_lock::<WATCHED>()
    }

    /// Whether that wait is here.
    pub fn holds(&self, thread: &Ref<Thread>, id: OpId) -> bool {
        self.state.lock().waiters.iter().any(|waiter| waiter.is(thread, id))
    }

    /// Begins to wait with the ticket that `begin` makes, unless there are bits already.
    pub fn wait(
        &self,
        begin: impl FnOnce() -> Result<Ticket, TransportError>,
    ) -> Result<Option<u64>, TransportError> {
        let mut state = self.state.lock();
        if let Some(bits) = state.take_bits() {
            return Ok(Some(bits));
        }
        // Another thread may just have given the right up, and nobody would ever end what begins to wait here now.
        if state.closed {
            return Err(TransportError::Canceled);
        }
        if state.waiters.len() >= WAITERS_MAX {
            return Err(TransportError::TooManyInFlight);
        }
        let ticket = begin()?;
        state.waiters.push(ticket);
        Ok(None)
    }

    /// Takes back the ticket of a wait that is cancelled.
    pub fn withdraw(&self, thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
        Ticket::take(&mut self.state.lock().waiters, thread, id)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.account.refund(Resource::EndpointEntries, 1);
    }
}

/// The right to wait; when the last holder is gone nobody waits any more.
pub(crate) struct Owner {
    event: Ref<Event>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.event.state.lock().closed = true;
        loop {
            let waiter = self.event.state.lock().waiters.pop();
            let Some(waiter) = waiter else { return };
            waiter.fail(TransportError::Canceled);
        }
    }
}

/// A word of bits to wait for.
#[derive(Clone)]
pub(crate) struct Notification {
    owner: Ref<Owner>,
}

impl Notification {
    /// One without bits, charged to `account`.
    pub fn create(account: &Ref<Account>) -> Result<Self, ExceptionCode> {
        account.charge(Resource::EndpointEntries, 1).map_err(|_| ExceptionCode::BudgetExhausted)?;
        Self::charged(account).map_err(|OutOfMemory| ExceptionCode::OutOfMemory)
    }

    /// What tells it from others.
    pub fn label(&self) -> u64 {
        self.owner.event.label()
    }

    fn charged(account: &Ref<Account>) -> Result<Self, OutOfMemory> {
        let state = Lock::new(LockRank::Meeting, State { bits: 0, waiters: Vec::new(), closed: false });
        let _counted = Counted::new(Kind::Notification);
        // From here on the event's own drop gives the charge back, also when there is no room for it.
        let event = Ref::try_new(Event { state, account: account.clone(), label: Label::new(), _counted })?;
        event.state.lock().waiters.try_reserve_exact(WAITERS_MAX).map_err(|_| OutOfMemory)?;
        Ok(Notification { owner: Ref::try_new(Owner { event })? })
    }

    /// What signallers and waiters share.
    pub fn event(&self) -> &Ref<Event> {
        &self.owner.event
    }

    pub(super) fn wait(&self, call: &mut Call<'_>) -> Outcome {
        let event = &self.owner.event;
        let mut state = event.state.lock();
        if state.bits != 0 {
            let bits = core::mem::take(&mut state.bits);
            drop(state);
            return call.reply(&WaitResults { bits });
        }
        if state.waiters.len() >= WAITERS_MAX {
            return Outcome::exception(ExceptionCode::WrongState);
        }
        call.defer(Waiting::Event(event.clone()), |ticket| {
            state.waiters.push(ticket);
            Ok(())
        })
    }

    pub(super) fn poll(&self, call: &mut Call<'_>) -> Outcome {
        let bits = core::mem::take(&mut self.owner.event.state.lock().bits);
        call.reply(&PollResults { bits })
    }

    pub(super) fn mint(&self, call: &mut Call<'_>, params: MintParams) -> Outcome {
        if params.bits == 0 {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        let Ok(signaller) = Signaller::new(self.owner.event.clone(), params.bits) else {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        };
        match call.give_facet(Object::Signaller(signaller.clone())) {
            Ok(()) => {
                signaller.given(params.lost);
                call.reply(&MintResults)
            }
            Err(outcome) => outcome,
        }
    }
}
