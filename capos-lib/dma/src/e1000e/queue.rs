//! One ring.

use super::{LONGEST, Layout, ROOM, bits};
use crate::memory::{Real, Shadow};
use crate::pool::{Located, Pool, TokenError};
use alloc::boxed::Box;
use core::fmt;
use core::sync::atomic::Ordering;

/// What a ring is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Buffers to be filled.
    Receive,
    /// Frames to be sent.
    Send,
}

/// What is known of a descriptor that the device has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    /// The slot of its buffer, if it has one.
    slot: Option<u16>,
}

/// What was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "the device may sleep until the bell is rung"]
pub struct Published {
    /// Descriptors.
    pub count: u16,
    /// What to write to the queue's bell, if there is anything new.
    pub bell: Option<u16>,
    /// The limit was reached: there is more.
    pub more: bool,
}

/// Why nothing more is published until the device is reset: the driver's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What was published before.
    pub before: Published,
    /// The entry that is wrong.
    pub entry: u16,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The queue was stopped before, for a refusal.
    Stopped,
    /// There is no such entry.
    Index(u16),
    /// The device is not through with what was there.
    Full,
    /// Neither a whole frame nor a context of checksums, or bits that there are not.
    Form(u64),
    /// More than a frame has.
    TooLong(u64),
    /// The address.
    Token(TokenError),
}

/// The kernel's side of one queue, for one life of the device.
pub struct Queue {
    layout: Layout,
    direction: Direction,
    entries: Box<[Entry]>,
    /// What the device does next, as far as it was seen.
    head: u16,
    /// Behind the last that was published.
    tail: u16,
    stopped: bool,
}

/// A frame has all of these, and a context; and none but these and those.
const FRAME: u64 = bits::FRAME | bits::END | bits::CHECK | bits::REPORT | bits::FORM;
const FRAME_MAY: u64 = FRAME | bits::LENGTH | bits::CHECKSUM;
const CONTEXT: u64 = bits::REPORT | bits::FORM;
const CONTEXT_MAY: u64 = CONTEXT | bits::TCP | bits::V4;

impl Queue {
    /// For rings that are all zero. There is one entry for each of the layout, or none is made.
    pub fn new(layout: Layout, direction: Direction, entries: Box<[Entry]>) -> Option<Queue> {
        (entries.len() == usize::from(layout.size())).then_some(Queue {
            layout,
            direction,
            entries,
            head: 0,
            tail: 0,
            stopped: false,
        })
    }

    /// Descriptors that the device has.
    pub fn in_flight(&self) -> u16 {
        self.layout.distance(self.head, self.tail)
    }

    /// Publishes up to `limit` new descriptors. Call [`Queue::collect`] before, since a driver that saw an answer may use its place again.
    ///
    /// # Errors
    /// The first entry that is wrong. Those before it are published; neither it nor any later one ever is.
    pub fn publish(
        &mut self,
        shadow: &impl Shadow,
        real: &impl Real,
        pool: &mut Pool,
        limit: u16,
    ) -> Result<Published, Refusal> {
        let refuse = |entry, reason| Refusal { before: Published::default(), entry, reason };
        if self.stopped {
            return Err(refuse(0, Reason::Stopped));
        }
        let wanted = shadow.read16(self.layout.tail());
        real.fence(Ordering::Acquire);
        if wanted >= self.layout.size() {
            self.stopped = true;
            return Err(refuse(wanted, Reason::Index(wanted)));
        }
        let (mut count, mut refused) = (0, None);
        while self.tail != wanted && count < limit {
            if let Err(reason) = self.copy(shadow, real, pool) {
                (self.stopped, refused) = (true, Some(reason));
                break;
            }
            self.tail = self.layout.after(self.tail);
            count += 1;
        }
        // The device fetches entries when the bell was rung: they come before.
        real.fence(Ordering::SeqCst);
        let bell = (count > 0).then_some(self.tail);
        let before = Published { count, bell, more: !self.stopped && self.tail != wanted };
        match refused {
            None => Ok(before),
            Some(reason) => Err(Refusal { before, entry: self.tail, reason }),
        }
    }

    /// Takes back what the device is through with, has the driver see what it wrote, and gives how many that were. A device can not say anything here that it must not: at worst it
    /// goes on with what it has given back.
    pub fn collect(&mut self, real: &impl Real, pool: &mut Pool) -> u16 {
        let mut count = 0;
        while self.head != self.tail {
            let at = self.layout.descriptor(self.head);
            let upper = u64::from(real.read32(at + 12)) << 32;
            if upper & bits::DONE == 0 {
                break;
            }
            real.fence(Ordering::Acquire);
            real.write64(self.layout.answer(self.head), upper | u64::from(real.read32(at + 8)));
            self.let_go(self.head, pool);
            self.head = self.layout.after(self.head);
            count += 1;
        }
        count
    }

    /// The device was reset, and has nothing any more. The queue is through; a new one comes with the device's next life.
    pub fn abandon(&mut self, pool: &mut Pool) {
        while self.head != self.tail {
            self.let_go(self.head, pool);
            self.head = self.layout.after(self.head);
        }
        self.stopped = true;
    }

    fn let_go(&mut self, index: u16, pool: &mut Pool) {
        if let Some(slot) = self.entries.get_mut(usize::from(index)).and_then(|entry| entry.slot.take()) {
            pool.unpin(slot);
        }
    }

    /// Checks and copies the next descriptor.
    fn copy(&mut self, shadow: &impl Shadow, real: &impl Real, pool: &mut Pool) -> Result<(), Reason> {
        if self.layout.after(self.tail) == self.head {
            return Err(Reason::Full);
        }
        let at = self.layout.descriptor(self.tail);
        let [first, second] = shadow.read_pair(at);
        let (place, words) = match self.direction {
            Direction::Receive => {
                let place = pool.pin(first, ROOM).map_err(Reason::Token)?;
                (Some(place), [place.address, 0])
            }
            Direction::Send => of_frame(first, second, pool)?,
        };
        if let Some(entry) = self.entries.get_mut(usize::from(self.tail)) {
            entry.slot = place.map(|place| place.slot);
        }
        // What was said of the last one there is over before this one begins.
        real.write64(self.layout.answer(self.tail), 0);
        real.write_pair(at, words);
        Ok(())
    }
}

/// What the device is to find for this: a frame, which stays, or a context.
fn of_frame(first: u64, second: u64, pool: &mut Pool) -> Result<(Option<Located>, [u64; 2]), Reason> {
    if second & FRAME == FRAME && second & !FRAME_MAY == 0 {
        let length = second & bits::LENGTH;
        if length > LONGEST {
            return Err(Reason::TooLong(length));
        }
        let place = pool.pin(first, length).map_err(Reason::Token)?;
        return Ok((Some(place), [place.address, second]));
    }
    if second & CONTEXT == CONTEXT && second & !CONTEXT_MAY == 0 {
        // Places within a frame, no address.
        return Ok((None, [first, second]));
    }
    Err(Reason::Form(second))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the queue is stopped until the device is reset"),
            Self::Index(index) => write!(f, "the driver's queue has no entry {index}"),
            Self::Full => f.write_str("the driver writes over what the device is not through with"),
            Self::Form(word) => {
                write!(f, "the driver's descriptor {word:#x} is neither a frame nor a context")
            }
            Self::TooLong(length) => write!(f, "the driver's frame has {length} bytes"),
            Self::Token(error) => error.fmt(f),
        }
    }
}
