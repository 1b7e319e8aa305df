//! The adapter at work.

use crate::register::{NOTHING, control};
use crate::ring::{Flight, Memory, Ring};
use crate::{DeviceFault, LONGEST, Link, RECEIVE_CONTROL, ROOM, Register, Tag, bits};

/// Time that the device may take to send a frame while there is a link, before it is taken for broken.
pub const TIMEOUT_NS: u64 = 10_000_000_000;

/// Time between looks at the device's status while it has something to send.
pub const LOOK_NS: u64 = 1_000_000_000;

/// The last byte of a frame at which a checksum may begin, or lie: contexts have so many bits for it.
pub const FURTHEST: u16 = 255;

/// Where a TCP header has its checksum. Of any other sum that is zero its opposite is written, as UDP wants it.
const OF_TCP: u16 = 16;

/// A checksum that the device is to fill in: over the bytes from `start` to the end of the frame. The sum of the pseudo header is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checksum {
    /// Where in the frame the sum begins.
    pub start: u16,
    /// Where it goes, counted from there.
    pub offset: u16,
}

impl Checksum {
    /// As a context (7.2.6), if one can say it.
    fn context(self) -> Option<[u64; 2]> {
        let place = self.start.checked_add(self.offset).filter(|place| *place <= FURTHEST)?;
        let kind = if self.offset == OF_TCP { bits::TCP } else { 0 };
        Some([u64::from(self.start) << 32 | u64::from(place) << 40, bits::REPORT | bits::FORM | kind])
    }
}

/// A frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Where it lies.
    pub token: u64,
    /// Bytes.
    pub length: u32,
    /// What the device is to fill in.
    pub checksum: Option<Checksum>,
}

/// What is received besides broadcasts and what is for the adapter's own address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// What is for any station.
    pub stations: bool,
    /// What is for any group.
    pub groups: bool,
}

impl Filter {
    /// The register that says so, and its value.
    pub const fn control(self) -> (Register, u32) {
        let stations = if self.stations { control::STATIONS } else { 0 };
        let groups = if self.stations || self.groups { control::GROUPS } else { 0 };
        let value = control::ENABLE | control::BROADCASTS | control::STRIP | stations | groups;
        (RECEIVE_CONTROL, value)
    }
}

/// Why something was not submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// As many as possible are under way.
    Busy,
    /// The device does not do that.
    Unsupported,
}

/// What the device did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// It has filled a buffer.
    Received {
        /// As it was given.
        tag: Tag,
        /// Bytes.
        length: u32,
        /// Its checksum need not be looked at.
        is_good: bool,
    },
    /// It has read a frame.
    Sent {
        /// As it was given.
        tag: Tag,
    },
}

/// How far the device is to be told that it may go, where that is news.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "the device does not look by itself"]
pub struct Bells {
    /// On the ring of buffers.
    pub receive: Option<u16>,
    /// On that of frames.
    pub send: Option<u16>,
}

/// What the device says of a buffer that it has filled (7.1.4): above its length and a sum, the status, and errors.
mod said {
    pub const END: u64 = 1 << 33;
    pub const IGNORE: u64 = 1 << 34;
    /// UDP's sum, TCP's sum: it was looked at.
    pub const SUMMED: u64 = 1 << 36 | 1 << 37;
    pub const ERRORS: u64 = 0xff << 40;
}

/// The driver's decisions.
#[derive(Debug)]
pub struct Adapter<M> {
    mac: [u8; 6],
    link: Link,
    receiver: Ring<M>,
    sender: Ring<M>,
    /// What the device's context says.
    context: Option<Checksum>,
    /// The ring that was asked last is that of frames.
    asks_sender: bool,
    looked: u64,
    fault: Option<DeviceFault>,
}

impl<M: Memory> Adapter<M> {
    pub(crate) fn new(mac: [u8; 6], status: u32, receiver: Ring<M>, mut sender: Ring<M>, now: u64) -> Self {
        // Something that the device does at once and nobody else sees: so it is known whether it reaches memory, and how.
        let checksum = Checksum { start: 0, offset: OF_TCP };
        if let Some(words) = checksum.context() {
            sender.add(words, Flight { tag: None, since: now });
        }
        let context = Some(checksum);
        let link = Link::of(status);
        Adapter { mac, link, receiver, sender, context, asks_sender: false, looked: now, fault: None }
    }

    /// Its address.
    pub const fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// As far as is known.
    pub const fn link(&self) -> Link {
        self.link
    }

    /// Buffers to be filled that it has at a time at most, and frames to be sent; each of those may need a context.
    pub const fn depths(&self) -> [u16; 2] {
        [self.receiver.most(), self.sender.most()]
    }

    /// Prepares a buffer to be received into, from `token` on. The device sees it when it is published.
    ///
    /// # Errors
    /// [`Refusal::Busy`], or a buffer below [`ROOM`]; nothing was submitted.
    #[inline]
    pub fn receive(&mut self, tag: Tag, token: u64, length: u32, now: u64) -> Result<(), Refusal> {
        if u64::from(length) < ROOM {
            return Err(Refusal::Unsupported);
        }
        if self.receiver.room() == 0 || self.fault.is_some() {
            return Err(Refusal::Busy);
        }
        self.receiver.add([token, 0], Flight { tag: Some(tag), since: now });
        Ok(())
    }

    /// Prepares a frame to be sent. The device sees it when it is published.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing was submitted.
    #[inline]
    pub fn send(&mut self, tag: Tag, frame: &Frame, now: u64) -> Result<(), Refusal> {
        if frame.length == 0 || u64::from(frame.length) > LONGEST {
            return Err(Refusal::Unsupported);
        }
        let fresh = frame.checksum.filter(|checksum| self.context != Some(*checksum));
        let context = match fresh {
            Some(checksum) => Some(checksum.context().ok_or(Refusal::Unsupported)?),
            None => None,
        };
        if self.sender.room() < 1 + u16::from(context.is_some()) || self.fault.is_some() {
            return Err(Refusal::Busy);
        }
        if let Some(words) = context {
            self.sender.add(words, Flight { tag: None, since: now });
            self.context = fresh;
        }
        let sum = if frame.checksum.is_some() { bits::CHECKSUM } else { 0 };
        let form = bits::FRAME | bits::END | bits::CHECK | bits::REPORT | bits::FORM;
        let words = [frame.token, u64::from(frame.length) | form | sum];
        self.sender.add(words, Flight { tag: Some(tag), since: now });
        Ok(())
    }

    /// Shows the device what was submitted.
    #[inline]
    pub fn publish(&mut self) -> Bells {
        if self.fault.is_some() {
            return Bells::default();
        }
        Bells { receive: self.receiver.show(), send: self.sender.show() }
    }

    /// Takes what the device has done. To be asked until there is nothing.
    ///
    /// # Errors
    /// What the device did wrong; nothing is taken or given any more.
    #[inline]
    pub fn take(&mut self) -> Result<Option<Done>, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        for _ in 0..2 {
            let done = if self.asks_sender { self.take_sent() } else { self.take_received()? };
            if done.is_some() {
                return Ok(done);
            }
            // What never ends on one ring does not keep the other waiting for longer than the ring is.
            self.asks_sender = !self.asks_sender;
        }
        Ok(None)
    }

    #[inline]
    fn take_sent(&mut self) -> Option<Done> {
        // One that nobody gave is a context: nobody waits for it.
        for _ in 0..=self.sender.most() {
            let (flight, _) = self.sender.take()?;
            if let Some(tag) = flight.tag {
                return Some(Done::Sent { tag });
            }
        }
        None
    }

    #[inline]
    fn take_received(&mut self) -> Result<Option<Done>, DeviceFault> {
        let Some((Flight { tag: Some(tag), .. }, answer)) = self.receiver.take() else { return Ok(None) };
        let length = answer as u16;
        if length == 0 || u64::from(length) > ROOM {
            return Err(self.fail(DeviceFault::Length(length)));
        }
        if answer & said::END == 0 {
            return Err(self.fail(DeviceFault::Parts));
        }
        let is_good = answer & (said::IGNORE | said::ERRORS) == 0 && answer & said::SUMMED != 0;
        Ok(Some(Done::Received { tag, length: length.into(), is_good }))
    }

    #[cold]
    fn fail(&mut self, fault: DeviceFault) -> DeviceFault {
        *self.fault.get_or_insert(fault)
    }

    /// To be called when there is nothing to take, before waiting for an interrupt. False when there is something to take or to publish after all.
    ///
    /// # Errors
    /// See [`Adapter::take`].
    pub fn may_sleep(&self) -> Result<bool, DeviceFault> {
        let is_idle = |ring: &Ring<M>| !ring.is_ready() && !ring.has_news();
        self.fault.map_or(Ok(is_idle(&self.receiver) && is_idle(&self.sender)), Err)
    }

    /// What the status says, whenever it was read. True when the link is not what it was.
    ///
    /// # Errors
    /// There is no device; else see [`Adapter::take`].
    pub fn look(&mut self, status: u32) -> Result<bool, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if status == NOTHING {
            return Err(self.fail(DeviceFault::Gone));
        }
        let link = Link::of(status);
        Ok(core::mem::replace(&mut self.link, link) != link)
    }

    /// When to call [`Adapter::on_timeout`]; never while there is nothing to be sent.
    pub fn deadline(&self) -> Option<u64> {
        let has = self.fault.is_none() && self.sender.oldest().is_some();
        has.then(|| self.looked.saturating_add(LOOK_NS))
    }

    /// It is `now`, and the device's status is this.
    ///
    /// # Errors
    /// See [`Adapter::look`]; and frames that are late. Without a link the device keeps them until there is one.
    pub fn on_timeout(&mut self, status: u32, now: u64) -> Result<(), DeviceFault> {
        self.look(status)?;
        self.looked = now;
        if !self.link.is_up {
            self.sender.forgive(now);
        }
        match self.sender.oldest() {
            Some(since) if now.saturating_sub(since) >= TIMEOUT_NS && !self.sender.is_ready() => {
                Err(self.fail(DeviceFault::Silent))
            }
            _ => Ok(()),
        }
    }
}
