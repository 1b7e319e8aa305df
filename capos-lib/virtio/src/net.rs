//! The network adapter (virtio 1.2, 5.1), for one life: from a reset of the device to its next fault.
//!
//! Buffers that the device had when it had to be reset are armed again by whoever gave them; frames that were to be sent then may be lost, as on any
//! Ethernet. A device that keeps buffers to be filled for ever is a quiet network; one that does not send is broken.

use crate::register::status as device;
use crate::split::Memory;
use crate::transport::Transport;
use crate::{DeviceFault, Interface, Layout};
use alloc::vec::Vec;

mod control;
mod filter;
mod header;
mod receive;
mod send;
mod shape;

pub use capos_block::Tag;
pub use filter::Filter;
pub use header::{Checksum, Frame, Segment};
pub use shape::{CHOICE, FIELDS, Mac, Options, PAIRS, Shape, features, wish};

use control::{CONTROL_BYTES, Control};
use receive::Receiver;
use send::Sender;

/// PCI device ids of vendor 0x1af4: the modern one, and that of a transitional device (4.1.2.1).
pub const DEVICE_IDS: [u16; 2] = [0x1041, 0x1000];

/// Time that the device may take to send a frame or to answer a command, before it is taken for broken. Hosts may wait for their peer.
pub const TIMEOUT_NS: u64 = 30_000_000_000;

/// Time between looks at the device's status while it has something to do. One in trouble may say so there, and nowhere else.
pub const LOOK_NS: u64 = 1_000_000_000;

/// Time after which frames are asked for that were sent without an interrupt.
pub const QUIET_NS: u64 = 5_000_000;

/// In the memory of a pair: headers of what is received, and of what is sent.
const SENT: u32 = receive::HEADERS_BYTES;
const PAIR_BYTES: u32 = SENT + send::HEADERS_BYTES;
const CONTROL: u32 = PAIR_BYTES * PAIRS as u32;

/// Bytes of memory that the device is to find at one token.
pub const AREA_BYTES: u32 = (CONTROL + CONTROL_BYTES).next_multiple_of(4096);

/// A device in an unknown state, of which a driver with `vectors` interrupt vectors wants this.
pub const fn transport(interface: Interface, vectors: u16, options: Options) -> Transport<FIELDS> {
    Transport::new(interface, wish(vectors, options)).choosing(CHOICE)
}

/// How the driver sees the buffers that frames are received into.
pub trait Buffers {
    /// The first 12 bytes of a buffer, by the tag that it was given with.
    fn header(&self, tag: Tag) -> [u32; 3];
}

/// Why something was not submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// As many as possible are in flight.
    Busy,
    /// The device does not do that, or nobody could.
    Unsupported,
}

/// What the device is told besides frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// How many pairs of queues are used.
    Pairs,
    /// Its address.
    Address,
    /// Which addresses are received, too.
    Table,
    /// Whether all are.
    Promiscuous,
    /// Whether all groups are.
    AllGroups,
}

/// What the device did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// It has filled a buffer.
    Received {
        /// As it was given.
        tag: Tag,
        /// Where in the buffer the frame begins, or goes on.
        skip: u16,
        /// Bytes of it there.
        length: u32,
        /// It goes on in the next buffer that is received, which is there already.
        more: bool,
        /// Its checksum need not be looked at.
        is_good: bool,
    },
    /// It has read a frame.
    Sent {
        /// As it was given.
        tag: Tag,
    },
    /// It has answered a command.
    Told {
        /// Which one.
        command: Command,
        /// It does so.
        is_done: bool,
    },
}

/// Two queues.
#[derive(Debug)]
struct Pair<M> {
    receiver: Receiver<M>,
    sender: Sender<M>,
}

/// The driver's decisions. Rings are `M`, the memory for headers and commands is an `A`.
#[derive(Debug)]
pub struct Net<M, A> {
    area: A,
    shape: Shape,
    /// In order; none after a fault.
    pairs: Vec<Pair<M>>,
    /// Of these the device uses so many.
    active: usize,
    control: Option<Control<M>>,
    /// Frames that the device has, or will see next.
    sending: u32,
    /// Of these it need not tell.
    few: u16,
    /// The queue that was asked last what it has: a pair's receiver and sender each, behind all of them the control queue.
    asked: usize,
    /// When the device was looked at, and when frames were asked for that it need not tell of.
    looked: u64,
    fault: Option<DeviceFault>,
}

impl<M: Memory, A: Memory> Net<M, A> {
    /// A device that was just set up by [`transport`], with its queues in their order. `area` is [`AREA_BYTES`] long, and the device finds it at `token`.
    ///
    /// # Errors
    /// A queue that is too small, or missing.
    pub fn new(
        shape: Shape,
        area: A,
        token: u64,
        queues: impl IntoIterator<Item = (M, Layout)>,
        now: u64,
    ) -> Result<Self, DeviceFault> {
        let (mut queues, mut position) = (queues.into_iter(), 0);
        let mut next = || {
            position += 1;
            queues.next().ok_or(DeviceFault::NoQueue(position - 1))
        };
        let mut pairs = Vec::with_capacity(shape.pairs.into());
        for pair in 0..u32::from(shape.pairs) {
            let headers = pair * PAIR_BYTES;
            let (memory, layout) = next()?;
            let receiver = Receiver::new(memory, layout, &shape, headers, token)?;
            let sender = Sender::new(next()?, &shape, &area, headers + SENT, token)?;
            pairs.push(Pair { receiver, sender });
        }
        let control = shape.has_control().then(&mut next).transpose()?;
        let control = control.map(|queue| Control::new(queue, &shape, CONTROL, token)).transpose()?;
        let (active, fault) = (1, None);
        let mut net =
            Net { area, shape, pairs, active, control, sending: 0, few: 0, asked: 0, looked: now, fault };
        if let Some(control) = &mut net.control {
            control.go_on(&net.area, now);
        }
        Ok(net)
    }

    /// What the adapter is like.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Buffers to be filled that it has at a time at most, and frames to be sent.
    pub fn depths(&self) -> [u32; 2] {
        let used = || self.pairs.iter().take(self.active);
        let (receives, sends) =
            (used().map(|pair| pair.receiver.chains()), used().map(|pair| pair.sender.chains()));
        [receives.map(u32::from).sum(), sends.map(u32::from).sum()]
    }

    /// The device need not interrupt for what was sent while that are only so many frames: they are taken with what is received, or [`QUIET_NS`] later. To
    /// begin with it does so for each.
    pub fn set_few(&mut self, few: u16) {
        self.few = few;
    }

    /// Whether the device was told all, and has answered. Before that only one pair of queues is used.
    pub fn is_settled(&self) -> bool {
        self.control.as_ref().is_none_or(|control| !control.is_busy())
    }

    /// Prepares a buffer to be received into, from `token` on. The device sees it when it is published.
    ///
    /// # Errors
    /// [`Refusal::Busy`], or a buffer below [`Shape::least_room`]; nothing was submitted.
    #[inline]
    pub fn receive(&mut self, tag: Tag, token: u64, length: u32) -> Result<(), Refusal> {
        if length < self.shape.least_room() {
            return Err(Refusal::Unsupported);
        }
        let pair = match &mut self.pairs[..] {
            [pair] => Some(pair),
            // Which one gets a frame is the device's to say: all have as much room for it.
            pairs => pairs.iter_mut().take(self.active).max_by_key(|pair| pair.receiver.room()),
        };
        let added = pair.is_some_and(|pair| pair.receiver.add(tag, token, length, &self.shape));
        if added { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Prepares a frame to be sent. The device sees it when it is published.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing was submitted.
    #[inline]
    pub fn send(&mut self, tag: Tag, frame: &Frame, now: u64) -> Result<(), Refusal> {
        let header = header::of(frame, &self.shape).ok_or(Refusal::Unsupported)?;
        let pair = match &mut self.pairs[..] {
            [pair] => Some(pair),
            pairs => pairs.get_mut(usize::from(frame.flow) % self.active),
        };
        let added = pair.is_some_and(|pair| pair.sender.add(&self.area, tag, frame, header, now));
        self.sending += u32::from(added);
        if added { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Has the device receive this; it answers with [`Done::Told`] for each command.
    ///
    /// # Errors
    /// [`Refusal::Unsupported`]: it receives what it likes.
    pub fn set_filter(&mut self, filter: Filter, now: u64) -> Result<(), Refusal> {
        let control = self.control.as_mut().filter(|_| self.shape.filters());
        control.ok_or(Refusal::Unsupported)?.set_filter(&self.area, filter, now);
        Ok(())
    }

    /// Gives the device another address; it has it when it has answered.
    ///
    /// # Errors
    /// [`Refusal::Unsupported`]: it keeps its own, or nobody can have this one.
    pub fn set_address(&mut self, address: Mac, now: u64) -> Result<(), Refusal> {
        let can = self.shape.takes_address() && shape::is_station(&address);
        let control = self.control.as_mut().filter(|_| can);
        control.ok_or(Refusal::Unsupported)?.set_address(&self.area, address, now);
        Ok(())
    }

    /// What the device says of itself, after it interrupted because of its configuration. True when it is not what it was: its link, its
    /// address, its largest packet.
    ///
    /// # Errors
    /// What can not be; else see [`Net::take`].
    pub fn reconfigure(&mut self, config: &[u32; FIELDS]) -> Result<bool, DeviceFault> {
        let shape = self.fault.map_or_else(|| self.shape.again(config), Err);
        let shape = shape.map_err(|fault| self.fail(fault))?;
        Ok(core::mem::replace(&mut self.shape, shape) != shape)
    }

    /// Shows the device what was submitted, and gives one bit for each queue that it is to be told of, in their order.
    #[inline]
    #[must_use = "the device does not look by itself"]
    pub fn publish(&mut self) -> u32 {
        let mut news = 0;
        for (n, pair) in self.pairs.iter_mut().enumerate() {
            let (received, sent) = (pair.receiver.rings.show(), pair.sender.show(self.few));
            news |= (u32::from(received) | u32::from(sent) << 1) << (2 * n);
        }
        if let Some(control) = &mut self.control {
            news |= u32::from(control.rings.show()) << (2 * self.pairs.len());
        }
        // What never ends on one queue does not keep others waiting.
        if !self.is_giving() {
            self.move_on();
        }
        news
    }

    /// Of the queues with news those that the device itself wants to be told of. Only for who rings its doorbells: where the kernel copies the
    /// rings it is told of all, and asks the device.
    #[inline]
    #[must_use = "the device does not look by itself"]
    pub fn bells(&mut self, news: u32) -> u32 {
        let (mut wanted, mut left) = (0, news);
        while left != 0 {
            let n = left.trailing_zeros();
            left &= left - 1;
            let rings = self.rings(n as usize);
            wanted |= u32::from(rings.is_some_and(crate::split::Rings::kick)) << n;
        }
        wanted
    }

    /// The rings at a position.
    fn rings(&mut self, position: usize) -> Option<&mut crate::split::Rings<M>> {
        match self.pairs.get_mut(position / 2) {
            Some(pair) if position.is_multiple_of(2) => Some(&mut pair.receiver.rings),
            Some(pair) => Some(&mut pair.sender.rings),
            None => self.control.as_mut().map(|control| &mut control.rings),
        }
    }

    /// Whether not all parts of a frame were taken.
    #[inline]
    fn is_giving(&self) -> bool {
        let pair = self.pairs.get(self.asked / 2);
        self.asked.is_multiple_of(2) && pair.is_some_and(|pair| pair.receiver.is_giving())
    }

    /// To the next queue.
    #[inline]
    fn move_on(&mut self) {
        let count = 2 * self.pairs.len() + usize::from(self.control.is_some());
        self.asked = if self.asked + 1 < count { self.asked + 1 } else { 0 };
    }

    /// Takes what the device has done. To be asked until there is nothing; what it takes besides may leave something to be published.
    ///
    /// # Errors
    /// What the device did wrong; nothing is taken or given any more.
    #[inline]
    pub fn take(&mut self, buffers: &impl Buffers, now: u64) -> Result<Option<Done>, DeviceFault> {
        let queues = 2 * self.pairs.len() + 1;
        for _ in 0..queues {
            match self.take_one(buffers, now) {
                Ok(None) => self.move_on(),
                Ok(done) => return Ok(done),
                Err(fault) => return Err(self.fail(fault)),
            }
        }
        self.fault.map_or(Ok(None), Err)
    }

    /// From the queue whose turn it is.
    #[inline]
    fn take_one(&mut self, buffers: &impl Buffers, now: u64) -> Result<Option<Done>, DeviceFault> {
        match self.pairs.get_mut(self.asked / 2) {
            Some(pair) if self.asked.is_multiple_of(2) => {
                pair.receiver.take(&self.area, buffers, &self.shape)
            }
            Some(pair) => {
                let done = pair.sender.take()?;
                self.sending -= u32::from(done.is_some());
                Ok(done)
            }
            None => self.take_answer(now),
        }
    }

    #[inline(never)]
    fn take_answer(&mut self, now: u64) -> Result<Option<Done>, DeviceFault> {
        let Some(control) = &mut self.control else { return Ok(None) };
        // What it was told: the next command follows at once.
        let address = control.told();
        let done = control.take(&self.area, now)?;
        match done {
            Some(Done::Told { command: Command::Pairs, is_done: true }) => self.active = self.pairs.len(),
            Some(Done::Told { command: Command::Address, is_done: true }) => {
                self.shape.mac = Some(address);
            }
            _ => {}
        }
        Ok(done)
    }

    /// To be called when there is nothing to take, before waiting for an interrupt. False when there is something to take or to publish after
    /// all.
    ///
    /// # Errors
    /// See [`Net::take`].
    pub fn may_sleep(&mut self) -> Result<bool, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.is_giving() {
            return Ok(false);
        }
        for position in 0..=2 * self.pairs.len() {
            let Some(rings) = self.rings(position) else { break };
            match rings.may_sleep() {
                Ok(true) if !rings.has_news() => {}
                Ok(_) => return Ok(false),
                Err(fault) => return Err(self.fail(fault)),
            }
        }
        Ok(true)
    }

    /// When to call [`Net::on_timeout`]; never while the device has nothing to do but to receive.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        let pause = if self.few > 0 && self.sending > 0 { QUIET_NS } else { LOOK_NS };
        let is_busy = self.sending > 0 || !self.is_settled();
        is_busy.then(|| self.looked.saturating_add(pause))
    }

    /// It is `now`, and the device's status is this. What there is to take is to be taken afterwards.
    ///
    /// # Errors
    /// [`DeviceFault::Silent`] when the device has something for too long; what its status says; else see [`Net::take`].
    pub fn on_timeout(&mut self, status: u8, now: u64) -> Result<(), DeviceFault> {
        self.looked = now;
        let looked = self.fault.map_or_else(|| device::in_order(status), Err);
        looked.map_err(|fault| self.fail(fault))?;
        // It may have lost an interrupt only.
        if !self.may_sleep()? {
            return Ok(());
        }
        let sent = self.pairs.iter().filter_map(|pair| pair.sender.oldest());
        let oldest = sent.chain(self.control.as_ref().and_then(Control::since)).min();
        let is_late = oldest.is_some_and(|since| now >= since.saturating_add(TIMEOUT_NS));
        if is_late { Err(self.fail(DeviceFault::Silent)) } else { Ok(()) }
    }

    #[cold]
    fn fail(&mut self, fault: DeviceFault) -> DeviceFault {
        let fault = *self.fault.get_or_insert(fault);
        self.pairs.clear();
        self.control = None;
        (self.sending, self.asked) = (0, 0);
        fault
    }
}
