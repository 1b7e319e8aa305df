//! The split virtqueue (virtio 1.2, 2.7) where the device is given physical addresses.
//!
//! The driver writes descriptors with tokens into a **shadow** of the descriptor table and the available ring. [`Queue::publish`] checks what is new
//! there and copies it to the **real** ones, with addresses, under the same indices; the used ring has no addresses, so the driver
//! reads the real one. A buffer is pinned from the moment that its descriptor is published until the kernel itself saw the device
//! give the chain back ([`Queue::collect`]), or reset the device.
//!
//! Of a chain in flight everything is known from memory of the kernel: neither shadow nor real ring are asked again. A descriptor is in at most one chain, so
//! all chains together are no longer than the table.

use crate::memory::{Real, Shadow};
use crate::pool::{Pool, TokenError};
use alloc::boxed::Box;
use capos_virtio::layout::{DESCRIPTOR, NO_NOTIFY, flags};
use core::fmt;
use core::sync::atomic::Ordering;

pub use capos_virtio::{DeviceFault, Layout};

/// Descriptors that a chain has at most: what any driver here needs, and less than devices take.
pub const LONGEST_CHAIN: u16 = 256;

/// What is known of a descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptor {
    /// Its flags, and the next of its chain in the upper half.
    link: u32,
    /// The slot of its buffer.
    slot: u16,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Free,
    /// A chain in flight begins with it.
    Head,
    /// It is in a chain in flight.
    Rest,
}

/// What was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "the device may sleep until the bell is rung"]
pub struct Published {
    /// Chains.
    pub count: u16,
    /// The device wants to be notified.
    pub bell: bool,
    /// The limit was reached: there is more.
    pub more: bool,
}

/// Why nothing more is published until the device is reset: the driver's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What was published before.
    pub before: Published,
    /// The descriptor that is wrong, unless the queue is.
    pub descriptor: u16,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The queue was stopped before, for a refusal or a fault of the device.
    Stopped,
    /// So many new entries are more than the ring has.
    Index(u16),
    /// The table has no such descriptor.
    NotInTable,
    /// The descriptor is in flight already, or twice in its chain.
    InUse,
    /// Tables of descriptors are not taken.
    Indirect,
    /// A flag that there is not.
    Flags(u16),
    /// What the device reads comes before what it writes (2.7.4.2).
    Order,
    /// More than [`LONGEST_CHAIN`] descriptors.
    TooLong,
    /// The address.
    Token(TokenError),
}

/// The descriptor that is wrong, and why.
type Wrong = (u16, Reason);

/// The kernel's side of one queue, for one life of the device.
pub struct Queue {
    layout: Layout,
    descriptors: Box<[Descriptor]>,
    /// EVENT_IDX was negotiated.
    event_index: bool,
    /// The available index that the device knows.
    published: u16,
    /// The used index that was seen.
    collected: u16,
    /// Chains that the device has.
    in_flight: u16,
    /// The driver's entries are not looked at any more.
    stopped: bool,
    fault: Option<DeviceFault>,
}

impl Queue {
    /// For rings that are all zero. There is one descriptor for each of the layout, or none is made.
    pub fn new(layout: Layout, event_index: bool, descriptors: Box<[Descriptor]>) -> Option<Queue> {
        (descriptors.len() == usize::from(layout.size())).then_some(Queue {
            layout,
            descriptors,
            event_index,
            published: 0,
            collected: 0,
            in_flight: 0,
            stopped: false,
            fault: None,
        })
    }

    /// Chains that the device has.
    pub fn in_flight(&self) -> u16 {
        self.in_flight
    }

    /// Publishes new chains until `limit` descriptors are reached. Call [`Queue::collect`] before, since a driver that saw a used
    /// chain may use its descriptors again.
    ///
    /// # Errors
    /// The first entry that is wrong. Those before it are published; neither it nor any later one ever is.
    #[inline(never)]
    pub fn publish(
        &mut self,
        shadow: &impl Shadow,
        real: &impl Real,
        pool: &mut Pool,
        limit: u16,
    ) -> Result<Published, Refusal> {
        let refuse = |descriptor, reason| Refusal { before: Published::default(), descriptor, reason };
        if self.stopped {
            return Err(refuse(0, Reason::Stopped));
        }
        let wanted = shadow.read16(self.layout.available_index());
        real.fence(Ordering::Acquire);
        let fresh = wanted.wrapping_sub(self.published);
        if fresh > self.layout.size() {
            self.stopped = true;
            return Err(refuse(0, Reason::Index(fresh)));
        }
        let first = self.published;
        let copied = self.chains(wanted, limit, shadow, real, pool);
        let count = self.published.wrapping_sub(first);
        self.in_flight += count;
        let bell = self.announce(first, shadow, real);
        let more = copied.is_ok() && self.published != wanted;
        let before = Published { count, bell, more };
        copied.map(|()| before).map_err(|(descriptor, reason)| {
            self.stopped = true;
            Refusal { before, descriptor, reason }
        })
    }

    /// Takes back what the device is through with, and gives how many chains that were.
    ///
    /// # Errors
    /// What the device did wrong. It keeps all that it has until it is reset.
    #[inline(never)]
    pub fn collect(&mut self, real: &impl Real, pool: &mut Pool) -> Result<u16, DeviceFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let index = real.read16(self.layout.used_index());
        real.fence(Ordering::Acquire);
        let fresh = index.wrapping_sub(self.collected);
        if fresh > self.in_flight {
            return Err(self.device_failed(DeviceFault::Index(fresh), self.collected));
        }
        let (layout, mut next) = (self.layout, self.collected);
        while next != index {
            let id = real.read32(layout.used_entry(next));
            match self.descriptors.get_mut(id as usize) {
                Some(known) if known.state == State::Head => {
                    if let Some(next) = let_go(known, pool) {
                        self.release(next, LONGEST_CHAIN - 1, pool);
                    }
                }
                None => return Err(self.device_failed(DeviceFault::UnknownId(id), next)),
                Some(_) => return Err(self.device_failed(DeviceFault::NotInFlight(id), next)),
            }
            next = next.wrapping_add(1);
        }
        (self.collected, self.in_flight) = (index, self.in_flight - fresh);
        Ok(fresh)
    }

    /// The device was reset, and has nothing any more. The queue is through; a new one comes with the device's next life.
    pub fn abandon(&mut self, pool: &mut Pool) {
        for descriptor in self.descriptors.iter_mut().filter(|it| it.state != State::Free) {
            descriptor.state = State::Free;
            pool.unpin(descriptor.slot);
        }
        (self.in_flight, self.stopped) = (0, true);
    }

    /// Checks and copies the chains before the index `wanted`, until `limit` descriptors are reached.
    #[inline(always)]
    fn chains(
        &mut self,
        wanted: u16,
        limit: u16,
        shadow: &impl Shadow,
        real: &impl Real,
        pool: &mut Pool,
    ) -> Result<(), Wrong> {
        let (layout, mut taken) = (self.layout, 0);
        while self.published != wanted && taken < limit {
            let entry = layout.available_entry(self.published);
            let head = shadow.read16(entry);
            let link = self.copy(head, None, shadow, real, pool)?;
            taken += 1;
            if follows(link) {
                taken += self.rest(head, link, shadow, real, pool)?;
            }
            real.write16(entry, head);
            self.published = self.published.wrapping_add(1);
        }
        Ok(())
    }

    /// Checks and copies a chain whose first descriptor was copied and has this link; gives how many came behind it.
    #[inline(never)]
    fn rest(
        &mut self,
        head: u16,
        link: u32,
        shadow: &impl Shadow,
        real: &impl Real,
        pool: &mut Pool,
    ) -> Result<u16, Wrong> {
        let (mut before, mut more) = (link, 0);
        while let Some(index) = next(before) {
            let copied = match more + 1 {
                LONGEST_CHAIN => Err(wrong(index, Reason::TooLong)),
                _ => self.copy(index, Some(before), shadow, real, pool),
            };
            before = copied.inspect_err(|_| self.release(head, more + 1, pool))?;
            more += 1;
        }
        Ok(more)
    }

    /// Checks and copies one descriptor, behind the one with the link `before` if it is not the first; gives its own link.
    #[inline(always)]
    fn copy(
        &mut self,
        index: u16,
        before: Option<u32>,
        shadow: &impl Shadow,
        real: &impl Real,
        pool: &mut Pool,
    ) -> Result<u32, Wrong> {
        let Some(known) = self.descriptors.get_mut(usize::from(index)) else {
            return Err(wrong(index, Reason::NotInTable));
        };
        if known.state != State::Free {
            return Err(wrong(index, Reason::InUse));
        }
        let at = u32::from(index) * DESCRIPTOR;
        let [token, rest] = shadow.read_pair(at);
        // Length in the lower half, then flags, then the next descriptor (2.7.5).
        let (length, link) = (rest as u32, (rest >> 32) as u32);
        if link as u16 & !(flags::NEXT | flags::WRITE) != 0 {
            return Err(wrong(index, unknown_flags(link)));
        }
        if before.is_some_and(writes) && !writes(link) {
            return Err(wrong(index, Reason::Order));
        }
        let place = pool.pin(token, length.into()).map_err(|error| wrong(index, Reason::Token(error)))?;
        let state = if before.is_none() { State::Head } else { State::Rest };
        *known = Descriptor { link, slot: place.slot, state };
        real.write_pair(at, [place.address, rest]);
        Ok(link)
    }

    /// Lets go of a chain, of which at most so many descriptors are there.
    fn release(&mut self, head: u16, most: u16, pool: &mut Pool) {
        let mut index = head;
        for _ in 0..most {
            let known = self.descriptors.get_mut(usize::from(index));
            let Some(next) = known.and_then(|known| let_go(known, pool)) else { return };
            index = next;
        }
    }

    /// Lets the device see everything since `first`, and what the driver wants to be interrupted for. Gives whether it wants the bell.
    #[inline]
    fn announce(&self, first: u16, shadow: &impl Shadow, real: &impl Real) -> bool {
        let layout = self.layout;
        real.write16(layout.available(), shadow.read16(layout.available()));
        real.write16(layout.used_event(), shadow.read16(layout.used_event()));
        if self.published == first {
            return false;
        }
        // Descriptors and entries come before the index (2.7.13.3.1), and that before looking at what the device wants (2.7.13.4.1).
        real.fence(Ordering::Release);
        real.write16(layout.available_index(), self.published);
        real.fence(Ordering::SeqCst);
        if self.event_index {
            let event = real.read16(layout.available_event());
            let behind = self.published.wrapping_sub(event).wrapping_sub(1);
            return behind < self.published.wrapping_sub(first);
        }
        real.read16(layout.used()) & NO_NOTIFY == 0
    }

    /// The device did that at used index `at`; what it gave back before was right.
    #[cold]
    fn device_failed(&mut self, fault: DeviceFault, at: u16) -> DeviceFault {
        self.in_flight -= at.wrapping_sub(self.collected);
        (self.stopped, self.fault) = (true, Some(fault));
        fault
    }
}

/// Lets go of a descriptor, and gives the next of its chain.
#[inline]
fn let_go(known: &mut Descriptor, pool: &mut Pool) -> Option<u16> {
    known.state = State::Free;
    pool.unpin(known.slot);
    next(known.link)
}

/// That is wrong with that descriptor.
#[cold]
#[inline(never)]
fn wrong(index: u16, reason: Reason) -> Wrong {
    (index, reason)
}

/// What is wrong with such flags.
#[cold]
#[inline(never)]
fn unknown_flags(link: u32) -> Reason {
    let flags = link as u16;
    if flags & flags::INDIRECT != 0 { Reason::Indirect } else { Reason::Flags(flags) }
}

/// Whether the device writes to the descriptor with this link.
#[inline]
fn writes(link: u32) -> bool {
    link & u32::from(flags::WRITE) != 0
}

/// Whether there is one behind the descriptor with this link.
#[inline]
fn follows(link: u32) -> bool {
    link & u32::from(flags::NEXT) != 0
}

/// The descriptor behind this one.
#[inline]
fn next(link: u32) -> Option<u16> {
    follows(link).then_some((link >> 16) as u16)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the queue is stopped until the device is reset"),
            Self::Index(fresh) => write!(f, "the driver's ring cannot have {fresh} new entries"),
            Self::NotInTable => f.write_str("the driver's ring names a descriptor that there is not"),
            Self::InUse => f.write_str("the driver's descriptor is in flight already"),
            Self::Indirect => f.write_str("the driver's descriptor is a table of descriptors"),
            Self::Flags(flags) => write!(f, "the driver's descriptor has flags {flags:#x}"),
            Self::Order => f.write_str("the driver's chain is read behind what is written"),
            Self::TooLong => f.write_str("the driver's chain is too long"),
            Self::Token(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
