//! Endpoints: where calls meet receivers.
//!
//! An endpoint belongs to whoever holds its receive right. Clients hold facets, each with a badge of the server's choice. When the
//! last receive right is gone the endpoint closes and every call at it ends with a typed error; when the last copy of a facet is
//! gone the server hears of it.

use crate::audit::census::{Counted, Kind};
use crate::ipc::calls::{Arrived, Calls};
use crate::ipc::ops::{OpId, Ticket};
use crate::task::fifo::Linked;
use crate::task::thread::Thread;
use crate::task::{reap, slice};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use capos_abi::TransportError;
use capos_mem::Resource;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use kernel_hal::account::Account;
use kernel_hal::label::Label;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Guard, Lock, OutOfMemory, Ref, RefSlot};

/// What meets here. Whoever holds its lock may take the lock of one thread after the other: a message is delivered under it.
pub(crate) struct State {
    pub closed: bool,
    /// Closed, or left by somebody, and what was here because of that has not all ended yet: how often.
    ending: u32,
    pub calls: Calls,
    /// Who waits for a call. The one that came last gets it: its memory is the warmest.
    pub receivers: Vec<Ticket>,
    /// Badges whose last facet is gone and of which no receiver heard yet.
    dropped: VecDeque<u64>,
    /// Facets alive or in `dropped`; `dropped` has room for all of them.
    facets: usize,
}

impl State {
    /// Whether there may be something that is about to end.
    pub fn is_ending(&self) -> bool {
        self.ending > 0
    }

    /// Whether a receiver would find nothing.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.calls.none_waits() && self.dropped.is_empty()
    }

    /// The badge of a facet that went, if no call waits that may have come through it.
    #[inline]
    pub fn pop_dropped(&mut self) -> Option<u64> {
        let badge = self.dropped.pop_front()?;
        self.facets -= 1;
        Some(badge)
    }
}

/// Badges of facets that are gone may pile up to that many, and so many for each entry that was paid for: they are not charged by
/// themselves, as a server that listens has few.
const PILE: usize = 64;
const PILE_OF_ENTRY: usize = 16;

/// Why there is no new facet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MintError {
    /// The server does not receive what it is to hear of facets that are gone.
    Unheard,
    /// The kernel's heap has no room.
    OutOfMemory,
}

/// A rendezvous of bounded depth.
pub(crate) struct Endpoint {
    state: Lock<State>,
    depth: u32,
    /// How often somebody gave a receive right up. Changes under the lock of `state`.
    given_up: AtomicU64,
    /// Holders of the receive right.
    owners: AtomicU32,
    account: Ref<Account>,
    /// The next one that the same CPU closes.
    next_closing: RefSlot<Endpoint>,
    label: Label,
    _counted: Counted,
}

/// Why no endpoint was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreateError {
    OutOfMemory,
    BudgetExhausted,
}

impl From<OutOfMemory> for CreateError {
    fn from(_: OutOfMemory) -> Self {
        CreateError::OutOfMemory
    }
}

impl Endpoint {
    /// An endpoint that holds at most `depth` calls, charged to `account`, and its first receive right.
    pub fn create(depth: u32, account: &Ref<Account>) -> Result<ReceiveRight, CreateError> {
        account
            .charge(Resource::EndpointEntries, u64::from(depth))
            .map_err(|_| CreateError::BudgetExhausted)?;
        // From here on the endpoint's own drop gives the charge back.
        let endpoint = Ref::try_new(Endpoint {
            state: Lock::new(
                LockRank::Meeting,
                State {
                    closed: false,
                    ending: 0,
                    calls: Calls::empty(),
                    receivers: Vec::new(),
                    dropped: VecDeque::new(),
                    facets: 0,
                },
            ),
            depth,
            given_up: AtomicU64::new(0),
            owners: AtomicU32::new(1),
            account: account.clone(),
            next_closing: RefSlot::empty(),
            label: Label::new(),
            _counted: Counted::new(Kind::Endpoint),
        })?;
        {
            let mut state = endpoint.state.lock();
            state.calls = Calls::new(depth)?;
            state.receivers.try_reserve_exact(depth as usize).map_err(|_| OutOfMemory)?;
        }
        Ok(ReceiveRight { endpoint })
    }

    /// What tells it from other endpoints.
    pub fn label(&self) -> u64 {
        self.label.number()
    }

    /// What meets here.
    #[inline]
    pub fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// The same if nobody has the lock.
    #[inline]
    pub fn try_lock<const WATCHED: bool>(&self) -> Option<Guard<'_, State>> {
        self.state.try_lock::<WATCHED>()
    }

    /// How many calls, queued or received, may be here, and how many receives.
    #[inline]
    pub fn depth(&self) -> usize {
        self.depth as usize
    }

    /// How often somebody has given a receive right up.
    #[inline]
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether one more receiver may wait.
    #[inline]
    pub fn takes_receivers(&self, state: &State) -> bool {
        state.receivers.len() < self.depth as usize
    }

    /// Takes back the ticket of a call, queued or received, if it is still here.
    pub fn withdraw_call(&self, thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
        let call = self.state.lock().calls.withdraw(thread, id);
        call.map(Arrived::settle)
    }

    /// Takes back the ticket of a receive, if it is still here.
    pub fn withdraw_receiver(&self, thread: &Ref<Thread>, id: OpId) -> Option<Ticket> {
        Ticket::take(&mut self.state.lock().receivers, thread, id)
    }

    /// A new client facet, of which nobody hears before it was [`Facet::given`]. Refused when the server has let more badges that nobody holds any more pile up than it has paid entries for.
    pub fn mint(this: &Ref<Self>, badge: u64, interface: u64) -> Result<Ref<Facet>, MintError> {
        let mut state = this.state.lock();
        if state.dropped.len() >= PILE + PILE_OF_ENTRY * this.depth as usize {
            return Err(MintError::Unheard);
        }
        let wanted = state.facets + 1;
        let more = wanted.saturating_sub(state.dropped.len());
        state.dropped.try_reserve(more).map_err(|_| MintError::OutOfMemory)?;
        state.facets = wanted;
        drop(state);
        let held = AtomicBool::new(false);
        let _counted = Counted::new(Kind::Facet);
        let facet = Facet { endpoint: this.clone(), badge, interface, held, _counted };
        Ref::try_new(facet).map_err(|OutOfMemory| MintError::OutOfMemory)
    }

    fn facet_gone(&self, badge: u64) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        match state.receivers.pop() {
            None => state.dropped.push_back(badge),
            Some(receiver) => {
                state.facets -= 1;
                drop(state);
                receiver.complete_unreferenced(badge);
            }
        }
    }

    /// A process has taken a receive right out of its table. If another thread of it is about to receive, it finds that out by
    /// [`Endpoint::given_up`].
    pub fn note_given_up(&self) {
        let mut state = self.state.lock();
        state.ending += 1;
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Then what it has received and not answered ends, and so do its receives: as many as `left` allows for. False when there are more.
    pub fn give_up(&self, process: u64, left: &mut u32) -> bool {
        // The receives first: whoever calls meanwhile must not find one, or the call would be received by who can answer no more.
        if !self.end_receives(left, |receiver| receiver.thread.process.id == process) {
            return false;
        }
        let mut from = 0;
        let received = |call: &Arrived| call.server().is_some_and(|server| server.process.id == process);
        self.end_calls(left, |calls| calls.pop_from(&mut from, received)) && self.has_ended()
    }

    /// Ends what is here, as the last receive right has gone: as much as `left` allows for. False when there is more.
    pub fn close(&self, left: &mut u32) -> bool {
        let mut from = 0;
        self.end_calls(left, |calls| calls.pop_first().or_else(|| calls.pop_from(&mut from, |_| true)))
            && self.end_receives(left, |_| true)
            && self.has_ended()
    }

    fn has_ended(&self) -> bool {
        self.state.lock().ending -= 1;
        true
    }

    fn end_calls(&self, left: &mut u32, mut take: impl FnMut(&mut Calls) -> Option<Arrived>) -> bool {
        while slice::take(left) {
            let call = take(&mut self.state.lock().calls);
            let Some(call) = call else { return true };
            call.settle().fail(TransportError::Disconnected);
        }
        false
    }

    fn end_receives(&self, left: &mut u32, which: impl Fn(&Ticket) -> bool) -> bool {
        while slice::take(left) {
            let receiver = {
                let mut state = self.state.lock();
                let at = state.receivers.iter().position(&which);
                slice::look_through(left, at.unwrap_or(state.receivers.len()));
                at.map(|at| state.receivers.swap_remove(at))
            };
            let Some(receiver) = receiver else { return true };
            receiver.fail(TransportError::InvalidCap);
        }
        false
    }
}

impl Linked for Endpoint {
    fn behind(&self) -> &RefSlot<Endpoint> {
        &self.next_closing
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.account.refund(Resource::EndpointEntries, u64::from(self.depth));
    }
}

/// The right to receive. Closes the endpoint when the last one goes.
pub(crate) struct ReceiveRight {
    pub endpoint: Ref<Endpoint>,
}

impl Clone for ReceiveRight {
    fn clone(&self) -> Self {
        self.endpoint.owners.fetch_add(1, Ordering::Relaxed);
        ReceiveRight { endpoint: self.endpoint.clone() }
    }
}

impl Drop for ReceiveRight {
    fn drop(&mut self) {
        if self.endpoint.owners.fetch_sub(1, Ordering::AcqRel) == 1 {
            {
                let mut state = self.endpoint.state.lock();
                state.closed = true;
                state.ending += 1;
            }
            reap::close(&self.endpoint);
        }
    }
}

/// What a client holds: one endpoint, one badge, one interface.
pub(crate) struct Facet {
    pub endpoint: Ref<Endpoint>,
    pub badge: u64,
    interface: u64,
    /// Whether anybody ever got to hold it: one that failed to be made or given goes without a word.
    held: AtomicBool,
    _counted: Counted,
}

impl Facet {
    /// The interface it speaks.
    #[inline]
    pub fn interface(&self) -> u64 {
        self.interface
    }

    /// Somebody has it: when nobody has it any more its server hears of that.
    pub fn given(&self) {
        self.held.store(true, Ordering::Relaxed);
    }
}

impl Drop for Facet {
    fn drop(&mut self) {
        if *self.held.get_mut() {
            self.endpoint.facet_gone(self.badge);
        } else {
            self.endpoint.state.lock().facets -= 1;
        }
    }
}
