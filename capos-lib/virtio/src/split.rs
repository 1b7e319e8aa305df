//! The driver's side of a split virtqueue (virtio 1.2, 2.7).
//!
//! **The device is not trusted.** What the driver needs to know of its chains it keeps in memory of its own and never reads back from the
//! ring; each word that the device writes is read once, and judged. An impossible one is a [`DeviceFault`], from then on for good.
//!
//! The driver may use fewer descriptors than the ring has: in the legacy interface the device dictates the ring's size.

use crate::DeviceFault;
use crate::layout::{Layout, flags};
use core::sync::atomic::Ordering;

mod rings;

pub(crate) use rings::Rings;

/// The ring's memory: offsets are [`Layout`]'s. Accesses are volatile and of exactly that width.
pub trait Memory {
    /// Reads two bytes.
    fn read16(&self, offset: u32) -> u16;
    /// Reads four bytes.
    fn read32(&self, offset: u32) -> u32;
    /// Reads eight bytes in two accesses, the first four first; they lie on a multiple of four.
    #[inline]
    fn read32_pair(&self, offset: u32) -> [u32; 2] {
        [self.read32(offset), self.read32(offset + 4)]
    }
    /// Writes two bytes.
    fn write16(&self, offset: u32, value: u16);
    /// Writes four bytes.
    fn write32(&self, offset: u32, value: u32);
    /// Writes eight bytes.
    fn write64(&self, offset: u32, value: u64);
    /// Writes sixteen bytes in two accesses; they lie on a multiple of sixteen.
    #[inline]
    fn write64_pair(&self, offset: u32, values: [u64; 2]) {
        let [first, second] = values;
        self.write64(offset, first);
        self.write64(offset + 8, second);
    }
    /// Orders accesses before it against those behind it, as the device sees them.
    fn fence(&self, order: Ordering);
}

/// One piece of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where it is, as a token of the pool.
    pub token: u64,
    /// Bytes.
    pub length: u32,
    /// Whether the device writes it.
    pub writable: bool,
}

/// Why a chain can not be added; the caller's fault, or nobody's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddError {
    /// Not so many descriptors are free now.
    Full,
    /// No pieces, or more than there are descriptors.
    Count,
    /// An empty piece, or 4 GiB or more together (2.7.5.2).
    Length,
    /// A piece that the device reads behind one that it writes (2.7.4.2).
    Order,
}

/// A chain that the device is through with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// As [`Queue::add`] gave it.
    pub id: u16,
    /// Bytes that the device says it wrote, from the begin of the writable pieces; never more than there was room for.
    pub length: u32,
}

/// What is known of a descriptor.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The next of its chain, or of the free list.
    next: u16,
    /// The chain in flight that it begins.
    chain: Option<Chain>,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    last: u16,
    descriptors: u16,
    writable: u32,
}

/// A queue in fresh memory, of which the driver uses at most `N` descriptors.
#[derive(Debug)]
pub struct Queue<M, const N: usize> {
    rings: Rings<M>,
    slots: [Slot; N],
    /// The first free descriptor, if there are any.
    free: u16,
    free_count: u16,
}

impl<M: Memory, const N: usize> Queue<M, N> {
    /// Over the zeroed memory of a ring that the device has not seen yet. `event_index` says whether EVENT_IDX was negotiated.
    pub fn new(memory: M, layout: Layout, event_index: bool) -> Self {
        let mut next = 0;
        let slots = [(); N].map(|()| {
            next += 1;
            Slot { next, chain: None }
        });
        let free_count = layout.size().min(u16::try_from(N).unwrap_or(u16::MAX));
        Queue { rings: Rings::new(memory, layout, event_index), slots, free: 0, free_count }
    }

    /// Descriptors that are free.
    pub fn room(&self) -> usize {
        self.free_count.into()
    }

    /// Chains that the device has.
    pub fn in_flight(&self) -> usize {
        self.rings.in_flight().into()
    }

    /// Gives a chain to the device, and its id to us. The device may see it at once; it is told of it by whoever follows [`Queue::kick`].
    ///
    /// # Errors
    /// See [`AddError`]; nothing was added.
    pub fn add(&mut self, pieces: &[Piece]) -> Result<u16, AddError> {
        let (descriptors, writable) = self.judge(pieces)?;
        let head = self.free;
        let (mut at, mut last) = (head, head);
        for (n, piece) in pieces.iter().enumerate() {
            let next = self.slots.get(usize::from(at)).map_or(0, |slot| slot.next);
            let more = n + 1 < pieces.len();
            self.describe(at, piece, more.then_some(next));
            (last, at) = (at, next);
        }
        self.free = at;
        self.free_count -= descriptors;
        if let Some(slot) = self.slots.get_mut(usize::from(head)) {
            slot.chain = Some(Chain { last, descriptors, writable });
        }
        self.rings.add(head);
        self.rings.show();
        Ok(head)
    }

    /// How many descriptors a chain takes, and what the device may write into it.
    fn judge(&self, pieces: &[Piece]) -> Result<(u16, u32), AddError> {
        let count = u16::try_from(pieces.len()).map_err(|_| AddError::Count)?;
        if count == 0 || pieces.len() > N || count > self.rings.layout.size() {
            return Err(AddError::Count);
        }
        if pieces.is_sorted_by_key(|piece| piece.writable) {
            let sum = |all: u32, piece: &Piece| all.checked_add(piece.length).filter(|_| piece.length > 0);
            pieces.iter().try_fold(0, sum).ok_or(AddError::Length)?;
            let writable = pieces.iter().filter(|piece| piece.writable).map(|piece| piece.length).sum();
            return if count > self.free_count { Err(AddError::Full) } else { Ok((count, writable)) };
        }
        Err(AddError::Order)
    }

    fn describe(&self, index: u16, piece: &Piece, next: Option<u16>) {
        let at = self.rings.layout.descriptor(index);
        let write = if piece.writable { flags::WRITE } else { 0 };
        let more = if next.is_some() { flags::NEXT } else { 0 };
        self.rings.memory.write64(at, piece.token);
        self.rings.memory.write32(at + 8, piece.length);
        self.rings.memory.write16(at + 12, write | more);
        self.rings.memory.write16(at + 14, next.unwrap_or(0));
    }

    /// Whether the device wants to be notified of what was added since the last time that somebody asked. That is a question for who rings a
    /// doorbell: where the kernel copies the ring for the device, it is told of whatever was added, and asks the device itself.
    #[must_use = "the device may sleep until it is notified"]
    pub fn kick(&mut self) -> bool {
        self.rings.kick()
    }

    /// Takes a chain that the device is through with.
    ///
    /// # Errors
    /// What the device did wrong; nothing is taken from this queue any more.
    pub fn take_used(&mut self) -> Result<Option<Used>, DeviceFault> {
        let Some((id, length)) = self.rings.take()? else { return Ok(None) };
        self.take(id, length).map(Some).map_err(|fault| self.rings.fail(fault))
    }

    /// To be called when there is nothing to take, before sleeping: asks for an interrupt for the next chain, and looks again. True when we may
    /// sleep until then; an interrupt may also come without reason.
    ///
    /// # Errors
    /// See [`Queue::take_used`].
    pub fn may_sleep(&mut self) -> Result<bool, DeviceFault> {
        self.rings.may_sleep()
    }

    /// The chain of a used entry, whose descriptors are free then.
    fn take(&mut self, id: u32, length: u32) -> Result<Used, DeviceFault> {
        let slot = usize::try_from(id).ok().and_then(|at| self.slots.get_mut(at));
        let slot = slot.ok_or(DeviceFault::UnknownId(id))?;
        let chain = slot.chain.take().ok_or(DeviceFault::NotInFlight(id))?;
        let id = id as u16; // It is below N.
        if length > chain.writable {
            return Err(DeviceFault::TooLong { id, length, writable: chain.writable });
        }
        if let Some(last) = self.slots.get_mut(usize::from(chain.last)) {
            last.next = core::mem::replace(&mut self.free, id);
        }
        self.free_count += chain.descriptors;
        Ok(Used { id, length })
    }
}
