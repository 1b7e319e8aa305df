//! The block device (virtio 1.2, 5.2), for one life: from a reset of the device to its next fault.
//!
//! What was in flight when the device had to be reset is with whoever submitted it ([`capos_block::Pending`]), and is submitted again to what comes
//! after. A request may take several commands: a range is discarded in as large pieces as the device takes, and what is to be durable is
//! flushed when it is written, since virtio has no other way to ask for that.

use crate::register::status as device;
use crate::split::Memory;
use crate::{DeviceFault, Interface, Layout, Wish};
use alloc::vec::Vec;
use capos_block::{Geometry, Request, Status};

mod command;
mod lane;
mod shape;

pub use capos_block::Tag;
pub use command::ID_BYTES;
pub use shape::{FIELDS, Shape, features};

use command::{Command, GET_ID, Kind, Transfer, status};
use lane::{Answer, Lane};

/// PCI device ids of vendor 0x1af4: the modern one, and that of a transitional device (4.1.2.1).
pub const DEVICE_IDS: [u16; 2] = [0x1042, 0x1001];

/// Time that the device may take for a command, before it is taken for broken. Hosts take long over a flush.
pub const TIMEOUT_NS: u64 = 30_000_000_000;

/// Time between looks at the device's status while it has something to do. One in trouble may say so there, and nowhere else.
pub const LOOK_NS: u64 = 1_000_000_000;

/// Queues that are used at most. One thread gives them their work, batch by batch; they are the host's means to do it in several.
pub const QUEUES: usize = 4;

/// Requests in flight on each queue at most.
pub const CHAINS: usize = 64;

/// Descriptors that these need, up to a power of two.
const DESCRIPTORS: u16 = 256;

/// Bytes of memory that the device is to find at one token, for headers and statuses.
pub const AREA_BYTES: u32 = lane::LANE_BYTES * QUEUES as u32;

/// What a driver with `vectors` interrupt vectors wants of the device.
pub const fn wish(vectors: u16) -> Wish<FIELDS> {
    Wish {
        features: shape::FEATURES,
        queues: &[DESCRIPTORS; QUEUES],
        needed: 1,
        vectors,
        config: shape::CONFIG,
    }
}

/// Why a request was not submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// As many as possible are in flight.
    Busy,
    /// It is over without the device.
    Over(Status),
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completion {
    /// The submitter's.
    pub tag: Tag,
    /// How it ended.
    pub status: Status,
    /// The device's status, and in the next byte the type of command that had it.
    pub detail: u32,
}

/// The driver's decisions. Rings are `M`, the memory for headers and statuses is an `A`.
#[derive(Debug)]
pub struct Blk<M, A> {
    area: A,
    shape: Shape,
    /// In order; none after a fault.
    lanes: Vec<Lane<M>>,
    /// Commands that the device has, or will see next.
    in_flight: usize,
    /// The one that gets the batch that is made now, and the one that was asked last what it has.
    given: usize,
    asked: usize,
    /// When the device was looked at.
    looked: u64,
    id: Option<[u8; ID_BYTES]>,
    fault: Option<DeviceFault>,
}

impl<M: Memory, A: Memory> Blk<M, A> {
    /// A device that was just set up, with its first [`QUEUES`] queues or as many as it has. `area` is [`AREA_BYTES`] long, and the device finds it at `token`.
    ///
    /// # Errors
    /// A queue that is too small, or none.
    pub fn new(
        interface: Interface,
        shape: Shape,
        area: A,
        token: u64,
        queues: impl IntoIterator<Item = (M, Layout)>,
    ) -> Result<Self, DeviceFault> {
        let mut lanes = Vec::with_capacity(QUEUES);
        for (number, (memory, layout)) in (0..QUEUES as u32).zip(queues) {
            lanes.push(Lane::new(memory, layout, interface, number, token)?);
        }
        if lanes.is_empty() {
            return Err(DeviceFault::NoQueue(0));
        }
        Ok(Blk { area, shape, lanes, in_flight: 0, given: 0, asked: 0, looked: 0, id: None, fault: None })
    }

    /// Requests that it has at a time at most.
    pub fn depth(&self) -> u16 {
        self.lanes.iter().map(Lane::chains).sum()
    }

    /// What the disk is like.
    pub const fn geometry(&self) -> &Geometry {
        &self.shape.geometry
    }

    /// Its name, when it was asked for and the device has told; without a name it is all zeroes.
    pub const fn id(&self) -> Option<&[u8; ID_BYTES]> {
        self.id.as_ref()
    }

    /// Asks for the name. False when too much is in flight.
    #[must_use = "the device does not look by itself"]
    pub fn ask_id(&mut self, now: u64) -> bool {
        self.add(&GET_ID, 0, now).is_ok()
    }

    /// Prepares a request that [`Geometry::check`] found right, with its data from `token` on. The device sees it when it is published.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing was submitted.
    #[inline]
    pub fn submit(&mut self, tag: Tag, request: &Request, token: u64, now: u64) -> Result<(), Refusal> {
        if !request.operation.has_data() {
            return self.submit_command(tag, request, now);
        }
        let transfer = Transfer::of(request, token, &self.shape);
        let lane = Self::vacant(&mut self.lanes, &mut self.given).ok_or(Refusal::Busy)?;
        lane.add_transfer(&self.area, transfer, tag, now);
        self.in_flight += 1;
        Ok(())
    }

    #[inline(never)]
    fn submit_command(&mut self, tag: Tag, request: &Request, now: u64) -> Result<(), Refusal> {
        let command = Command::of(request, &self.shape).map_err(Refusal::Over)?;
        self.add(&command, tag, now)
    }

    fn add(&mut self, command: &Command, tag: Tag, now: u64) -> Result<(), Refusal> {
        let lane = Self::vacant(&mut self.lanes, &mut self.given).ok_or(Refusal::Busy)?;
        lane.add(&self.area, command, tag, now);
        self.in_flight += 1;
        Ok(())
    }

    /// The lane whose turn it is, or another one with room, which is next.
    #[inline]
    fn vacant<'l>(lanes: &'l mut [Lane<M>], given: &mut usize) -> Option<&'l mut Lane<M>> {
        if !lanes.get(*given).is_some_and(Lane::has_room) {
            *given = with_room(lanes)?;
        }
        lanes.get_mut(*given)
    }

    #[inline]
    fn next(&self, lane: usize) -> usize {
        if lane + 1 < self.lanes.len() { lane + 1 } else { 0 }
    }

    /// Shows the device what was submitted, and gives one bit for each queue that it is to be told of. The next batch goes to another queue.
    #[inline]
    #[must_use = "the device does not look by itself"]
    pub fn publish(&mut self) -> u32 {
        let mut news = 0;
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            news |= u32::from(lane.show()) << n;
        }
        self.given = self.next(self.given);
        news
    }

    /// Takes a request that is over. To be asked until there is none; what it takes besides may leave something to be published.
    ///
    /// # Errors
    /// What the device did wrong; nothing is taken or given any more.
    #[inline]
    pub fn take(&mut self, now: u64) -> Result<Option<Completion>, DeviceFault> {
        // What is added meanwhile the device has not seen: each turn leaves less to take.
        while let Some(lane) = self.lanes.get_mut(self.asked) {
            match lane.take(&self.area) {
                Ok(Some(Answer { chain, flight, status })) => {
                    self.in_flight -= 1;
                    if status == status::OK && !flight.goes_on {
                        let detail = (flight.kind as u32) << 8;
                        return Ok(Some(Completion { tag: flight.tag, status: Status::Done, detail }));
                    }
                    if let Some(completion) = self.judge(chain, flight.tag, flight.kind, status, now)? {
                        return Ok(Some(completion));
                    }
                }
                Ok(None) => {
                    if !self.move_on()? {
                        return Ok(None);
                    }
                }
                Err(fault) => return Err(self.fail(fault)),
            }
        }
        self.fault.map_or(Ok(None), Err)
    }

    /// To the next queue that has something to take. False when none has.
    fn move_on(&mut self) -> Result<bool, DeviceFault> {
        for _ in 1..self.lanes.len() {
            self.asked = self.next(self.asked);
            match self.lanes.get_mut(self.asked).map(Lane::look) {
                Some(Ok(true)) => return Ok(true),
                Some(Err(fault)) => return Err(self.fail(fault)),
                _ => {}
            }
        }
        Ok(false)
    }

    /// What follows from an answer that is not just the end of a request: there is more of it, or it failed.
    #[inline(never)]
    fn judge(
        &mut self,
        chain: u16,
        tag: Tag,
        kind: Kind,
        byte: u8,
        now: u64,
    ) -> Result<Option<Completion>, DeviceFault> {
        let lane = self.lanes.get_mut(self.asked);
        let status = match (byte, kind) {
            (status::OK | status::IOERR | status::UNSUPP, Kind::GetId) => {
                let told = lane.filter(|_| byte == status::OK).map(|lane| lane.id(&self.area, chain));
                self.id = Some(told.unwrap_or_default());
                return Ok(None);
            }
            (status::OK, _) => {
                let next = lane.and_then(|lane| Some((Command::after(lane.then(chain), &self.shape)?, lane)));
                let Some((command, lane)) = next else { return Ok(None) };
                // On this chain or on any other that is not in flight.
                lane.add(&self.area, &command, tag, now);
                self.in_flight += 1;
                return Ok(None);
            }
            (status::IOERR, Kind::In | Kind::Out) => Status::Media,
            (status::IOERR, _) => Status::Device,
            (status::UNSUPP, _) => Status::Unsupported,
            (other, _) => return Err(self.fail(DeviceFault::Answer(other))),
        };
        let detail = u32::from(byte) | (kind as u32) << 8;
        Ok(Some(Completion { tag, status, detail }))
    }

    /// To be called when there is nothing to take, before waiting for an interrupt. False when there is something to take or to publish after
    /// all.
    ///
    /// # Errors
    /// See [`Blk::take`].
    pub fn may_sleep(&mut self) -> Result<bool, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        for lane in self.lanes.iter_mut() {
            match lane.may_sleep() {
                Ok(may) if may && !lane.has_news() => {}
                Ok(_) => return Ok(false),
                Err(fault) => return Err(self.fail(fault)),
            }
        }
        Ok(true)
    }

    /// When to call [`Blk::on_timeout`]; never while the device has nothing to do.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        (self.in_flight > 0).then(|| self.looked.saturating_add(LOOK_NS))
    }

    /// It is `now`, and the device's status is this.
    ///
    /// # Errors
    /// [`DeviceFault::Silent`] when the device has something for too long; what its status says; else see [`Blk::take`].
    pub fn on_timeout(&mut self, status: u8, now: u64) -> Result<(), DeviceFault> {
        self.looked = now;
        let looked = self.fault.map_or_else(|| device::in_order(status), Err);
        looked.map_err(|fault| self.fail(fault))?;
        // It may have lost an interrupt only.
        if !self.may_sleep()? {
            return Ok(());
        }
        let oldest = self.lanes.iter().filter_map(Lane::oldest).min();
        let is_late = oldest.is_some_and(|since| now >= since.saturating_add(TIMEOUT_NS));
        if is_late { Err(self.fail(DeviceFault::Silent)) } else { Ok(()) }
    }

    fn fail(&mut self, fault: DeviceFault) -> DeviceFault {
        self.fault = Some(fault);
        self.lanes.clear();
        fault
    }
}

#[cold]
fn with_room<M: Memory>(lanes: &[Lane<M>]) -> Option<usize> {
    lanes.iter().position(Lane::has_room)
}
