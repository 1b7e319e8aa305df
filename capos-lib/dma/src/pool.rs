//! The DMA buffers of one driver, and the tokens that name them.
//!
//! A token is `number << shift | offset`: a number that stands for a buffer, and a place in it. The slot of a number is its
//! remainder, so that looking a token up is one comparison: either the slot has just this number, or the token is stale. Numbers
//! are handed out in a circle. One comes back only after all others had their turn; from then on a token that was kept all the while
//! may name a newer buffer, of the same driver: a bug that goes unnoticed, but no reach beyond the pool.
//!
//! Behind an IOMMU the token is the address that the device uses (an IOVA), so no buffer's addresses meet the range that the
//! processor takes for interrupts, and all fit into as many bits as the device has. Without one the device is given physical
//! addresses, and the tokens look the same.
//!
//! A buffer that the kernel handed to the device is **pinned**. Its frames can go only when the last pin is gone, though nobody can
//! name it any more from the moment of its removal.

use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;

/// Bytes of a page, the least that a buffer has.
pub const PAGE: u64 = 4096;

/// Addresses that are interrupts when a device writes there, whether translated or not (Intel SDM volume 3, 11.11.1).
pub const INTERRUPTS: Range<u64> = 0xfee0_0000..0xfef0_0000;

/// Slots that a pool has at most.
pub const MOST_SLOTS: usize = 1 << 15;

/// What the addresses of a pool look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Bits of the addresses that the device has.
    pub bits: u32,
    /// Binary logarithm of the largest buffer's bytes.
    pub shift: u32,
    /// No token is below this.
    pub floor: u64,
}

/// Which addresses a device is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addresses {
    /// Those of the memory: nothing translates them.
    Physical,
    /// The tokens: an IOMMU translates them.
    Iova,
}

/// Why there can be no such pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpaceError {
    /// More than 64 bits, or buffers smaller than a page, or of 4 GiB and more.
    BadShape,
    /// Slots must be a power of two, and not too many.
    BadSlots,
    /// There are fewer numbers than slots.
    TooNarrow,
}

/// Why a buffer cannot become part of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InsertError {
    /// It has no pages, or more than the largest buffer.
    BadLength,
    /// The device cannot reach it, or it is no place for DMA.
    OutOfReach,
    /// There are as many as there can be.
    Full,
}

/// What is wrong with a token: always the driver's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// The buffer that it named is gone.
    Stale,
    /// It never named any.
    Unknown,
    /// It reaches beyond its buffer.
    OutOfRange,
    /// It reaches beyond the last address.
    Wraps,
    /// It names no byte at all.
    Empty,
}

/// One buffer, or room for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    /// The token of its first byte.
    token: u64,
    /// What the device is given for its first byte.
    base: u64,
    /// How often the device has it. Nobody counts that far.
    pins: u64,
    /// Bytes that can be named: none when it was removed.
    room: u32,
    /// Pages that it has: none when there is no buffer.
    pages: u32,
}

/// A place that a token names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located {
    /// The buffer's slot.
    pub slot: u16,
    /// Where in the buffer.
    pub offset: u64,
    /// What the device is given.
    pub address: u64,
}

/// What became of a buffer that was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the frames go only when the device is through with them"]
pub enum Removal {
    /// Its slot is free, its frames can go.
    Done(u16),
    /// The device may still use it: [`Pool::reclaim`] names the slot later.
    Pinned(u16),
}

/// A buffer as audits see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// Its slot.
    pub slot: u16,
    /// Its token; none when it was removed and waits for its pins.
    pub token: Option<u64>,
    /// What the device was given for it.
    pub addresses: Range<u64>,
    /// How often the device was given it.
    pub pins: u64,
}

/// All buffers of one driver.
pub struct Pool {
    slots: Box<[Slot]>,
    space: Space,
    addresses: Addresses,
    /// The numbers that there are, apart from those for interrupts.
    numbers: Range<u64>,
    /// Where the search for the next number begins.
    next: u64,
    /// Every number had its turn.
    wrapped: bool,
    /// Buffers that were removed and lost their last pin since.
    reclaimable: usize,
}

impl Pool {
    /// A pool without buffers, with room for as many as there are slots.
    pub fn new(space: Space, addresses: Addresses, slots: Box<[Slot]>) -> Result<Pool, SpaceError> {
        if !slots.len().is_power_of_two() || slots.len() > MOST_SLOTS {
            return Err(SpaceError::BadSlots);
        }
        if !(PAGE.trailing_zeros()..32).contains(&space.shift)
            || !(space.shift + 1..=64).contains(&space.bits)
        {
            return Err(SpaceError::BadShape);
        }
        let (length, bits) = (1 << space.shift, space.bits - space.shift);
        // The first is never 0, so that a token is never 0 either.
        let numbers = space.floor.div_ceil(length).max(1)..1 << bits;
        let pool =
            Pool { slots, space, addresses, next: numbers.start, numbers, wrapped: false, reclaimable: 0 };
        let hole = pool.interrupts();
        let lost = hole.end.min(pool.numbers.end).saturating_sub(hole.start.max(pool.numbers.start));
        let count = pool.numbers.end.saturating_sub(pool.numbers.start).saturating_sub(lost);
        if count < pool.slots.len() as u64 { Err(SpaceError::TooNarrow) } else { Ok(pool) }
    }

    /// Adds a buffer of whole pages that lie behind each other from `physical`, and gives its token.
    pub fn insert(&mut self, pages: u64, physical: u64) -> Result<u64, InsertError> {
        let length = self.length(pages).ok_or(InsertError::BadLength)?;
        // The longest buffer has less than 4 GiB.
        let (room, pages) = (length as u32, pages as u32);
        if self.addresses == Addresses::Physical {
            self.reachable(physical, length)?;
        }
        let (number, place) = self.free_number().ok_or(InsertError::Full)?;
        let token = number << self.space.shift;
        let base = if self.addresses == Addresses::Iova { token } else { physical };
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Slot { token, base, pins: 0, room, pages };
        }
        self.next = number + 1;
        Ok(token)
    }

    /// Takes a buffer away: from now on nobody can name it. `token` is the one that [`Pool::insert`] gave.
    pub fn remove(&mut self, token: u64) -> Result<Removal, TokenError> {
        let place = self.place(token);
        let Some(slot) = self.slots.get_mut(place).filter(|it| it.offset(token, 1).is_some()) else {
            return Err(self.wrong(token, 1));
        };
        if slot.token != token {
            return Err(TokenError::OutOfRange);
        }
        slot.room = 0;
        if slot.pins > 0 {
            return Ok(Removal::Pinned(place as u16));
        }
        *slot = Slot::default();
        Ok(Removal::Done(place as u16))
    }

    /// What the device is to be given for `length` bytes at `token`.
    pub fn locate(&self, token: u64, length: u64) -> Result<Located, TokenError> {
        let place = self.place(token);
        let buffer = self.slots.get(place);
        match buffer.and_then(|it| Some((it, it.offset(token, length)?))) {
            Some((it, offset)) => {
                Ok(Located { slot: place as u16, offset, address: it.base.wrapping_add(offset) })
            }
            None => Err(self.wrong(token, length)),
        }
    }

    /// Like [`Pool::locate`], and the device is given it: the buffer stays until [`Pool::unpin`].
    #[inline]
    pub fn pin(&mut self, token: u64, length: u64) -> Result<Located, TokenError> {
        let place = self.place(token);
        let buffer = self.slots.get_mut(place);
        match buffer.and_then(|it| Some((it.offset(token, length)?, it))) {
            Some((offset, it)) => {
                it.pins = it.pins.wrapping_add(1);
                Ok(Located { slot: place as u16, offset, address: it.base.wrapping_add(offset) })
            }
            None => Err(self.wrong(token, length)),
        }
    }

    /// The device is through with what it was given once.
    #[inline]
    pub fn unpin(&mut self, slot: u16) {
        let Some(buffer) = self.slots.get_mut(usize::from(slot)) else { return };
        buffer.pins = buffer.pins.wrapping_sub(1);
        if buffer.pins == 0 && buffer.room == 0 {
            self.reclaimable += 1;
        }
    }

    /// The slot of a buffer that was removed and that the device is through with; each is named once, and free from then on.
    pub fn reclaim(&mut self) -> Option<u16> {
        self.reclaimable = self.reclaimable.checked_sub(1)?;
        let place = self.slots.iter().position(|it| it.pages > 0 && it.room == 0 && it.pins == 0)?;
        *self.slots.get_mut(place)? = Slot::default();
        u16::try_from(place).ok()
    }

    /// Every buffer, removed ones until they are gone.
    pub fn buffers(&self) -> impl Iterator<Item = Buffer> + '_ {
        (0..).zip(&self.slots).filter(|(_, it)| it.pages > 0).map(|(slot, it)| Buffer {
            slot,
            token: (it.room > 0).then_some(it.token),
            addresses: it.base..it.base.saturating_add(u64::from(it.pages) * PAGE),
            pins: it.pins,
        })
    }

    /// The slot of a token.
    #[inline]
    fn place(&self, token: u64) -> usize {
        (token >> self.space.shift) as usize & self.slots.len().wrapping_sub(1)
    }

    /// What is wrong with a token that names no place.
    #[cold]
    fn wrong(&self, token: u64, length: u64) -> TokenError {
        let number = token >> self.space.shift;
        if self
            .slots
            .get(self.place(token))
            .is_some_and(|it| it.room > 0 && it.token >> self.space.shift == number)
        {
            return match token.checked_add(length) {
                None => TokenError::Wraps,
                Some(end) if end == token => TokenError::Empty,
                Some(_) => TokenError::OutOfRange,
            };
        }
        let had_its_turn = self.numbers.contains(&number) && !self.interrupts().contains(&number);
        if had_its_turn && (self.wrapped || number < self.next) {
            TokenError::Stale
        } else {
            TokenError::Unknown
        }
    }

    /// The next number whose slot is free.
    fn free_number(&mut self) -> Option<(u64, usize)> {
        let slots = self.slots.len();
        let mut number = self.next;
        // Runs of numbers end at the interrupts and at the last. Within three times the slots either every number is looked at, or
        // there are at most three runs, one of which has every slot.
        for _ in 0..3 * slots {
            number = self.or_later(number);
            let place = number as usize & slots.wrapping_sub(1);
            if self.slots.get(place)?.pages == 0 {
                return Some((number, place));
            }
            number += 1;
        }
        None
    }

    /// `number`, or the next one that there is.
    fn or_later(&mut self, number: u64) -> u64 {
        let hole = self.interrupts();
        let beyond = |number: u64| if hole.contains(&number) { hole.end } else { number };
        let number = beyond(number);
        if number < self.numbers.end {
            return number;
        }
        self.wrapped = true;
        beyond(self.numbers.start)
    }

    /// Bytes of so many pages, if a buffer may have so many.
    fn length(&self, pages: u64) -> Option<u64> {
        pages.checked_mul(PAGE).filter(|length| *length > 0 && *length <= 1 << self.space.shift)
    }

    /// Whether a buffer may have so many pages.
    pub fn takes(&self, pages: u64) -> bool {
        self.length(pages).is_some()
    }

    /// Numbers whose addresses meet those of interrupts.
    fn interrupts(&self) -> Range<u64> {
        (INTERRUPTS.start >> self.space.shift)..((INTERRUPTS.end - 1) >> self.space.shift) + 1
    }

    /// Whether memory can be told to the device: it would drop the address bits that it does not have, and reach something else.
    fn reachable(&self, physical: u64, length: u64) -> Result<(), InsertError> {
        let end = physical.checked_add(length).ok_or(InsertError::OutOfReach)?;
        let fits = self.space.bits == 64 || end <= 1 << self.space.bits;
        let is_memory = end <= INTERRUPTS.start || physical >= INTERRUPTS.end;
        if fits && is_memory && physical.is_multiple_of(PAGE) { Ok(()) } else { Err(InsertError::OutOfReach) }
    }
}

impl Slot {
    /// Where in the buffer these bytes are, if they are. A token with another number is further away than any buffer is long.
    #[inline]
    fn offset(&self, token: u64, length: u64) -> Option<u64> {
        let offset = token.wrapping_sub(self.token);
        // For no bytes at all this is more than there ever is room for.
        let further = length.wrapping_sub(1);
        (offset < u64::from(self.room).checked_sub(further)?).then_some(offset)
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "the driver's token names a buffer that is gone",
            Self::Unknown => "the driver's token names no buffer",
            Self::OutOfRange => "the driver's token reaches beyond its buffer",
            Self::Wraps => "the driver's token reaches beyond the last address",
            Self::Empty => "the driver's token names no byte",
        })
    }
}

impl core::error::Error for TokenError {}

#[cfg(test)]
mod tests;
