//! Ports at which connections are awaited.

use super::flows::FlowId;
use super::wakers::Wakers;
use alloc::collections::{BTreeMap, VecDeque};
use core::task::Waker;

/// A port at which somebody listens, as long as it does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ListenerId(u32);

/// What its connections are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rooms {
    /// Bytes that were received and not read yet, at most.
    pub receive: usize,
    /// Bytes that were written and not acknowledged yet, at most.
    pub send: usize,
}

impl Rooms {
    /// Bytes of both.
    pub fn bytes(self) -> usize {
        self.receive.saturating_add(self.send)
    }
}

/// One of them.
#[derive(Debug)]
pub(super) struct Listener {
    pub port: u16,
    pub rooms: Rooms,
    /// How many may be half open, and how many may wait to be accepted before nobody more is let in: so twice as many wait at most, as those who were
    /// half open by then come in.
    backlog: usize,
    half_open: VecDeque<FlowId>,
    waiting: VecDeque<FlowId>,
    wakers: Wakers,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    by_id: BTreeMap<ListenerId, Listener>,
    by_port: BTreeMap<u16, ListenerId>,
    next: u32,
}

impl Listeners {
    /// Nobody listens there yet.
    pub fn add(&mut self, port: u16, rooms: Rooms, backlog: usize) -> Option<ListenerId> {
        if self.by_port.contains_key(&port) {
            return None;
        }
        let id = ListenerId(self.next);
        self.next = self.next.checked_add(1)?;
        let (half_open, waiting, wakers) = Default::default();
        self.by_id.insert(id, Listener { port, rooms, backlog, half_open, waiting, wakers });
        self.by_port.insert(port, id);
        Some(id)
    }

    /// Entries of their queues.
    pub fn entries(&self) -> usize {
        self.by_id.values().map(|listener| listener.half_open.len() + listener.waiting.len()).sum()
    }

    pub fn at(&self, port: u16) -> Option<ListenerId> {
        self.by_port.get(&port).copied()
    }

    pub fn get(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.by_id.get_mut(&id)
    }

    /// Those of its connections that nobody has.
    pub fn remove(&mut self, id: ListenerId) -> impl Iterator<Item = FlowId> + use<> {
        let gone = self.by_id.remove(&id);
        if let Some(listener) = &gone {
            self.by_port.remove(&listener.port);
        }
        gone.into_iter().flat_map(|mut listener| {
            listener.wakers.wake();
            listener.half_open.into_iter().chain(listener.waiting)
        })
    }
}

impl Listener {
    /// A connection is being opened. Gives the one that has to go for it: who opened first has had most time to go on (and whoever floods us
    /// with them pushes out its own).
    pub fn opens(&mut self, id: FlowId) -> Option<FlowId> {
        self.half_open.push_back(id);
        if self.half_open.len() > self.backlog { self.half_open.pop_front() } else { None }
    }

    /// Whether another one could wait.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < self.backlog
    }

    /// One that was being opened is gone.
    pub fn forget(&mut self, id: FlowId) {
        self.half_open.retain(|other| *other != id);
        self.waiting.retain(|other| *other != id);
    }

    /// One that was being opened is open.
    pub fn is_open(&mut self, id: FlowId) {
        self.half_open.retain(|other| *other != id);
        self.waiting.push_back(id);
        self.wakers.wake();
    }

    pub fn accept(&mut self) -> Option<FlowId> {
        self.waiting.pop_front()
    }

    /// Is woken when there is one to accept, or never will be.
    pub fn wait(&mut self, waker: &Waker) {
        self.wakers.wait(waker);
    }
}
