//! A pair of a submission and a completion queue (4.1), in the hands of a driver.
//!
//! **The device is not trusted.** What is known of a command is kept in memory of our own and never read back; of a completion one word of eight
//! bytes matters, which is read once and judged. An impossible one is a [`DeviceFault`], from then on for good.
//!
//! A command has the number of the entry that it is written to, if that is free, and else one that is: below the queue's size, as the kernel wants
//! it. So a number is not given again before the ring went round, and a completion that comes twice names a command that nobody has.

use crate::memory::{Bells, LIST_BYTES, Memory, Places};
use crate::status::Status;
use crate::{DeviceFault, Layout};
use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Bytes of a command, and of a completion.
const COMMAND_BYTES: u32 = 64;
const COMPLETION_BYTES: u32 = 16;

/// Words of a command: of eight the first, the pointers, and the two behind them. The others are zero.
pub type Words = [u64; 5];

/// What is known of a command, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Slot<T> {
    /// As it was written.
    pub words: Words,
    /// When.
    pub since: u64,
    /// What it is for.
    pub load: T,
    /// Given so often before.
    pub tries: u8,
    /// The device was told to give it up.
    pub aborted: bool,
    in_flight: bool,
    /// The entry that it was written to last.
    at: u16,
}

/// A command that the device is through with. Its number is ours until [`Queue::release`] or [`Queue::again`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// Its number.
    pub id: u16,
    /// What the device says of it.
    pub status: Status,
    /// What it was for.
    pub load: T,
}

/// The part of a queue's own buffer that belongs to one command.
#[derive(Debug)]
pub struct Own<'a, M> {
    memory: &'a M,
    offset: u32,
    begin: u64,
}

impl<M: Memory> Own<'_, M> {
    /// Writes a word of it.
    pub fn write(&self, at: u32, value: u64) {
        self.memory.write_own(self.offset + at, value);
    }

    /// Its token.
    pub fn token(&self) -> u64 {
        self.begin.wrapping_add(self.offset.into())
    }

    /// Of the page behind it, if it does not begin with a page itself.
    pub fn next_page(&self) -> Option<u64> {
        let end = self.offset.next_multiple_of(crate::PAGE);
        (end > self.offset).then(|| self.begin.wrapping_add(end.into()))
    }
}

/// One pair in fresh memory.
#[derive(Debug)]
pub struct Queue<M, T> {
    memory: M,
    layout: Layout,
    number: u16,
    places: Places,
    completions: u32,
    mask: u16,
    slots: Box<[Slot<T>]>,
    /// Numbers that are not free.
    taken: u16,
    /// Where the next command goes, and where the device was told that it goes.
    tail: u16,
    told: u16,
    /// The next completion, its phase, and which one the device was told.
    next: u16,
    phase: bool,
    consumed: u16,
}

impl<M: Memory, T: Copy + Default> Queue<M, T> {
    /// Over the zeroed memory of a queue that the device has not seen yet.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(memory: M, layout: Layout, number: u16, places: Places) -> Result<Self, TryReserveError> {
        let size = usize::from(layout.size());
        let mut slots = Vec::new();
        slots.try_reserve_exact(size)?;
        let load = T::default();
        let empty = Slot { words: [0; 5], since: 0, load, tries: 0, aborted: false, in_flight: false, at: 0 };
        slots.resize(size, empty);
        Ok(Queue {
            memory,
            layout,
            number,
            places,
            completions: layout.completions(),
            mask: layout.size() - 1,
            slots: slots.into_boxed_slice(),
            taken: 0,
            tail: 0,
            told: 0,
            next: 0,
            phase: true,
            consumed: 0,
        })
    }

    /// Its memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Its form.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Where the device finds it, and the buffer that belongs to it.
    pub fn places(&self) -> Places {
        self.places
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Commands that are not over.
    #[inline]
    pub fn in_flight(&self) -> u16 {
        self.taken
    }

    /// Where in the queue's own buffer a command has its part: the offset.
    #[inline]
    pub fn list(id: u16) -> u32 {
        u32::from(id) * LIST_BYTES
    }

    /// Whether there is room for a command. One entry stays free (4.1.1), so what the device has not fetched is never written over, whatever it
    /// says about that.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.taken < self.mask
    }

    /// Gives the device the command that `words` makes; it hears of it by [`Queue::bells`]. False when there is no room.
    #[inline(always)]
    pub fn submit(&mut self, load: T, now: u64, words: impl FnOnce(&Own<'_, M>) -> Words) -> bool {
        if !self.has_room() {
            return false;
        }
        let mut id = self.tail;
        if self.slots.get(usize::from(id)).is_none_or(|slot| slot.in_flight) {
            id = self.other_number();
        }
        let Some(slot) = self.slots.get_mut(usize::from(id)) else { return false };
        let own = Own { memory: &self.memory, offset: Self::list(id), begin: self.places.own };
        let mut words = words(&own);
        words[0] |= u64::from(id) << 16;
        let at = self.tail;
        *slot = Slot { words, since: now, load, tries: 0, aborted: false, in_flight: true, at };
        self.taken += 1;
        self.write(&words);
        true
    }

    /// A number that is free: there is one, since there are fewer commands than numbers.
    #[cold]
    fn other_number(&self) -> u16 {
        let free = self.slots.iter().position(|slot| !slot.in_flight);
        free.and_then(|id| u16::try_from(id).ok()).unwrap_or(u16::MAX)
    }

    #[inline]
    fn write(&mut self, words: &Words) {
        let [head, first, second, tenth, twelfth] = *words;
        let at = u32::from(self.tail) * COMMAND_BYTES;
        self.memory.write_command(at, &[head, 0, 0, first, second, tenth, twelfth, 0]);
        self.tail = (self.tail + 1) & self.mask;
    }

    /// Gives the device a command that it was through with once more, as its slot says, under the same number.
    pub fn again(&mut self, id: u16, change: impl FnOnce(&mut Slot<T>), now: u64) {
        let Some(slot) = self.slots.get_mut(usize::from(id)).filter(|slot| !slot.in_flight) else { return };
        change(slot);
        (slot.since, slot.aborted, slot.in_flight, slot.at) = (now, false, true, self.tail);
        let words = slot.words;
        self.write(&words);
    }

    /// The number of the command that the device was through with last is free again.
    #[inline]
    pub fn release(&mut self) {
        self.taken -= 1;
    }

    /// What is known of a command.
    pub fn slot(&self, id: u16) -> Option<&Slot<T>> {
        self.slots.get(usize::from(id))
    }

    /// Those that the device has, by their numbers.
    pub fn flights(&mut self) -> impl Iterator<Item = (u16, &mut Slot<T>)> {
        (0..).zip(self.slots.iter_mut()).filter(|(_, slot)| slot.in_flight)
    }

    /// Takes a command that the device is through with.
    ///
    /// # Errors
    /// What the device did wrong; nothing is to be taken from this queue any more.
    #[inline(always)]
    pub fn take(&mut self) -> Result<Option<Done<T>>, DeviceFault> {
        let at = self.completions + u32::from(self.next) * COMPLETION_BYTES;
        // The second half: how far the device fetched, the queue, the command's number, phase, and status (4.6.1).
        let word = self.memory.read64(at + 8);
        if (word >> 48 & 1 != 0) != self.phase {
            return Ok(None);
        }
        // Acquire: what the device wrote elsewhere comes behind the completion.
        self.memory.fence(Ordering::Acquire);
        let (head, queue, id) = (word as u16, (word >> 16) as u16, (word >> 32) as u16);
        if queue != self.number {
            return Err(DeviceFault::WrongQueue(queue));
        }
        let slot = self.slots.get_mut(usize::from(id)).ok_or(DeviceFault::UnknownId(id))?;
        // Not if it was not told of it, either: its number would be another's while the device still finds its command.
        let is_told = self.tail == self.told || has_passed(self.told, slot.at, self.tail, self.mask);
        if !slot.in_flight || !is_told {
            return Err(DeviceFault::NotInFlight(id));
        }
        // What it did not fetch it still has, beside this one.
        if head > self.mask || self.tail.wrapping_sub(head) & self.mask >= self.taken {
            return Err(DeviceFault::Head(head));
        }
        slot.in_flight = false;
        let load = slot.load;
        self.next = (self.next + 1) & self.mask;
        self.phase ^= self.next == 0;
        Ok(Some(Done { id, status: Status((word >> 49) as u16), load }))
    }

    /// The first doubleword of the completion that was taken last: what it says depends on the command.
    pub fn result(&self) -> u32 {
        let last = self.next.wrapping_sub(1) & self.mask;
        self.memory.read64(self.completions + u32::from(last) * COMPLETION_BYTES) as u32
    }

    /// Whether there is nothing to take.
    pub fn is_quiet(&self) -> bool {
        let word = self.memory.read64(self.completions + u32::from(self.next) * COMPLETION_BYTES + 8);
        (word >> 48 & 1 != 0) != self.phase
    }

    /// Whether a quarter of the queue was read that the device was not told of.
    #[inline]
    pub fn is_far(&self) -> bool {
        self.next.wrapping_sub(self.consumed) & self.mask > self.mask / 4
    }

    /// What the device is to be told, if anything. Of completions it is told with commands, or when a quarter of the queue was read: it has room for
    /// all the same, and is woken once instead of twice.
    #[inline]
    pub fn bells(&mut self) -> Option<Bells> {
        let is_new = self.tail != self.told;
        if !is_new && !self.is_far() {
            return None;
        }
        let has_read = self.next != self.consumed;
        let bells = Bells { tail: is_new.then_some(self.tail), consumed: has_read.then_some(self.next) };
        (self.told, self.consumed) = (self.tail, self.next);
        Some(bells)
    }
}

/// Whether the entry `at` is none of those from `told` up to `tail`.
#[inline]
fn has_passed(told: u16, at: u16, tail: u16, mask: u16) -> bool {
    at.wrapping_sub(told) & mask >= tail.wrapping_sub(told) & mask
}
