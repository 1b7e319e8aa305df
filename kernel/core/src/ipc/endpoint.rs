//! Endpoints: where calls meet receivers.
//!
//! An endpoint belongs to whoever holds its receive right. Clients hold facets, each with a badge of the server's choice. When the
//! last receive right is gone the endpoint closes and everything queued ends with a typed error; when the last copy of a facet is
//! gone the server hears of it.

use crate::ipc::ops::{OpId, Ticket};
use crate::task::thread::Thread;
use alloc::collections::VecDeque;
use capos_abi::TransportError;
use capos_mem::Resource;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel_hal::account::Account;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};

/// A call in the queue.
pub(crate) struct QueuedCall {
    pub caller: Ticket,
    pub badge: u64,
}

struct State {
    closed: bool,
    calls: VecDeque<QueuedCall>,
    receivers: VecDeque<Ticket>,
    /// Badges whose last facet is gone and of which no receiver heard yet.
    dropped: VecDeque<u64>,
    /// Facets alive or in `dropped`; `dropped` has room for all of them.
    facets: usize,
}

impl State {
    /// What a receiver finds.
    #[inline]
    fn next_arrival(&mut self) -> Arrival {
        if self.closed {
            return Arrival::Closed;
        }
        if let Some(call) = self.calls.pop_front() {
            return Arrival::Call(call);
        }
        match self.dropped.pop_front() {
            Some(badge) => {
                self.facets -= 1;
                Arrival::Unreferenced(badge)
            }
            None => Arrival::Nothing,
        }
    }
}

/// A rendezvous of bounded depth.
pub(crate) struct Endpoint {
    state: Lock<State>,
    depth: u32,
    /// Calls queued or awaiting their answer.
    outstanding: AtomicU32,
    /// Holders of the receive right.
    owners: AtomicU32,
    account: Ref<Account>,
}

/// What a receiver found.
pub(crate) enum Arrival {
    /// A call.
    Call(QueuedCall),
    /// The last facet with this badge is gone.
    Unreferenced(u64),
    /// Nothing: the receiver is queued.
    Nothing,
    /// The endpoint is closed.
    Closed,
}

/// Why no endpoint was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreateError {
    OutOfMemory,
    BudgetExhausted,
}

impl Endpoint {
    /// An endpoint that holds at most `depth` calls, charged to `account`, and its first receive right.
    pub fn create(depth: u32, account: &Ref<Account>) -> Result<ReceiveRight, CreateError> {
        account
            .charge(Resource::EndpointEntries, u64::from(depth))
            .map_err(|_| CreateError::BudgetExhausted)?;
        let state = State {
            closed: false,
            calls: VecDeque::new(),
            receivers: VecDeque::new(),
            dropped: VecDeque::new(),
            facets: 0,
        };
        let endpoint = Endpoint {
            state: Lock::new(state),
            depth,
            outstanding: AtomicU32::new(0),
            owners: AtomicU32::new(1),
            account: account.clone(),
        };
        {
            let mut state = endpoint.state.lock();
            let room = depth as usize;
            let reserved =
                state.calls.try_reserve_exact(room).and_then(|()| state.receivers.try_reserve_exact(room));
            reserved.map_err(|_| CreateError::OutOfMemory)?;
        }
        let endpoint = Ref::try_new(endpoint).map_err(|OutOfMemory| CreateError::OutOfMemory)?;
        Ok(ReceiveRight { endpoint })
    }

    /// Counts a new call against the depth.
    #[inline]
    pub fn admit(&self) -> Result<(), TransportError> {
        let before = self.outstanding.fetch_add(1, Ordering::Relaxed);
        if before >= self.depth {
            self.outstanding.fetch_sub(1, Ordering::Relaxed);
            return Err(TransportError::QueueFull);
        }
        Ok(())
    }

    /// A call counted by [`Endpoint::admit`] has ended.
    #[inline]
    pub fn discharge(&self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
    }

    /// The receiver that waited longest; if there is none `call` is queued, and `park` runs before anybody can find it there.
    #[inline]
    pub fn meet_receiver(
        &self,
        call: QueuedCall,
        park: impl FnOnce(),
    ) -> Result<Option<(Ticket, QueuedCall)>, TransportError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(TransportError::Disconnected);
        }
        if let Some(receiver) = state.receivers.pop_front() {
            return Ok(Some((receiver, call)));
        }
        park();
        // Never grows: `admit` keeps the number of calls within the depth.
        state.calls.push_back(call);
        Ok(None)
    }

    /// Puts a receiver back that turned out not to be the one. While it was out others may have queued a call, or a facet may have
    /// gone, without finding it: then it gets that, as in [`Endpoint::meet_call`].
    pub fn receiver_back(&self, receiver: &Ticket, park: impl FnOnce()) -> Arrival {
        let mut state = self.state.lock();
        let arrival = state.next_arrival();
        if matches!(arrival, Arrival::Nothing) {
            park();
            state.receivers.push_front(receiver.clone());
        }
        arrival
    }

    /// The call that waited longest, or a facet that went; if there is neither `receiver` is queued, and `park` runs before
    /// anybody can find it there.
    #[inline]
    pub fn meet_call(&self, receiver: &Ticket, park: impl FnOnce()) -> Result<Arrival, TransportError> {
        let mut state = self.state.lock();
        let arrival = state.next_arrival();
        if !matches!(arrival, Arrival::Nothing) {
            return Ok(arrival);
        }
        if state.receivers.len() >= self.depth as usize {
            return Err(TransportError::TooManyInFlight);
        }
        park();
        state.receivers.push_back(receiver.clone());
        Ok(Arrival::Nothing)
    }

    /// Takes a cancelled call out of the queue. False when it is not there (any more).
    pub fn withdraw_call(&self, thread: &Ref<Thread>, id: OpId) -> bool {
        let mut state = self.state.lock();
        let position = state.calls.iter().position(|call| call.caller.is(thread, id));
        let call = position.and_then(|at| state.calls.remove(at));
        drop(state);
        call.is_some()
    }

    /// Takes a cancelled receive out of the queue.
    pub fn withdraw_receiver(&self, thread: &Ref<Thread>, id: OpId) {
        let mut state = self.state.lock();
        let position = state.receivers.iter().position(|receiver| receiver.is(thread, id));
        let receiver = position.and_then(|at| state.receivers.remove(at));
        // The ticket may be the last to hold its thread: let go of it outside of the lock.
        drop(state);
        drop(receiver);
    }

    /// A new client facet.
    pub fn mint(this: &Ref<Self>, badge: u64, interface: u64) -> Result<Ref<Facet>, OutOfMemory> {
        let mut state = this.state.lock();
        let wanted = state.facets + 1;
        let more = wanted.saturating_sub(state.dropped.len());
        state.dropped.try_reserve(more).map_err(|_| OutOfMemory)?;
        state.facets = wanted;
        drop(state);
        let facet = Facet { endpoint: this.clone(), badge, interface, minted: AtomicBool::new(false) };
        let facet = Ref::try_new(facet)?;
        facet.minted.store(true, Ordering::Relaxed);
        Ok(facet)
    }

    fn facet_gone(&self, badge: u64) {
        loop {
            let mut state = self.state.lock();
            if state.closed {
                return;
            }
            let Some(receiver) = state.receivers.pop_front() else { return state.dropped.push_back(badge) };
            drop(state);
            // One that was cancelled meanwhile is none: the next, then. The facet counts until somebody has heard of it, so that
            // there is room for it in the list.
            if receiver.complete_unreferenced(badge) {
                self.state.lock().facets -= 1;
                return;
            }
        }
    }

    /// Ends everything that is queued. Runs when the last receive right goes.
    fn close(&self) {
        self.state.lock().closed = true;
        loop {
            let call = self.state.lock().calls.pop_front();
            let Some(call) = call else { break };
            if call.caller.fail(TransportError::Disconnected) {
                self.discharge();
            }
        }
        loop {
            let receiver = self.state.lock().receivers.pop_front();
            let Some(receiver) = receiver else { break };
            receiver.fail(TransportError::InvalidCap);
        }
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
            self.endpoint.close();
        }
    }
}

/// What a client holds: one endpoint, one badge, one interface.
pub(crate) struct Facet {
    pub endpoint: Ref<Endpoint>,
    pub badge: u64,
    interface: u64,
    /// Whether anybody ever got to hold it: a facet that failed to be made goes without a word.
    minted: AtomicBool,
}

impl Facet {
    /// The interface it speaks.
    #[inline]
    pub fn interface(&self) -> u64 {
        self.interface
    }
}

impl Drop for Facet {
    fn drop(&mut self) {
        if *self.minted.get_mut() {
            self.endpoint.facet_gone(self.badge);
        } else {
            self.endpoint.state.lock().facets -= 1;
        }
    }
}
