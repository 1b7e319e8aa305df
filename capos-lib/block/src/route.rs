//! From many clients to the disks of one device and back: the core of drivers and of the block service alike.
//!
//! A [`Router`] is told what clients ask, says what to ask the disk, and says whose completion it was that came. It checks everything that comes from either side; what is wrong
//! hurts its author only: a client gets a [`Status`](crate::Status), a disk that answers what it was not asked makes a [`Stray`].
//!
//! **The disk may go at any time** ([`Router::down`]), in the midst of anything, and come back ([`Router::up`]). What was asked and not answered is asked again then, in the order in which
//! it came. What clients may rely on:
//!
//! - Nothing is acknowledged that the disk did not acknowledge, and nothing twice.
//! - Requests that are under way together have no order. Who needs one waits for the first before asking the second, or has both in one.
//! - A flush covers what was completed before it was asked. A disk keeps what is in its cache when its driver goes, since that is not its power; where it was the
//!   power, there is another router, and clients know ([`Asked`](crate::Asked)).
//! - Who changes sectors that another request changes already waits for it ([`order`]). So nothing that was overwritten ever comes back because it was asked again.
//! - A request may have begun when its client went away: its sectors have then what they had, or what was written, each for itself.
//! - Who comes after a client that left something under way is served when that is over: it may be the same program with the same memory, into which the disk
//!   still reads.
//! - What [`LIVES`] lives of the disk did not answer fails as [`Status::Device`](crate::Status::Device): it may be what they die of.

mod buffer;
mod facet;
mod flight;
mod order;
mod outage;
mod session;

#[cfg(test)]
mod tests;

pub use buffer::Released;
pub use facet::Facet;
pub use outage::Different;
pub use session::SessionId;

use crate::{Completion, Geometry, Pending, Request, Status, Tag, WORDS};
use alloc::boxed::Box;
use alloc::collections::{TryReserveError, VecDeque};
use alloc::vec::Vec;
use buffer::Buffers;
use flight::{Flight, State};
use session::Session;

/// Lives of the disk that a request is asked of: fewer than the resets in a row after which a driver gives its device up, so that who asked what a
/// device dies of hears of it, and the others are served again.
pub const LIVES: u8 = 4;

/// Requests of one client that are taken before the next one's turn.
const TURN: usize = 32;

/// Most sessions of a router.
pub const SESSIONS: u16 = 64;

/// The queues of all clients.
pub trait Clients {
    /// Takes the next requests of this one, at most as many as fit into `out` and as there is room for completions, and says how many.
    fn fetch(&mut self, session: SessionId, out: &mut [[u64; WORDS]]) -> usize;
    /// Tells what became of one.
    fn answer(&mut self, session: SessionId, completion: Completion);
}

/// What the disk says it has done was not asked of it: its fault, or its driver's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stray(pub Tag);

/// There is no room for another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

/// There is no such thing, or it is another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotFound;

/// What to ask the disk next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// How its completion is known.
    pub tag: Tag,
    /// Which disk.
    pub disk: usize,
    /// With sectors of the whole disk. Id and buffer are the client's.
    pub request: Request,
    /// What the disk knows the buffer by; 0 where no data moves.
    pub handle: u64,
}

/// All clients of a device's disks; `B` is what their buffers are kept by.
#[derive(Debug)]
pub struct Router<B> {
    disks: Vec<Geometry>,
    is_up: bool,
    sessions: Box<[Option<Session>]>,
    buffers: Buffers<B>,
    pending: Pending<Flight>,
    /// What is to be asked, in this order.
    waiting: VecDeque<Tag>,
    turn: u32,
    /// Of those pending: how many change something, and how many wait for others to have changed it.
    changing: u16,
    held: u16,
    batch: Box<[[u64; WORDS]]>,
}

impl<B> Router<B> {
    /// For a device that takes `depth` requests at a time and is not there yet, and so many sessions: at most [`SESSIONS`].
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(disks: Vec<Geometry>, depth: u16, sessions: u16) -> Result<Self, TryReserveError> {
        let mut none = Vec::new();
        none.try_reserve_exact(sessions.into())?;
        none.resize_with(sessions.min(SESSIONS).into(), || None);
        let mut waiting = VecDeque::new();
        waiting.try_reserve_exact(depth.into())?;
        let mut batch = Vec::new();
        batch.try_reserve_exact(TURN)?;
        batch.resize(TURN, [0; WORDS]);
        Ok(Router {
            disks,
            is_up: false,
            sessions: none.into_boxed_slice(),
            buffers: Buffers::new(),
            pending: Pending::new(depth)?,
            waiting,
            turn: 0,
            changing: 0,
            held: 0,
            batch: batch.into_boxed_slice(),
        })
    }

    /// What the disks are like.
    pub fn disks(&self) -> &[Geometry] {
        &self.disks
    }

    /// How many requests may be under way.
    pub fn depth(&self) -> usize {
        self.pending.len() + self.pending.room()
    }

    /// Whether everything that was asked has been answered.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether there is room for more.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.pending.room() > 0
    }

    /// Takes up what clients ask, some of each in turn, as long as there is room; of those whose numbers are set in `awake`. Says whether it was anything: then ask again. One
    /// call is bounded, whatever they ask.
    pub fn take(&mut self, awake: u64, clients: &mut impl Clients) -> bool {
        let mut any = false;
        // From the one whose turn it is on, and then those before it.
        let mut left = awake.rotate_right(self.turn);
        let first = self.turn;
        while left != 0 && self.has_room() {
            let number = (first + left.trailing_zeros()) % u64::BITS;
            left &= left - 1;
            self.turn = (number + 1) % u64::BITS;
            any |= self.take_from(SessionId(number as u16), clients);
        }
        any
    }

    fn take_from(&mut self, id: SessionId, clients: &mut impl Clients) -> bool {
        let most = self.session(id).map_or(0, Session::room).min(self.pending.room());
        if most == 0 {
            return false;
        }
        let most = most.min(self.batch.len());
        let count = clients.fetch(id, self.batch.get_mut(..most).unwrap_or_default());
        for number in 0..count.min(most) {
            // A copy: what follows changes the rest of the router.
            let Some(entry) = self.batch.get(number).copied() else { break };
            if let Err(completion) = self.admit(id, &entry) {
                clients.answer(id, completion);
            }
        }
        count > 0
    }

    /// Checks a request and takes it up.
    #[inline]
    fn admit(&mut self, id: SessionId, entry: &[u64; WORDS]) -> Result<(), Completion> {
        let wrong = |id, status| Completion { id, status, detail: 0 };
        let mut request = Request::decode(entry).map_err(|(id, status)| wrong(id, status))?;
        let checked = self.check(id, &request);
        let (disk, first) = checked.map_err(|status| wrong(request.id, status))?;
        request.first = request.first.wrapping_add(first);
        let state = match request.operation.changes() && self.overlaps(disk, &request, None) {
            true => State::Held,
            false => State::Waiting,
        };
        let tag = self.pending.insert(Flight { request, disk, session: Some(id), state, lives: 0, bars: 0 });
        // There is room: who asks has seen to it.
        let tag = tag.map_err(|_| wrong(request.id, Status::Device))?;
        self.count(&request, state, tag, id);
        Ok(())
    }

    /// Where the session's sectors begin, and on which disk, if it may ask this.
    #[inline]
    fn check(&self, id: SessionId, request: &Request) -> Result<(u16, u64), Status> {
        let session = self.session(id).ok_or(Status::Gone)?;
        let buffer = match request.operation.has_data() {
            true => self.buffers.of(id, request.buffer),
            false => None,
        };
        session.geometry().check(request, buffer.map_or(0, |buffer| buffer.bytes))?;
        // The disk has come back and did not take the buffer.
        if self.is_up && buffer.is_some_and(|buffer| buffer.handle.is_none()) {
            return Err(Status::Device);
        }
        Ok(session.place())
    }

    #[inline]
    fn count(&mut self, request: &Request, state: State, tag: Tag, id: SessionId) {
        if request.operation.has_data() {
            self.buffers.begin(request.buffer);
        }
        self.changing += u16::from(request.operation.changes());
        let is_held = state == State::Held;
        if is_held {
            self.held += 1;
        } else {
            self.waiting.push_back(tag);
        }
        if let Some(session) = self.session_mut(id) {
            session.begin(is_held);
        }
    }

    /// What to ask the disk next. When it was asked say [`sent`](Self::sent); when it has no room, come back later.
    #[inline]
    pub fn ready(&self) -> Option<Ask> {
        let tag = *self.waiting.front().filter(|_| self.is_up)?;
        let Flight { request, disk, .. } = *self.pending.get(tag)?;
        let handle = match request.operation.has_data() {
            true => self.buffers.handle(request.buffer).unwrap_or(0),
            false => 0,
        };
        Some(Ask { tag, disk: disk.into(), request, handle })
    }

    /// The disk was asked what was ready.
    #[inline]
    pub fn sent(&mut self) {
        let tag = self.waiting.pop_front();
        if let Some(flight) = tag.and_then(|tag| self.pending.get_mut(tag)) {
            flight.state = State::Sent;
            flight.lives = flight.lives.saturating_add(1);
        }
    }

    /// The disk says what became of a request. `None` when the client is not there any more.
    ///
    /// # Errors
    /// The disk was not asked that.
    #[inline(always)]
    pub fn complete(&mut self, tag: Tag, status: Status, detail: u32) -> Result<Option<Completed>, Stray> {
        let sent = |flight: &&Flight| flight.state == State::Sent;
        let flight = self.pending.get(tag).filter(sent).ok_or(Stray(tag))?;
        // What was checked here can not be wrong there.
        let status = match status {
            Status::Invalid | Status::OutOfRange => Status::Device,
            status => status,
        };
        let completion = Completion { id: flight.request.id, status, detail };
        let session = self.forget(tag);
        Ok(session.map(|session| Completed { session, completion }))
    }

    /// A request that is over, one way or another.
    #[inline]
    fn forget(&mut self, tag: Tag) -> Option<SessionId> {
        let flight = self.pending.remove(tag)?;
        if flight.request.operation.has_data() {
            self.buffers.end(flight.request.buffer);
        }
        if flight.state == State::Held {
            self.held -= 1;
        }
        if let Some(session) = flight.session.and_then(|id| self.session_mut(id)) {
            session.end(flight.state == State::Held);
        }
        if flight.request.operation.changes() {
            self.changing -= 1;
            self.let_go();
        }
        if flight.bars != 0 {
            self.unbar(flight.bars);
        }
        flight.session
    }
}

/// What became of a request, and whose it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completed {
    /// Whose.
    pub session: SessionId,
    /// With the client's id.
    pub completion: Completion,
}
