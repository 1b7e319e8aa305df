//! A pair of a submission and a completion queue (4.1), in the hands of a driver.
//!
//! **The device is not trusted.** What is known of a command is kept in memory of our own and never read back; of a completion one word of eight
//! bytes matters, which is read once and judged. An impossible one is a [`DeviceFault`], from then on for good.
//!
//! Numbers of commands are below the queue's size, as the kernel wants it, and go round: one that came back is the last to be given again. So a
//! completion that comes twice names a command that nobody has, unless the queue is full.

use crate::memory::{Bells, LIST_BYTES, Memory, Places};
use crate::status::Status;
use crate::{DeviceFault, Layout};
use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Eight words of a command.
pub type Words = [u64; 8];

/// A command that the device is through with. Its number is ours until [`Queue::release`] or [`Queue::again`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// Its number.
    pub id: u16,
    /// What the device says of it.
    pub status: Status,
    /// Command-specific, for who needs it: the offset of the completion.
    pub at: u32,
}

/// The number that the next command of a queue has.
#[derive(PartialEq, Eq, Debug)]
pub struct Vacancy(u16);

impl Vacancy {
    /// The number.
    #[inline]
    pub fn id(&self) -> u16 {
        self.0
    }
}

/// What is known of a command, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Slot<T> {
    /// As it was written.
    pub words: Words,
    /// When.
    pub since: u64,
    /// What it is for.
    pub load: T,
    in_flight: bool,
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
    /// Free numbers, from `first_free` on, and how many are not free.
    free: Box<[u16]>,
    first_free: u16,
    taken: u16,
    /// Where the next command goes, and where the device was told that it goes.
    tail: u16,
    told: u16,
    /// The command that the device will fetch next, as it says.
    head: u16,
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
        let (mut slots, mut free) = (Vec::new(), Vec::new());
        slots.try_reserve_exact(size)?;
        slots.resize(size, Slot { words: [0; 8], since: 0, load: T::default(), in_flight: false });
        free.try_reserve_exact(size)?;
        free.extend(0..layout.size());
        Ok(Queue {
            memory,
            layout,
            number,
            places,
            completions: layout.completions(),
            mask: layout.size() - 1,
            slots: slots.into_boxed_slice(),
            free: free.into_boxed_slice(),
            first_free: 0,
            taken: 0,
            tail: 0,
            told: 0,
            head: 0,
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

    /// Room for a command; none when there are as many as there may be. One entry stays free (4.1.1), so what the device has not
    /// fetched is never written over, whatever it says about that.
    #[inline]
    pub fn vacancy(&self) -> Option<Vacancy> {
        if self.taken >= self.mask {
            return None;
        }
        self.free.get(usize::from(self.first_free & self.mask)).copied().map(Vacancy)
    }

    /// Where in the queue's own buffer a command has its list: the offset.
    #[inline]
    pub fn list(id: u16) -> u32 {
        u32::from(id) * LIST_BYTES
    }

    /// Gives the device a command; it hears of it by [`Queue::bells`].
    #[inline]
    pub fn submit(&mut self, vacancy: Vacancy, mut words: Words, load: T, now: u64) {
        let Vacancy(id) = vacancy;
        let Some(slot) = self.slots.get_mut(usize::from(id)) else { return };
        words[0] |= u64::from(id) << 16;
        *slot = Slot { words, since: now, load, in_flight: true };
        self.first_free = self.first_free.wrapping_add(1);
        self.taken += 1;
        self.write(&words);
    }

    #[inline]
    fn write(&mut self, words: &Words) {
        self.memory.write_command(self.layout.command(self.tail), words);
        self.tail = (self.tail + 1) & self.mask;
    }

    /// Gives the device a command that it was through with once more, as its slot says, under the same number.
    pub fn again(&mut self, id: u16, change: impl FnOnce(&mut Slot<T>), now: u64) {
        let Some(slot) = self.slots.get_mut(usize::from(id)).filter(|slot| !slot.in_flight) else { return };
        change(slot);
        (slot.since, slot.in_flight) = (now, true);
        let words = slot.words;
        self.write(&words);
    }

    /// The number of a command that the device is through with may be used again. Gives what it was for.
    #[inline]
    pub fn release(&mut self, id: u16) -> T {
        let end = self.first_free.wrapping_sub(self.taken) & self.mask;
        if let Some(place) = self.free.get_mut(usize::from(end)) {
            *place = id;
        }
        self.taken -= 1;
        self.slot(id).map_or_else(T::default, |slot| slot.load)
    }

    /// What is known of a command.
    #[inline]
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
    #[inline]
    pub fn take(&mut self) -> Result<Option<Done>, DeviceFault> {
        let at = self.completions + u32::from(self.next) * 16;
        let word = self.memory.read64(at + 8);
        if (word >> 48 & 1 != 0) != self.phase {
            return Ok(None);
        }
        // Acquire: what the device wrote elsewhere comes behind the completion.
        self.memory.fence(Ordering::Acquire);
        self.judge(word, at).map(Some)
    }

    /// Whether there is nothing to take.
    pub fn is_quiet(&self) -> bool {
        let word = self.memory.read64(self.completions + u32::from(self.next) * 16 + 8);
        (word >> 48 & 1 != 0) != self.phase
    }

    /// Of the second half of a completion: how far the device fetched, the queue, the command's number, phase, and status (4.6.1).
    #[inline]
    fn judge(&mut self, word: u64, at: u32) -> Result<Done, DeviceFault> {
        let (head, queue, id) = (word as u16, (word >> 16) as u16, (word >> 32) as u16);
        if queue != self.number {
            return Err(DeviceFault::WrongQueue(queue));
        }
        let slot = self.slots.get_mut(usize::from(id)).ok_or(DeviceFault::UnknownId(id))?;
        if !slot.in_flight {
            return Err(DeviceFault::NotInFlight(id));
        }
        // It fetches in order, no further than we wrote; and what it did not fetch it still has, beside this one.
        let (told, moved) = (self.told.wrapping_sub(self.head), head.wrapping_sub(self.head));
        let unfetched = self.tail.wrapping_sub(head) & self.mask;
        if head > self.mask || moved & self.mask > told & self.mask || unfetched >= self.taken {
            return Err(DeviceFault::Head(head));
        }
        slot.in_flight = false;
        self.head = head;
        self.next = (self.next + 1) & self.mask;
        self.phase ^= self.next == 0;
        Ok(Done { id, status: Status((word >> 49) as u16), at })
    }

    /// What the device is to be told, if anything. Of completions it is told with commands, or when a quarter of the queue was read: it has room for
    /// all the same, and is woken once instead of twice.
    #[inline]
    pub fn bells(&mut self) -> Option<Bells> {
        let is_new = self.tail != self.told;
        let read = self.next.wrapping_sub(self.consumed) & self.mask;
        if !is_new && read <= self.mask / 4 {
            return None;
        }
        let bells = Bells { tail: is_new.then_some(self.tail), consumed: (read > 0).then_some(self.next) };
        (self.told, self.consumed) = (self.tail, self.next);
        Some(bells)
    }
}
