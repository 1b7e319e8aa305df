//! A session with the adapter: buffers that are armed, and frames under way.

use crate::net::Counts;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_net::frame::{Sum, leave_sum};
use capos_net::stack::Link;
use capos_nic::{Checksum, Operation, Request, Status};
use core::num::NonZeroU16;
use kit::nic::Session;
use kit::queue::End;
use rt::CallError;
use rt::generated::NicClient;
use rt::region::Region;
use rt::schema::nic::InfoResults;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;

/// Places of frames: half of them for those that come.
const PLACES: u32 = 512;
const RECEIVES: u32 = 256;

/// Entries of the queues: twice as many, so that there is one for each place also when the driver has not looked yet at what was asked before. A buffer
/// that could not be armed for want of one would never be again.
const ENTRIES: u32 = 2 * PLACES;

/// Least room for one frame.
const ROOM: u32 = 2048;

/// Bits of addresses that any device has.
const ADDRESS_BITS: u8 = 32;

/// The session.
pub struct Line {
    session: Rc<Session>,
    buffer: u16,
    memory: Region,
    room: u32,
    /// Places of frames that can be sent.
    free: Vec<u32>,
    /// What came of a frame that goes on, and whether all parts are said to be right.
    begun: Vec<u8>,
    is_checked: bool,
    /// The device fills in checksums.
    sums: bool,
    /// Where a frame is made, before it is where a device reads it.
    made: Vec<u8>,
    /// What was counted.
    pub counts: Counts,
}

impl Line {
    /// Begins it, and arms its buffers.
    pub async fn open(nic: &NicClient, info: &InfoResults, counts: Counts) -> Result<Line, CallError> {
        let room = ROOM.max(info.least).max(u32::from(info.mtu) + capos_nic::ETHERNET).next_multiple_of(ROOM);
        let size = u64::from(PLACES * room);
        let object = memory().create_dma_object(size, ADDRESS_BITS).await?;
        let memory = Region::map(&object, 0, size, Protection::ReadWrite)?;
        let session = Rc::new(Session::open(nic, ENTRIES).await?);
        // What many are told is for us, too: that is how IPv6 finds its neighbours.
        let _ = session.control().listen(false, true).await;
        let buffer = session.control().attach(&object).await?;
        let made = vec![0; room as usize];
        let free = (RECEIVES..PLACES).collect();
        let line = Line {
            session,
            buffer,
            memory,
            room,
            free,
            begun: Vec::new(),
            is_checked: false,
            sums: info.checksum,
            made,
            counts,
        };
        for place in 0..RECEIVES {
            // There is room for all. A session that has ended already tells so when it is asked what is over.
            let _ = line.arm(place);
        }
        Ok(line)
    }

    /// To wait for what is over.
    pub fn session(&self) -> Rc<Session> {
        Rc::clone(&self.session)
    }

    fn request(&self, operation: Operation, place: u32, length: u32, checksum: Option<Checksum>) -> Request {
        let (buffer, offset) = (self.buffer, place * self.room);
        Request { id: place, operation, buffer, offset, length, checksum, segments: None }
    }

    fn arm(&self, place: u32) -> Result<bool, End> {
        self.session.ask(&self.request(Operation::Receive, place, self.room, None))
    }

    /// The next frame that came, into `frame`, and whether its checksum is known to be right, if there was one. What lies in memory that the driver has, too, is copied once and looked at
    /// then: nobody changes it any more.
    pub fn next(&mut self, frame: &mut Vec<u8>) -> Result<Option<bool>, End> {
        while let Some(over) = self.session.over()? {
            if over.id >= RECEIVES {
                self.free.push(over.id);
                continue;
            }
            self.is_checked = over.is_checked && (self.is_checked || self.begun.is_empty());
            let is_whole = self.take(over.id, over.skip, over.length, over.status);
            self.arm(over.id)?;
            if is_whole && !over.goes_on {
                core::mem::swap(frame, &mut self.begun);
                self.begun.clear();
                let (frames, bytes) = self.counts.received;
                self.counts.received = (frames + 1, bytes + frame.len() as u64);
                return Ok(Some(self.is_checked));
            }
        }
        Ok(None)
    }

    /// Takes what came at a place behind what came before of the same frame.
    fn take(&mut self, place: u32, skip: u16, length: u32, status: Status) -> bool {
        let from = self.begun.len();
        let more = (length as usize).min(self.room as usize);
        if status != Status::Done || from + more > usize::from(u16::MAX) {
            self.begun.clear();
            return false;
        }
        self.begun.resize(from + more, 0);
        let at = u64::from(place * self.room) + u64::from(skip);
        let into = self.begun.get_mut(from..);
        if into.is_some_and(|into| self.memory.read(at, into)) {
            return true;
        }
        self.begun.clear();
        false
    }
}

impl Link for Line {
    #[inline]
    fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    fn send<R>(
        &mut self,
        length: usize,
        _segment: Option<NonZeroU16>,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        if self.made.len() < length {
            self.made.resize(length, 0);
        }
        // There is as much: it was just made so long.
        let made = self.made.get_mut(..length).unwrap_or_default();
        let result = fill(made);
        let place = if length <= self.room as usize { self.free.pop() } else { None };
        let Some(place) = place else {
            self.counts.dropped += 1;
            return result;
        };
        let sum = if self.sums { self.made.get_mut(..length).and_then(leave_sum) } else { None };
        let checksum = sum.map(|Sum { start, offset }| Checksum { start, offset });
        let (made, at) = (self.made.get(..length).unwrap_or_default(), u64::from(place * self.room));
        let is_sent = self.memory.write(at, made)
            && self.session.ask(&self.request(Operation::Send, place, length as u32, checksum)) == Ok(true);
        if is_sent {
            let (frames, bytes) = self.counts.sent;
            self.counts.sent = (frames + 1, bytes + length as u64);
        } else {
            // A session that is over tells so elsewhere.
            self.free.push(place);
            self.counts.dropped += 1;
        }
        result
    }
}
