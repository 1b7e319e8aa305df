//! Connections.

use super::Stack;
use super::flows::{Connection, Fate, Flow, FlowId, Kind, Owner};
use super::listeners::{ListenerId, Rooms};
use super::newest::Newest;
use crate::frame::Tuple;
use alloc::vec;
use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use smoltcp::socket::tcp::{CongestionControl, RecvError, Socket, SocketBuffer, State};
use smoltcp::time::Duration;
use smoltcp::wire::{IpEndpoint, IpListenEndpoint};

/// The ports that connections begin at (RFC 6335 section 6).
const FIRST_PORT: u16 = 49152;

/// How often one is drawn before there seem to be none.
const DRAWS: usize = 64;

/// How long a peer may take to answer the first segment.
const OPENING: Duration = Duration::from_secs(30);

/// How long a peer may be silent then, and how long before he is asked whether he is there.
const SILENCE: Duration = Duration::from_secs(300);
const IDLE: Duration = Duration::from_secs(60);

/// How many connections without a client are still being ended at a time.
const ORPHANS: usize = 256;

/// Why no connection can begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// There is no address to begin at, or no such peer.
    Unreachable,
    /// All ports are in use.
    NoPort,
    /// There is no memory for its buffers.
    NoRoom,
}

/// What there is for who begins a connection.
pub(super) enum Knock {
    /// Nobody listens there: he is told.
    Nobody,
    /// There is no room for him now. He is not told: he will try again, and by then there may be.
    Full,
    /// This socket.
    Opens(FlowId),
}

/// The two ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// What reading gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// So many.
    Bytes(usize),
    /// Nothing yet; whoever waits is woken.
    Nothing,
    /// The peer sends no more.
    End,
    /// The connection is broken.
    Failed(Fate),
}

/// What writing did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// So many were taken.
    Bytes(usize),
    /// There is no room yet; whoever waits is woken.
    Nothing,
    /// It was said that nothing more comes.
    Closed,
    /// The connection is broken.
    Failed(Fate),
}

fn socket(rooms: Rooms) -> Socket<'static> {
    let mut socket =
        Socket::new(SocketBuffer::new(vec![0; rooms.receive]), SocketBuffer::new(vec![0; rooms.send]));
    // What one write gives goes at once: whoever wants few segments writes much.
    socket.set_nagle_enabled(false);
    socket.set_timeout(Some(OPENING));
    socket.set_keep_alive(Some(IDLE));
    socket.set_congestion_control(CongestionControl::Reno);
    socket
}

impl Stack {
    /// Begins to open a connection; [`Stack::is_open`] tells when it is.
    pub fn connect(&mut self, to: SocketAddr, rooms: Rooms) -> Result<FlowId, ConnectError> {
        if !self.has_memory(rooms) {
            return Err(ConnectError::NoRoom);
        }
        let port = self.free_port(to)?;
        let mut socket = socket(rooms);
        let remote = IpEndpoint::new(to.ip().into(), to.port());
        socket.connect(self.iface.context(), remote, port).map_err(|_| ConnectError::Unreachable)?;
        let local = socket.local_endpoint().ok_or(ConnectError::Unreachable)?;
        let local_ip = IpAddr::from(local.addr);
        if local_ip.is_unspecified() {
            return Err(ConnectError::Unreachable);
        }
        let ends = Tuple { remote_port: to.port(), local_port: port, remote: to.ip(), local: local_ip };
        let connection =
            Connection { ends: Some(ends), owner: Owner::Client, fate: None, state: State::SynSent };
        let mut flow = Flow::new(socket, Kind::Tcp(connection), rooms.bytes());
        flow.newest = Newest::new(self.secret.first(&ends, self.now));
        let id = self.flows.add(flow);
        self.flows.touch(id);
        Ok(id)
    }

    fn free_port(&mut self, to: SocketAddr) -> Result<u16, ConnectError> {
        for _ in 0..DRAWS {
            let port = FIRST_PORT | self.random() as u16;
            if self.listeners.at(port).is_none() && self.flows.is_free(port, to.ip(), to.port()) {
                return Ok(port);
            }
        }
        Err(ConnectError::NoPort)
    }

    /// Whether the connection is open; it will be, or fails. `None` when there is no such connection.
    pub fn is_open(&mut self, id: FlowId, waker: &Waker) -> Option<Result<bool, Fate>> {
        let flow = self.flows.get(id)?;
        if let Some(fate) = flow.connection()?.fate {
            return Some(Err(fate));
        }
        let socket = flow.tcp()?;
        let opens = matches!(socket.state(), State::SynSent | State::SynReceived);
        if opens {
            flow.writers.wait(waker);
        }
        Some(Ok(!opens))
    }

    /// Listens at a port, of all addresses. `None` when somebody does already.
    pub fn listen(&mut self, port: u16, rooms: Rooms, backlog: usize) -> Option<ListenerId> {
        self.listeners.add(port, rooms, backlog)
    }

    /// Some port at which nobody listens.
    pub fn any_port(&mut self) -> Option<u16> {
        let drawn = (0..DRAWS).map(|_| FIRST_PORT | self.random() as u16);
        let drawn: vec::Vec<u16> = drawn.collect();
        drawn.into_iter().find(|port| self.listeners.at(*port).is_none() && self.flows.port(*port).is_none())
    }

    /// A connection that somebody opened at that port. `None` when there is none yet: whoever waits is woken.
    pub fn accept(&mut self, listener: ListenerId, waker: &Waker) -> Option<FlowId> {
        let listener = self.listeners.get(listener)?;
        let Some(id) = listener.accept() else {
            listener.wait(waker);
            return None;
        };
        self.flows.get(id).and_then(Flow::connection)?.owner = Owner::Client;
        Some(id)
    }

    /// Listens no more. Whoever was not accepted is sent away.
    pub fn stop_listening(&mut self, listener: ListenerId) {
        for id in self.listeners.remove(listener) {
            self.break_off(id);
        }
    }

    /// A socket for who knocks at a port where somebody listens.
    pub(super) fn awaited(&mut self, ends: Tuple) -> Knock {
        let Some(id) = self.listeners.at(ends.local_port) else { return Knock::Nobody };
        let room = self.listeners.get(id).filter(|listener| listener.has_room());
        let rooms = room.map(|listener| listener.rooms);
        let rooms = rooms.filter(|rooms| self.has_memory(*rooms));
        rooms.and_then(|rooms| self.half_open(id, ends, rooms)).map_or(Knock::Full, Knock::Opens)
    }

    fn half_open(&mut self, id: ListenerId, ends: Tuple, rooms: Rooms) -> Option<FlowId> {
        let mut socket = socket(rooms);
        let at = IpListenEndpoint { addr: None, port: ends.local_port };
        socket.listen(at).ok()?;
        let connection =
            Connection { ends: Some(ends), owner: Owner::HalfOpen(id), fate: None, state: State::Listen };
        let mut flow = Flow::new(socket, Kind::Tcp(connection), rooms.bytes());
        flow.newest = Newest::new(self.secret.first(&ends, self.now));
        let flow = self.flows.add(flow);
        if let Some(pushed_out) = self.listeners.get(id)?.opens(flow) {
            self.flows.remove(pushed_out);
        }
        Some(flow)
    }

    /// Whether nothing comes of a connection any more but what the network held back.
    pub(super) fn is_over(&mut self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get(id) else { return true };
        let is_orphan = flow.connection().is_some_and(|it| it.owner == Owner::Nobody);
        is_orphan && flow.tcp().is_some_and(|tcp| tcp.state() == State::TimeWait)
    }

    /// Draws the consequences when a connection may be in another state. `fate` is what it means that it is closed.
    pub(super) fn look_after(&mut self, id: FlowId, fate: Fate) {
        let Some(flow) = self.flows.get(id) else { return };
        let Some(socket) = flow.tcp() else { return };
        let state = socket.state();
        // A closed one still has its peer until that has been told.
        let is_over = state == State::Closed && socket.remote_endpoint().is_none();
        let Some(connection) = flow.connection() else { return };
        let before = core::mem::replace(&mut connection.state, state);
        let was_opening = matches!(before, State::Listen | State::SynSent | State::SynReceived);
        let is_agreed = matches!(before, State::LastAck | State::TimeWait | State::Closing | State::Closed);
        match (connection.owner, state) {
            (Owner::HalfOpen(listener), State::Listen | State::Closed) => {
                if let Some(listener) = self.listeners.get(listener) {
                    listener.forget(id);
                }
                self.flows.remove(id);
            }
            (Owner::HalfOpen(_), State::SynReceived) => {}
            (Owner::HalfOpen(listener), _) => {
                connection.owner = Owner::Waits(listener);
                match self.listeners.get(listener) {
                    Some(listener) => listener.is_open(id),
                    None => self.break_off(id),
                }
            }
            (Owner::Nobody, State::Closed) if is_over => _ = self.flows.remove(id),
            (Owner::Client | Owner::Waits(_), State::Closed) => {
                if !is_agreed {
                    connection.fate.get_or_insert(fate);
                }
                if is_over {
                    self.flows.part(id);
                }
            }
            _ => {}
        }
        let opened = was_opening && !matches!(state, State::Listen | State::SynSent | State::SynReceived);
        if let Some(socket) = self.flows.get(id).and_then(Flow::tcp).filter(|_| opened) {
            socket.set_timeout(Some(SILENCE));
        }
    }

    /// Word came that the peer of a connection can not be reached. Only one that is being opened is ended by it: who is on the way can be anybody
    /// (RFC 5927 section 4).
    pub(super) fn is_unreachable(&mut self, ends: Tuple) {
        let Some(id) = self.flows.connection(&ends) else { return };
        let Some(flow) = self.flows.get(id) else { return };
        if flow.tcp().is_some_and(|socket| socket.state() == State::SynSent) {
            if let Some(connection) = flow.connection() {
                connection.fate = Some(Fate::Unreachable);
            }
            if let Some(socket) = flow.tcp() {
                socket.abort();
            }
            self.flows.touch(id);
        }
    }

    /// A connection that nobody has, which is closed, and whose peer can not be told: he is nowhere.
    pub(super) fn forget_closed(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let is_closed = flow.tcp().is_some_and(|socket| socket.state() == State::Closed);
        if is_closed && flow.connection().is_some_and(|it| it.owner == Owner::Nobody) {
            self.flows.remove(id);
        }
    }

    /// Takes what came, up to as much as fits.
    pub fn read(&mut self, id: FlowId, into: &mut [u8], waker: &Waker) -> Read {
        self.read_with(id, waker, |bytes| {
            let count = bytes.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            count
        })
    }

    /// The same where the bytes lie: `take` says how many of them it took. They may be fewer than there are.
    pub fn read_with(&mut self, id: FlowId, waker: &Waker, take: impl FnOnce(&[u8]) -> usize) -> Read {
        let read = self.read_now(id, take);
        if read == Read::Nothing
            && let Some(flow) = self.flows.get(id)
        {
            flow.readers.wait(waker);
        }
        read
    }

    /// The same for who does not wait.
    pub fn read_now(&mut self, id: FlowId, take: impl FnOnce(&[u8]) -> usize) -> Read {
        let Some(flow) = self.flows.get(id) else { return Read::Failed(Fate::Reset) };
        let fate = flow.connection().and_then(|it| it.fate);
        let Some(socket) = flow.tcp() else { return Read::Failed(Fate::Reset) };
        let (capacity, state) = (socket.recv_capacity(), socket.state());
        let read = socket.recv(|bytes| {
            let count = if bytes.is_empty() { 0 } else { take(bytes).min(bytes.len()) };
            (count, (bytes.len(), count))
        });
        match (read, fate, state) {
            (Ok((0, _)), ..) => Read::Nothing,
            (Ok((_, count)), ..) => {
                flow.consumed += count;
                // The peer is told of a window that has become much larger, and not before.
                if flow.consumed >= capacity / 4 {
                    self.flows.touch(id);
                }
                Read::Bytes(count)
            }
            (Err(RecvError::Finished), ..) => Read::End,
            (Err(_), None, State::SynSent | State::SynReceived) => Read::Nothing,
            (Err(_), None, _) => Read::End,
            (Err(_), Some(fate), _) => Read::Failed(fate),
        }
    }

    /// From now on [`Stack::next_ready`] tells, once, when there is something to read, or never will be.
    pub fn watch(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get(id) {
            flow.is_watched = true;
        }
    }

    /// Takes what is to be sent, as much as there is room for.
    pub fn write(&mut self, id: FlowId, bytes: &[u8], waker: &Waker) -> Written {
        let Some(flow) = self.flows.get(id) else { return Written::Failed(Fate::Reset) };
        let fate = flow.connection().and_then(|it| it.fate);
        let Some(socket) = flow.tcp() else { return Written::Failed(Fate::Reset) };
        match socket.send_slice(bytes) {
            Ok(0) if !bytes.is_empty() => {
                flow.writers.wait(waker);
                Written::Nothing
            }
            Ok(count) => {
                self.flows.touch(id);
                Written::Bytes(count)
            }
            Err(_) => match (fate, socket.state()) {
                (None, State::SynSent | State::SynReceived) => {
                    flow.writers.wait(waker);
                    Written::Nothing
                }
                (None, _) => Written::Closed,
                (Some(fate), _) => Written::Failed(fate),
            },
        }
    }

    /// Takes all that is to be sent, or nothing. False when there is no room for all, or the connection takes nothing.
    pub fn write_whole(&mut self, id: FlowId, bytes: &[u8]) -> bool {
        let Some(socket) = self.flows.get(id).and_then(Flow::tcp) else { return false };
        let fits = socket.may_send() && bytes.len() <= socket.send_capacity() - socket.send_queue();
        let is_taken = fits && socket.send_slice(bytes).is_ok_and(|count| count == bytes.len());
        if is_taken {
            self.flows.touch(id);
        }
        is_taken
    }

    /// How many bytes were written that the peer has not acknowledged; whoever waits is woken when they are fewer.
    pub fn unacknowledged(&mut self, id: FlowId, waker: &Waker) -> Result<usize, Fate> {
        let flow = self.flows.get(id).ok_or(Fate::Reset)?;
        if let Some(fate) = flow.connection().and_then(|it| it.fate) {
            return Err(fate);
        }
        let left = flow.tcp().ok_or(Fate::Reset)?.send_queue();
        flow.writers.wait(waker);
        Ok(left)
    }

    /// Nothing more is written; what was is sent, and then that it was all.
    pub fn shut(&mut self, id: FlowId) {
        if let Some(socket) = self.flows.get(id).and_then(Flow::tcp) {
            socket.close();
            self.flows.touch(id);
        }
    }

    /// The client is gone: what was written is still sent, and then the connection ends. When the peer sent something that nobody has read he is told
    /// that it is lost (RFC 2525 section 2.17).
    pub fn leave(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let Some(connection) = flow.connection() else { return };
        connection.owner = Owner::Nobody;
        let Some(socket) = flow.tcp() else { return };
        match socket.can_recv() {
            true => socket.abort(),
            false => socket.close(),
        }
        self.flows.touch(id);
        self.look_after(id, Fate::Reset);
        self.orphans.push_back(id);
        self.few_orphans();
    }

    /// Ends the oldest connections without a client when there are too many: those that only wait first.
    fn few_orphans(&mut self) {
        if self.orphans.len() <= ORPHANS {
            return;
        }
        let flows = &mut self.flows;
        self.orphans.retain(|id| flows.get(*id).is_some());
        while self.orphans.len() > ORPHANS {
            if let Some(id) = self.orphans.pop_front() {
                self.break_off(id);
            }
        }
    }

    /// Ends a connection at once, and tells the peer.
    pub fn break_off(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let Some(socket) = flow.tcp() else { return };
        if socket.state() == State::TimeWait {
            self.flows.remove(id);
            return;
        }
        socket.abort();
        if let Some(connection) = flow.connection() {
            connection.owner = Owner::Nobody;
        }
        self.flows.touch(id);
    }

    /// Where a connection goes from, and to.
    pub fn ends(&mut self, id: FlowId) -> Option<Ends> {
        let ends = self.flows.get(id)?.connection()?.ends?;
        let local = SocketAddr::new(ends.local, ends.local_port);
        Some(Ends { local, remote: SocketAddr::new(ends.remote, ends.remote_port) })
    }
}
