//! Ready threads of one CPU: first in, first out within a rank, higher ranks first.

#[cfg(all(test, not(loom)))]
mod tests;

use crate::OutOfMemory;
use crate::priority::{RANKS, Rank, ReadyBitmap};
use alloc::vec::Vec;

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

/// Names something in the queue; stale once it has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle {
    slot: u32,
    generation: u32,
}

struct Slot<T> {
    generation: u32,
    rank: Rank,
    previous: u32,
    /// Next in the list, or the next free slot.
    next: u32,
    value: Option<T>,
}

#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// A queue of `T`s, usually references to threads.
///
/// [`RunQueue::admit`] makes room for one more and is the only operation that allocates: call it when a thread is created, and
/// [`RunQueue::dismiss`] when it is gone. Every other operation takes constant time.
pub struct RunQueue<T> {
    slots: Vec<Slot<T>>,
    first_free: u32,
    lists: [List; RANKS],
    ready: ReadyBitmap,
    len: usize,
    admitted: usize,
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> RunQueue<T> {
    /// An empty queue without room.
    pub const fn new() -> Self {
        RunQueue {
            slots: Vec::new(),
            first_free: NONE,
            lists: [List { first: NONE, last: NONE }; RANKS],
            ready: ReadyBitmap::EMPTY,
            len: 0,
            admitted: 0,
        }
    }

    /// Makes room for one more.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn admit(&mut self) -> Result<(), OutOfMemory> {
        let wanted = self.admitted + 1;
        if wanted >= NONE as usize {
            return Err(OutOfMemory);
        }
        let more = wanted.saturating_sub(self.slots.len());
        self.slots.try_reserve(more).map_err(|_| OutOfMemory)?;
        self.admitted = wanted;
        Ok(())
    }

    /// Gives up the room for one.
    pub fn dismiss(&mut self) {
        self.admitted = self.admitted.saturating_sub(1);
    }

    /// How many are ready.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody is ready.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The highest rank at which somebody is ready.
    #[inline]
    pub fn highest(&self) -> Option<Rank> {
        self.ready.highest()
    }

    /// Makes `value` ready, behind all others of its rank.
    ///
    /// # Errors
    /// Gives the value back when there are more of them than were admitted.
    #[inline]
    pub fn push(&mut self, rank: Rank, value: T) -> Result<Handle, T> {
        let last = self.list(rank).last;
        let slot = self.fill(rank, value, last, NONE)?;
        self.set_next(last, slot, rank);
        self.list_mut(rank).last = slot;
        self.ready.set(rank);
        Ok(self.handle(slot))
    }

    /// Makes `value` ready, before all others of its rank: it was interrupted and has not had its turn.
    ///
    /// # Errors
    /// As [`RunQueue::push`].
    #[inline]
    pub fn push_front(&mut self, rank: Rank, value: T) -> Result<Handle, T> {
        let first = self.list(rank).first;
        let slot = self.fill(rank, value, NONE, first)?;
        self.set_previous(first, slot, rank);
        self.list_mut(rank).first = slot;
        self.ready.set(rank);
        Ok(self.handle(slot))
    }

    /// Takes out who runs next.
    #[inline]
    pub fn pop(&mut self) -> Option<(Rank, T)> {
        let rank = self.ready.highest()?;
        let slot = self.list(rank).first;
        Some((rank, self.take(slot)?))
    }

    /// Takes out who runs next if its rank is higher than `running`: whether to preempt.
    #[inline]
    pub fn pop_above(&mut self, running: Rank) -> Option<(Rank, T)> {
        if self.ready.highest()? > running { self.pop() } else { None }
    }

    /// Exchanges who runs, of rank `running`, for who runs next, if anybody of that rank or above is ready: `value` is ready then, behind all
    /// others of its rank. It takes the place of who leaves, so there is always room.
    ///
    /// # Errors
    /// Gives the value back when nobody is.
    #[inline]
    pub fn exchange(&mut self, running: Rank, value: T) -> Result<(Handle, T), T> {
        let Some(highest) = self.ready.highest().filter(|highest| *highest >= running) else {
            return Err(value);
        };
        let List { first, last } = self.list(highest);
        let Some(slot) = self.slots.get_mut(first as usize) else { return Err(value) };
        let Some(held) = &mut slot.value else { return Err(value) };
        let next = core::mem::replace(held, value);
        slot.generation = slot.generation.wrapping_add(1);
        let handle = Handle { slot: first, generation: slot.generation };
        // Mostly they are two in all, and nothing changes but who is where.
        if highest != running || first != last {
            self.move_to_end(first, running);
        }
        Ok((handle, next))
    }

    /// Has the first of its list be the last of that of rank `to`.
    fn move_to_end(&mut self, index: u32, to: Rank) {
        let Some((next, from)) = self.slots.get(index as usize).map(|slot| (slot.next, slot.rank)) else {
            return;
        };
        self.list_mut(from).first = next;
        self.set_previous(next, NONE, from);
        if next == NONE {
            self.ready.clear(from);
        }
        let last = self.list(to).last;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            (slot.rank, slot.previous, slot.next) = (to, last, NONE);
        }
        self.set_next(last, index, to);
        self.list_mut(to).last = index;
        self.ready.set(to);
    }

    /// Takes out something in the middle. `None` when it has left already.
    #[inline]
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let slot = self.slots.get(handle.slot as usize)?;
        if slot.generation == handle.generation { self.take(handle.slot) } else { None }
    }

    /// Everybody who is ready, in the order in which they would run.
    pub fn iter(&self) -> impl Iterator<Item = (Rank, &T)> {
        let lists = (0..RANKS as u8).rev().map(Rank::from_number);
        lists.flat_map(move |rank| {
            let first = self.slots.get(self.list(rank).first as usize);
            let slots = core::iter::successors(first, |slot| self.slots.get(slot.next as usize));
            slots.filter_map(move |slot| Some((rank, slot.value.as_ref()?)))
        })
    }

    #[inline]
    fn list(&self, rank: Rank) -> List {
        // In bounds: there are RANKS ranks.
        self.lists[rank.index()]
    }

    #[inline]
    fn list_mut(&mut self, rank: Rank) -> &mut List {
        &mut self.lists[rank.index()]
    }

    #[inline]
    fn handle(&self, slot: u32) -> Handle {
        let generation = self.slots.get(slot as usize).map_or(0, |slot| slot.generation);
        Handle { slot, generation }
    }

    /// Puts a value into a free slot that has these neighbours.
    #[inline]
    fn fill(&mut self, rank: Rank, value: T, previous: u32, next: u32) -> Result<u32, T> {
        if self.len >= self.admitted {
            return Err(value);
        }
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.first_free = slot.next;
            (slot.rank, slot.previous, slot.next) = (rank, previous, next);
            slot.value = Some(value);
            self.len += 1;
            return Ok(index);
        }
        // Never grows: `admit` made room for as many slots as were ever admitted at once.
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 1, rank, previous, next, value: Some(value) });
        self.len += 1;
        Ok(index)
    }

    /// Empties a slot and closes the gap in its list.
    #[inline]
    fn take(&mut self, index: u32) -> Option<T> {
        let first_free = self.first_free;
        let slot = self.slots.get_mut(index as usize)?;
        let value = slot.value.take()?;
        let (previous, next, rank) = (slot.previous, slot.next, slot.rank);
        // A handle would have to be kept for 2^32 turns of one slot to be mistaken for another; the kernel keeps it for one.
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = first_free;
        self.first_free = index;
        self.len -= 1;
        self.set_next(previous, next, rank);
        self.set_previous(next, previous, rank);
        if self.list(rank).first == NONE {
            self.ready.clear(rank);
        }
        Some(value)
    }

    /// Makes `next` follow `previous`, or begin the list when there is no previous.
    #[inline]
    fn set_next(&mut self, previous: u32, next: u32, rank: Rank) {
        match self.slots.get_mut(previous as usize) {
            Some(slot) => slot.next = next,
            None => self.list_mut(rank).first = next,
        }
    }

    /// Makes `previous` precede `next`, or end the list when there is no next.
    #[inline]
    fn set_previous(&mut self, next: u32, previous: u32, rank: Rank) {
        match self.slots.get_mut(next as usize) {
            Some(slot) => slot.previous = previous,
            None => self.list_mut(rank).last = previous,
        }
    }
}
