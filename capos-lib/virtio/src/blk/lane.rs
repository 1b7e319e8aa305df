//! Requests on one queue.
//!
//! A request is a chain of three: header, data, status (5.2.6). Header and status lie in memory of the driver's own, each chain has its place there, and so most
//! of the descriptors are written once: chain `c` of `n` has the descriptors `c`, `n + c` and `2n + c`. A request writes its header, the descriptor of its
//! data, and the entry of the available ring; a flush, which has no data, goes past the second.

use super::command::{Command, Data, ID_BYTES, Kind, Then, Transfer, status};
use super::{CHAINS, Tag};
use crate::layout::{DESCRIPTOR, Layout, flags};
use crate::split::{Memory, Rings};
use crate::{DeviceFault, Interface};
use alloc::boxed::Box;
use alloc::vec;

/// Bytes of a chain's place.
const PLACE: u32 = 64;
/// Bytes of a lane's memory.
pub(super) const LANE_BYTES: u32 = PLACE * CHAINS as u32;
/// In a place: type and priority, then the unit (5.2.6).
const HEADER: u32 = 0;
const HEADER_BYTES: u32 = 16;
/// In a place: a range to discard or to zero.
const RANGE: u32 = 16;
const RANGE_BYTES: u32 = 16;
/// In a place: the status, of one byte, and the disk's name.
const STATUS: u32 = 32;
const ID: u32 = 40;

/// What a chain in flight is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub tag: Tag,
    pub kind: Kind,
    /// More is to be done when it comes back; see [`Lane::then`].
    pub goes_on: bool,
    /// Bytes of data that the device writes.
    fills: u32,
    /// When the device got it.
    since: u64,
}

const NOTHING: Flight = Flight { tag: 0, kind: Kind::In, goes_on: false, fills: 0, since: 0 };

/// What the device made of a chain.
pub(super) struct Answer {
    pub chain: u16,
    pub flight: Flight,
    pub status: u8,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Lane<M> {
    rings: Rings<M>,
    interface: Interface,
    /// Chains that there are.
    chains: u16,
    /// One bit for each that is not in flight.
    free: u64,
    /// One bit for each whose header goes on to its data.
    with_data: u64,
    /// As many as chains.
    flights: Box<[Flight]>,
    /// What comes after those that go on.
    thens: Box<[Then]>,
    /// Which one it is; by that its memory is found.
    number: u32,
    /// Where the device finds that.
    token: u64,
}

impl<M: Memory> Lane<M> {
    /// In the fresh memory of a ring. The device finds the memory of the first lane at `token`.
    ///
    /// # Errors
    /// The ring is too small for a request.
    pub(super) fn new(
        memory: M,
        layout: Layout,
        interface: Interface,
        number: u32,
        token: u64,
    ) -> Result<Self, DeviceFault> {
        let chains = (layout.size() / 3).min(CHAINS as u16);
        if chains == 0 {
            return Err(DeviceFault::QueueSize(layout.size()));
        }
        let free = u64::MAX >> (CHAINS as u16 - chains);
        let rings = Rings::new(memory, layout, false);
        let token = token + u64::from(number * LANE_BYTES);
        let count = usize::from(chains);
        let (flights, thens) =
            (vec![NOTHING; count].into_boxed_slice(), vec![Then::Done; count].into_boxed_slice());
        let lane = Lane { rings, interface, chains, free, with_data: free, flights, thens, number, token };
        for chain in 0..chains {
            lane.describe_header(chain, true);
            lane.describe(2 * chains + chain, lane.token_of(chain, STATUS), 1, flags::WRITE, 0);
        }
        Ok(lane)
    }

    /// Writes a descriptor.
    #[inline]
    fn describe(&self, index: u16, token: u64, length: u32, flags: u16, next: u16) {
        let rest = u64::from(length) | u64::from(flags) << 32 | u64::from(next) << 48;
        self.rings.memory.write64_pair(u32::from(index) * DESCRIPTOR, [token, rest]);
    }

    /// Has a chain's header go on to its data, or past them.
    #[cold]
    fn describe_header(&self, chain: u16, with_data: bool) {
        let next = if with_data { self.chains + chain } else { 2 * self.chains + chain };
        self.describe(chain, self.token_of(chain, HEADER), HEADER_BYTES, flags::NEXT, next);
    }

    /// What the device finds in a chain's place.
    fn token_of(&self, chain: u16, offset: u32) -> u64 {
        self.token + u64::from(u32::from(chain) * PLACE + offset)
    }

    /// Where a chain's place is, for us.
    #[inline]
    fn place(&self, chain: u16) -> u32 {
        (self.number * CHAINS as u32 + u32::from(chain)) * PLACE
    }

    /// Requests that it has at most.
    pub(super) const fn chains(&self) -> u16 {
        self.chains
    }

    /// Whether a chain is not in flight.
    #[inline]
    pub(super) const fn has_room(&self) -> bool {
        self.free != 0
    }

    /// When the device got the oldest that it has.
    pub(super) fn oldest(&self) -> Option<u64> {
        let all = (0..self.chains).zip(&self.flights);
        all.filter(|(chain, _)| self.free >> chain & 1 == 0).map(|(_, flight)| flight.since).min()
    }

    /// Adds a transfer, if there is room: the short way for what is asked most.
    #[inline(always)]
    pub(super) fn add_transfer<A: Memory>(&mut self, area: &A, transfer: Transfer, tag: Tag, now: u64) {
        let Transfer { is_write, unit, token, length, is_durable } = transfer;
        let (kind, fills) = if is_write { (Kind::Out, 0) } else { (Kind::In, length) };
        let chain = self.free.trailing_zeros() as u16;
        if is_durable {
            self.set_then(chain, Then::Flush);
        }
        let flight = Flight { tag, kind, goes_on: is_durable, fills, since: now };
        self.put(area, chain, unit, Some((token, length)), flight);
    }

    /// Adds any other command, if there is room.
    pub(super) fn add<A: Memory>(&mut self, area: &A, command: &Command, tag: Tag, now: u64) {
        let chain = self.free.trailing_zeros() as u16;
        let mut fills = 0;
        let data = match command.data {
            Data::None => None,
            Data::Id => {
                fills = ID_BYTES as u32;
                Some((self.token_of(chain, ID), fills))
            }
            Data::Range { first, units } => {
                area.write64_pair(self.place(chain) + RANGE, [first, units.into()]);
                Some((self.token_of(chain, RANGE), RANGE_BYTES))
            }
        };
        self.set_then(chain, command.then);
        let goes_on = command.then != Then::Done || command.kind == Kind::GetId;
        self.put(area, chain, 0, data, Flight { tag, kind: command.kind, goes_on, fills, since: now });
    }

    #[cold]
    fn set_then(&mut self, chain: u16, then: Then) {
        if let Some(place) = self.thens.get_mut(usize::from(chain)) {
            *place = then;
        }
    }

    #[inline(always)]
    fn put<A: Memory>(&mut self, area: &A, chain: u16, unit: u64, data: Option<(u64, u32)>, flight: Flight) {
        let Some(place) = self.flights.get_mut(usize::from(chain)) else { return };
        *place = flight;
        let place = self.place(chain);
        area.write64_pair(place + HEADER, [flight.kind as u64, unit]);
        area.write16(place + STATUS, status::NONE.into());
        let bit = 1 << chain;
        if data.is_some() != (self.with_data & bit != 0) {
            self.with_data ^= bit;
            self.describe_header(chain, data.is_some());
        }
        if let Some((token, length)) = data {
            let flags = if flight.fills > 0 { flags::NEXT | flags::WRITE } else { flags::NEXT };
            self.describe(self.chains + chain, token, length, flags, 2 * self.chains + chain);
        }
        self.free ^= bit;
        self.rings.add(chain);
    }

    /// Shows the device what was added. False when there is nothing new.
    #[inline]
    pub(super) fn show(&mut self) -> bool {
        self.rings.show()
    }

    /// Whether something was added and not shown.
    #[inline]
    pub(super) const fn has_news(&self) -> bool {
        self.rings.has_news()
    }

    /// See [`crate::split::Queue::may_sleep`].
    pub(super) fn may_sleep(&mut self) -> Result<bool, DeviceFault> {
        self.rings.may_sleep()
    }

    /// Whether there is something to take.
    pub(super) fn look(&mut self) -> Result<bool, DeviceFault> {
        self.rings.look()
    }

    /// Takes a chain that the device is through with.
    #[inline]
    pub(super) fn take<A: Memory>(&mut self, area: &A) -> Result<Option<Answer>, DeviceFault> {
        let Some((id, length)) = self.rings.take()? else { return Ok(None) };
        let chain = id as u16;
        let Some(flight) = self.flights.get(id as usize).copied() else {
            return Err(DeviceFault::UnknownId(id));
        };
        let bit = 1 << chain;
        if self.free & bit != 0 {
            return Err(DeviceFault::NotInFlight(id));
        }
        self.free ^= bit;
        let status = area.read16(self.place(chain) + STATUS) as u8;
        // All that it was to write, with the status or, as some devices tell it, without.
        if length.wrapping_sub(flight.fills) > 1 {
            self.judge_length(chain, length, flight.fills, status)?;
        }
        Ok(Some(Answer { chain, flight, status }))
    }

    /// A length that is not what was expected. A legacy device's is worth nothing (2.7.8.2), and where a request failed nothing was filled.
    #[cold]
    fn judge_length(&self, chain: u16, length: u32, fills: u32, status: u8) -> Result<(), DeviceFault> {
        if length > fills {
            return Err(DeviceFault::TooLong { id: chain, length, writable: fills + 1 });
        }
        match self.interface {
            Interface::Modern if status == status::OK => Err(DeviceFault::Short { id: chain, length }),
            _ => Ok(()),
        }
    }

    /// What comes after a chain that goes on.
    pub(super) fn then(&self, chain: u16) -> Then {
        self.thens.get(usize::from(chain)).copied().unwrap_or_default()
    }

    /// The disk's name, that a chain brought.
    pub(super) fn id<A: Memory>(&self, area: &A, chain: u16) -> [u8; ID_BYTES] {
        let mut id = [0; ID_BYTES];
        let begin = self.place(chain) + ID;
        for (at, bytes) in (begin..).step_by(4).zip(id.chunks_mut(4)) {
            let word = area.read32(at).to_le_bytes();
            bytes.iter_mut().zip(word).for_each(|(byte, value)| *byte = value);
        }
        id
    }
}
