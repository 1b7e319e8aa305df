//! The sockets. Each lives in a set of its own, so that what one frame or one timer costs does not depend on how many others there are.

use super::listeners::ListenerId;
use super::newest::Newest;
use super::wakers::Wakers;
use crate::frame::Tuple;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::{AnySocket, icmp, tcp, udp};

/// Bytes of a segment that is no part of many.
const LITTLE: usize = 512;

/// A socket, as long as there is one: numbers of sockets that are gone mean nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FlowId {
    index: u32,
    generation: u32,
}

/// Who has a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// It is being opened by a peer.
    HalfOpen(ListenerId),
    /// It is open, and waits to be accepted.
    Waits(ListenerId),
    Client,
    /// Its client is gone; what was said is still sent.
    Nobody,
}

/// How a connection ended that was not ended in agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The peer broke it off, or there is nobody.
    Reset,
    /// The peer is silent.
    TimedOut,
    /// On the way to the peer somebody said that it can not be reached.
    Unreachable,
}

/// A connection beside what smoltcp knows.
#[derive(Debug)]
pub(super) struct Connection {
    pub ends: Option<Tuple>,
    pub owner: Owner,
    pub fate: Option<Fate>,
    /// As it was when it was last looked at.
    pub state: tcp::State,
}

#[derive(Debug)]
pub(super) enum Kind {
    Tcp(Connection),
    Udp { port: u16 },
    Echo { ident: u16 },
}

/// One socket.
pub(super) struct Flow {
    pub set: SocketSet<'static>,
    handle: SocketHandle,
    pub kind: Kind,
    /// Somebody is told by [`Flows::next_ready`] when there is something to read, or never will be.
    pub is_watched: bool,
    /// Bytes that were read since it was last its turn.
    pub consumed: usize,
    /// Who waits until there is something to read, or never will be.
    pub readers: Wakers,
    /// Who waits until there is room, or never will be.
    pub writers: Wakers,
    /// How far it has got, if it is a connection.
    pub newest: Newest,
    /// Bytes of its buffers.
    bytes: usize,
    is_dirty: bool,
    is_lonely: bool,
    /// When its timer goes off, which may be too early: then it is looked at.
    wakes_at: u64,
}

impl Flow {
    pub fn new<S: AnySocket<'static>>(socket: S, kind: Kind, bytes: usize) -> Flow {
        let mut set = SocketSet::new(Vec::new());
        let handle = set.add(socket);
        let (readers, writers, is_watched, consumed) = Default::default();
        let newest = Newest::default();
        let (is_dirty, is_lonely, wakes_at) = (false, false, u64::MAX);
        Flow {
            set,
            handle,
            kind,
            is_watched,
            consumed,
            readers,
            writers,
            newest,
            bytes,
            is_dirty,
            is_lonely,
            wakes_at,
        }
    }

    /// Whether there is something to read, or never will be.
    #[inline]
    fn is_readable(&mut self) -> bool {
        match &self.kind {
            Kind::Tcp(_) => {
                let tcp: &tcp::Socket<'_> = self.set.get(self.handle);
                tcp.can_recv() || !tcp.may_recv()
            }
            Kind::Udp { .. } | Kind::Echo { .. } => true,
        }
    }

    /// A frame has come for it: wakes whom that concerns. Whether whoever watches it is to be told.
    #[inline]
    pub fn was_fed(&mut self) -> bool {
        let is_readable = self.is_readable();
        if is_readable {
            self.readers.wake();
        }
        self.writers.wake();
        is_readable && core::mem::take(&mut self.is_watched)
    }

    /// Whether nothing is to be sent for what it was just fed but, in a while, an acknowledgement: what came is in order, little, and goes on. An answer to our first segment is not: until
    /// it is acknowledged the peer does not know that he may speak.
    #[inline]
    pub fn is_quiet(&self, payload: usize) -> bool {
        let Kind::Tcp(connection) = &self.kind else { return true };
        let tcp: &tcp::Socket<'_> = self.set.get(self.handle);
        connection.state == tcp::State::Established
            && payload <= LITTLE
            && tcp.state() == tcp::State::Established
            && tcp.send_queue() == 0
    }

    /// It had its turn to send: wakes whom that concerns. Whether whoever watches it is to be told.
    pub fn has_sent(&mut self) -> bool {
        self.consumed = 0;
        match &self.kind {
            Kind::Tcp(_) => {
                let tcp: &tcp::Socket<'_> = self.set.get(self.handle);
                if tcp.state() == tcp::State::Closed {
                    self.readers.wake();
                    self.writers.wake();
                    return core::mem::take(&mut self.is_watched);
                }
            }
            Kind::Udp { .. } | Kind::Echo { .. } => self.writers.wake(),
        }
        false
    }

    pub fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.kind {
            Kind::Tcp(connection) => Some(connection),
            _ => None,
        }
    }

    pub fn tcp(&mut self) -> Option<&mut tcp::Socket<'static>> {
        matches!(self.kind, Kind::Tcp(_)).then(|| self.set.get_mut(self.handle))
    }

    pub fn udp(&mut self) -> Option<&mut udp::Socket<'static>> {
        matches!(self.kind, Kind::Udp { .. }).then(|| self.set.get_mut(self.handle))
    }

    pub fn echo(&mut self) -> Option<&mut icmp::Socket<'static>> {
        matches!(self.kind, Kind::Echo { .. }).then(|| self.set.get_mut(self.handle))
    }
}

#[derive(Default)]
struct Slot {
    generation: u32,
    flow: Option<Flow>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Flows {
    slots: Vec<Slot>,
    /// Bytes of all their buffers.
    bytes: usize,
    free: Vec<u32>,
    connections: BTreeMap<Tuple, FlowId>,
    ports: BTreeMap<u16, FlowId>,
    idents: BTreeMap<u16, FlowId>,
    dirty: VecDeque<FlowId>,
    /// Those that are watched, and have something to read.
    ready: VecDeque<FlowId>,
    timers: BTreeSet<(u64, FlowId)>,
    /// Those that may wait for a neighbour to be found.
    lonely: Vec<FlowId>,
}

impl Flows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Entries of all lists.
    pub fn entries(&self) -> usize {
        let found = self.connections.len() + self.ports.len() + self.idents.len();
        found + self.slots.len() + self.dirty.len() + self.ready.len() + self.timers.len() + self.lonely.len()
    }

    /// Bytes of the buffers of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn add(&mut self, flow: Flow) -> FlowId {
        self.bytes += flow.bytes;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let mut id = FlowId { index, generation: 0 };
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.flow = Some(flow);
            id.generation = slot.generation;
        }
        self.enter(id);
        id
    }

    /// Makes frames find it.
    fn enter(&mut self, id: FlowId) {
        let kind =
            self.slots.get(id.index as usize).and_then(|slot| slot.flow.as_ref()).map(|flow| &flow.kind);
        match kind {
            Some(Kind::Tcp(Connection { ends: Some(ends), .. })) => _ = self.connections.insert(*ends, id),
            Some(Kind::Udp { port }) => _ = self.ports.insert(*port, id),
            Some(Kind::Echo { ident }) => _ = self.idents.insert(*ident, id),
            _ => {}
        }
    }

    /// No frame finds the connection from now on.
    pub fn part(&mut self, id: FlowId) {
        let ends = self.get(id).and_then(Flow::connection).and_then(|connection| connection.ends.take());
        if let Some(ends) = ends.filter(|ends| self.connections.get(ends) == Some(&id)) {
            self.connections.remove(&ends);
        }
    }

    #[inline]
    pub fn get(&mut self, id: FlowId) -> Option<&mut Flow> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?;
        slot.flow.as_mut()
    }

    pub fn remove(&mut self, id: FlowId) -> Option<Flow> {
        self.part(id);
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?;
        let mut flow = slot.flow.take()?;
        if flow.is_watched {
            self.ready.push_back(id);
        }
        flow.readers.wake();
        flow.writers.wake();
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        self.bytes -= flow.bytes;
        self.timers.remove(&(flow.wakes_at, id));
        match flow.kind {
            Kind::Udp { port } => _ = self.ports.remove(&port),
            Kind::Echo { ident } => _ = self.idents.remove(&ident),
            Kind::Tcp(_) => {}
        }
        Some(flow)
    }

    pub fn connection(&self, ends: &Tuple) -> Option<FlowId> {
        self.connections.get(ends).copied()
    }

    pub fn port(&self, port: u16) -> Option<FlowId> {
        self.ports.get(&port).copied()
    }

    pub fn ident(&self, ident: u16) -> Option<FlowId> {
        self.idents.get(&ident).copied()
    }

    /// Whether a connection from that port to that end could be told from others.
    pub fn is_free(&self, local_port: u16, remote: IpAddr, remote_port: u16) -> bool {
        let ends = |(ends, _): (&Tuple, _)| ends.remote == remote;
        let lowest = IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
        let first = Tuple { remote_port, local_port, remote: lowest, local: lowest };
        let next = self.connections.range(first..);
        let mut same =
            next.take_while(|(it, _)| it.remote_port == remote_port && it.local_port == local_port);
        !same.any(ends)
    }

    /// It has something to send, or to look at.
    #[inline]
    pub fn touch(&mut self, id: FlowId) {
        if let Some(flow) = self.get(id).filter(|flow| !flow.is_dirty) {
            flow.is_dirty = true;
            if self.dirty.len() > self.most_listed() {
                let slots = &self.slots;
                self.dirty.retain(|id| is_there(slots, *id));
            }
            self.dirty.push_back(id);
        }
    }

    /// From here on a list is looked through for sockets that are gone: then at least half of it are, so that it costs nothing for each.
    fn most_listed(&self) -> usize {
        2 * self.len() + 16
    }

    /// The next one that was touched.
    #[inline]
    pub fn next_touched(&mut self) -> Option<FlowId> {
        while let Some(id) = self.dirty.pop_front() {
            if let Some(flow) = self.get(id) {
                flow.is_dirty = false;
                return Some(id);
            }
        }
        None
    }

    /// Whoever watches it is to be told.
    #[inline]
    pub fn is_ready(&mut self, id: FlowId) {
        self.ready.push_back(id);
    }

    /// The next one that was watched and has something to read, or never will.
    #[inline]
    pub fn next_ready(&mut self) -> Option<FlowId> {
        self.ready.pop_front()
    }

    pub fn has_touched(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Looks at it again at that time, or before.
    #[inline]
    pub fn wake_at(&mut self, id: FlowId, at: u64) {
        let Some(flow) = self.get(id).filter(|flow| at < flow.wakes_at) else { return };
        let before = core::mem::replace(&mut flow.wakes_at, at);
        if before != u64::MAX {
            self.timers.remove(&(before, id));
        }
        self.timers.insert((at, id));
    }

    /// When the first timer goes off.
    pub fn first_timer(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Touches all whose time has come.
    pub fn go_off(&mut self, now: u64) {
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            if let Some(flow) = self.get(id) {
                flow.wakes_at = u64::MAX;
            }
            self.touch(id);
        }
    }

    /// It may wait for a neighbour.
    pub fn is_lonely(&mut self, id: FlowId) {
        if let Some(flow) = self.get(id).filter(|flow| !flow.is_lonely) {
            flow.is_lonely = true;
            if self.lonely.len() > self.most_listed() {
                let slots = &self.slots;
                self.lonely.retain(|id| is_there(slots, *id));
            }
            self.lonely.push(id);
        }
    }

    /// A neighbour may have been found.
    pub fn found_neighbor(&mut self) {
        for id in core::mem::take(&mut self.lonely) {
            if let Some(flow) = self.get(id) {
                flow.is_lonely = false;
            }
            self.touch(id);
        }
    }

    /// Every socket's number.
    pub fn ids(&self) -> impl Iterator<Item = FlowId> {
        let ids = self.slots.iter().enumerate().filter(|(_, slot)| slot.flow.is_some());
        ids.map(|(index, slot)| FlowId { index: index as u32, generation: slot.generation })
    }
}

fn is_there(slots: &[Slot], id: FlowId) -> bool {
    slots.get(id.index as usize).is_some_and(|slot| slot.generation == id.generation && slot.flow.is_some())
}
