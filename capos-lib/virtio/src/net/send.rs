//! A queue of frames to be sent.
//!
//! A frame is a chain of two: its header, in memory of the driver's own, and the frame. Each chain has its place there, so that half of the descriptors are written
//! once: chain `c` of `n` has the descriptors `c` and `n + c`. A header is written when it is not what it was.

use super::header::{Frame, Words};
use super::shape::{DESCRIPTORS, Shape};
use super::{Done, Tag};
use crate::DeviceFault;
use crate::layout::{DESCRIPTOR, Layout, flags};
use crate::split::{Memory, Rings};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Bytes of a header's place.
const PLACE: u32 = 16;
/// Bytes of a queue's headers.
pub(super) const HEADERS_BYTES: u32 = PLACE * (DESCRIPTORS as u32 / 2);

/// A chain.
#[derive(Clone, Copy, Debug)]
struct Flight {
    tag: Tag,
    /// The device has it.
    is_there: bool,
    /// When it got it.
    since: u64,
    /// The header in its place.
    header: Words,
}

const NOTHING: Flight = Flight { tag: 0, is_there: false, since: 0, header: [0; 2] };

/// One queue.
#[derive(Debug)]
pub(super) struct Sender<M> {
    pub(super) rings: Rings<M>,
    /// Chains that the device does not have.
    free: Vec<u16>,
    /// As many as chains.
    flights: Box<[Flight]>,
    /// Where headers are for us.
    headers: u32,
    is_modern: bool,
}

impl<M: Memory> Sender<M> {
    /// In the fresh memory of a ring. Headers are at `headers` of the driver's memory, which the device finds at `token`.
    ///
    /// # Errors
    /// The ring is too small for a frame.
    pub(super) fn new<A: Memory>(
        (memory, layout): (M, Layout),
        shape: &Shape,
        area: &A,
        headers: u32,
        token: u64,
    ) -> Result<Self, DeviceFault> {
        let chains = layout.size().min(DESCRIPTORS) / 2;
        if chains == 0 {
            return Err(DeviceFault::QueueSize(layout.size()));
        }
        let rings = Rings::new(memory, layout, shape.has_event_index());
        let flights = vec![NOTHING; usize::from(chains)].into_boxed_slice();
        let free = (0..chains).rev().collect();
        let lane = Sender { rings, free, flights, headers, is_modern: shape.is_modern() };
        for chain in 0..chains {
            area.write64_pair(lane.place(chain), NOTHING.header);
            let place = token + u64::from(lane.place(chain));
            lane.describe(chain, place, shape.header(), flags::NEXT, chains + chain);
        }
        Ok(lane)
    }

    #[inline]
    fn describe(&self, index: u16, token: u64, length: u32, flags: u16, next: u16) {
        let rest = u64::from(length) | u64::from(flags) << 32 | u64::from(next) << 48;
        self.rings.memory.write64_pair(u32::from(index) * DESCRIPTOR, [token, rest]);
    }

    #[inline]
    fn place(&self, chain: u16) -> u32 {
        self.headers + u32::from(chain) * PLACE
    }

    /// Frames that it takes at most.
    pub(super) const fn chains(&self) -> u16 {
        self.flights.len() as u16
    }

    /// When the device got the oldest that it has.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.flights.iter().filter(|flight| flight.is_there).map(|flight| flight.since).min()
    }

    /// Adds a frame, if there is room.
    #[inline]
    pub(super) fn add<A: Memory>(
        &mut self,
        area: &A,
        tag: Tag,
        frame: &Frame,
        header: Words,
        now: u64,
    ) -> bool {
        let Some(chain) = self.free.pop() else { return false };
        let (place, index) = (self.place(chain), self.chains() + chain);
        if let Some(flight) = self.flights.get_mut(usize::from(chain)) {
            if flight.header != header {
                area.write64_pair(place, header);
            }
            *flight = Flight { tag, is_there: true, since: now, header };
        }
        self.describe(index, frame.token, frame.length, 0, 0);
        self.rings.add(chain);
        true
    }

    /// Shows the device what was added; it is not to interrupt as long as it has only `few`. False when there is nothing new.
    #[inline]
    pub(super) fn show(&mut self, few: u16) -> bool {
        if !self.rings.has_news() {
            return false;
        }
        self.rings.set_quiet(self.rings.in_flight() <= few);
        self.rings.show()
    }

    /// Takes a frame that the device has sent.
    #[inline]
    pub(super) fn take(&mut self) -> Result<Option<Done>, DeviceFault> {
        let Some((id, length)) = self.rings.take()? else { return Ok(None) };
        let flight = self.flights.get_mut(id as usize).ok_or(DeviceFault::UnknownId(id))?;
        if !core::mem::replace(&mut flight.is_there, false) {
            return Err(DeviceFault::NotInFlight(id));
        }
        // There is nothing to write; what a legacy device says of that is worth nothing (2.7.8.2).
        if length > 0 && self.is_modern {
            return Err(DeviceFault::TooLong { id: id as u16, length, writable: 0 });
        }
        self.free.push(id as u16);
        Ok(Some(Done::Sent { tag: flight.tag }))
    }
}
