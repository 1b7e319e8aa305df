//! A queue of buffers to be received into.
//!
//! A chain is a buffer with room for the header in front of the frame, one descriptor; or, where a legacy device knows no such layout, a header in memory of our own
//! and the buffer behind it.

use super::header;
use super::shape::{DESCRIPTORS, Shape};
use super::{Buffers, Done, Tag};
use crate::DeviceFault;
use crate::layout::{DESCRIPTOR, Layout, flags};
use crate::split::{Memory, Rings};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Bytes of a header's place.
const PLACE: u32 = 16;
/// Bytes of a queue's headers, where they are not in front.
pub(super) const HEADERS_BYTES: u32 = PLACE * (DESCRIPTORS as u32 / 2);

/// Bytes of a buffer that the device is given at most: more than any frame has, and chains stay below 4 GiB (2.7.5.2).
const MOST_ROOM: u32 = 1 << 17;

/// A buffer that the device has.
#[derive(Clone, Copy, Debug)]
struct Flight {
    tag: Tag,
    /// What the device may write, with the header; 0 when it has nothing.
    room: u32,
}

const NOTHING: Flight = Flight { tag: 0, room: 0 };

/// One queue.
#[derive(Debug)]
pub(super) struct Receiver<M> {
    pub(super) rings: Rings<M>,
    /// Chains that the device does not have.
    free: Vec<u16>,
    /// As many as chains.
    flights: Box<[Flight]>,
    /// The parts of a frame in several buffers: those that came, how many of them were given, how many are still to come, and what the header said.
    parts: Vec<Done>,
    given: usize,
    rest: u16,
    is_good: bool,
    /// Where headers are for us, when they are not in front.
    headers: u32,
}

impl<M: Memory> Receiver<M> {
    /// In the fresh memory of a ring. Headers that are not in front are at `headers` of the driver's memory, which the device finds at `token`.
    ///
    /// # Errors
    /// The ring is too small for a buffer.
    pub(super) fn new(
        memory: M,
        layout: Layout,
        shape: &Shape,
        headers: u32,
        token: u64,
    ) -> Result<Self, DeviceFault> {
        let most = layout.size().min(DESCRIPTORS);
        let chains = if shape.is_in_front() { most } else { most / 2 };
        if chains == 0 {
            return Err(DeviceFault::QueueSize(layout.size()));
        }
        let rings = Rings::new(memory, layout, shape.has_event_index());
        let flights = vec![NOTHING; usize::from(chains)].into_boxed_slice();
        let (free, parts) = ((0..chains).rev().collect(), Vec::with_capacity(chains.into()));
        let (given, rest, is_good) = (0, 0, false);
        let lane = Receiver { rings, free, flights, parts, given, rest, is_good, headers };
        if !shape.is_in_front() {
            for chain in 0..chains {
                let place = token + u64::from(headers + u32::from(chain) * PLACE);
                lane.describe(chain, place, shape.header(), flags::WRITE | flags::NEXT, chains + chain);
            }
        }
        Ok(lane)
    }

    #[inline]
    fn describe(&self, index: u16, token: u64, length: u32, flags: u16, next: u16) {
        let rest = u64::from(length) | u64::from(flags) << 32 | u64::from(next) << 48;
        self.rings.memory.write64_pair(u32::from(index) * DESCRIPTOR, [token, rest]);
    }

    /// Buffers that it takes at most.
    pub(super) const fn chains(&self) -> u16 {
        self.flights.len() as u16
    }

    /// Buffers that it takes now.
    #[inline]
    pub(super) const fn room(&self) -> usize {
        self.free.len()
    }

    /// Adds a buffer, if there is room.
    #[inline]
    pub(super) fn add(&mut self, tag: Tag, token: u64, length: u32, shape: &Shape) -> bool {
        let Some(chain) = self.free.pop() else { return false };
        let length = length.min(MOST_ROOM);
        let (index, extra) =
            if shape.is_in_front() { (chain, 0) } else { (self.chains() + chain, shape.header()) };
        if let Some(flight) = self.flights.get_mut(usize::from(chain)) {
            *flight = Flight { tag, room: length + extra };
        }
        self.describe(index, token, length, flags::WRITE, 0);
        self.rings.add(chain);
        true
    }

    /// Takes a buffer that the device has filled. What is in several is given when all of it is there.
    #[inline]
    pub(super) fn take<A: Memory>(
        &mut self,
        area: &A,
        buffers: &impl Buffers,
        shape: &Shape,
    ) -> Result<Option<Done>, DeviceFault> {
        loop {
            if self.is_giving() {
                return Ok(self.give());
            }
            let Some((id, length)) = self.rings.take()? else { return Ok(None) };
            let tag = self.land(id, length)?;
            if self.rest > 0 {
                self.go_on(tag, length)?;
                continue;
            }
            let header = shape.header();
            let length = length.checked_sub(header).ok_or(DeviceFault::Short { id: id as u16, length })?;
            let (words, skip) = match shape.is_in_front() {
                true => (buffers.header(tag), header as u16),
                false => (self.own_header(area, id), 0),
            };
            let header::Received { is_good, buffers } = header::judge(words, self.chains(), shape)?;
            let first = Done::Received { tag, skip, length, more: buffers > 1, is_good };
            if buffers == 1 {
                return Ok(Some(first));
            }
            (self.rest, self.is_good) = (buffers - 1, is_good);
            self.parts.push(first);
        }
    }

    /// The buffer of a chain that came back.
    #[inline]
    fn land(&mut self, id: u32, length: u32) -> Result<Tag, DeviceFault> {
        let flight = self.flights.get_mut(id as usize).ok_or(DeviceFault::UnknownId(id))?;
        let Flight { tag, room } = core::mem::replace(flight, NOTHING);
        if room == 0 {
            return Err(DeviceFault::NotInFlight(id));
        }
        if length > room {
            return Err(DeviceFault::TooLong { id: id as u16, length, writable: room });
        }
        self.free.push(id as u16);
        Ok(tag)
    }

    /// The next buffer of a frame: all of it is the frame's.
    #[cold]
    fn go_on(&mut self, tag: Tag, length: u32) -> Result<(), DeviceFault> {
        if length == 0 {
            return Err(DeviceFault::Empty);
        }
        self.rest -= 1;
        let (more, is_good) = (self.rest > 0, self.is_good);
        self.parts.push(Done::Received { tag, skip: 0, length, more, is_good });
        Ok(())
    }

    /// Whether all of a frame is there, and not all is given.
    #[inline]
    pub(super) const fn is_giving(&self) -> bool {
        self.rest == 0 && !self.parts.is_empty()
    }

    /// The next part of it.
    #[cold]
    fn give(&mut self) -> Option<Done> {
        let part = self.parts.get(self.given).copied();
        self.given += 1;
        if self.given >= self.parts.len() {
            self.parts.clear();
            self.given = 0;
        }
        part
    }

    fn own_header<A: Memory>(&self, area: &A, chain: u32) -> [u32; 3] {
        let place = self.headers + chain * PLACE;
        [place, place + 4, place + 8].map(|at| area.read32(at))
    }
}
