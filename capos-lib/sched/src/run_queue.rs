//! Ready threads of one CPU: first in, first out within a priority, higher priorities first.

#[cfg(test)]
mod tests;

use crate::OutOfMemory;
use crate::priority::{Priority, ReadyBitmap};
use alloc::vec::Vec;
use capos_abi::PRIORITIES;

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
    priority: Priority,
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
    lists: [List; PRIORITIES],
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
            lists: [List { first: NONE, last: NONE }; PRIORITIES],
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

    /// The highest priority at which somebody is ready.
    #[inline]
    pub fn highest(&self) -> Option<Priority> {
        self.ready.highest()
    }

    /// Makes `value` ready, behind all others of its priority.
    ///
    /// # Errors
    /// Gives the value back when there are more of them than were admitted.
    #[inline]
    pub fn push(&mut self, priority: Priority, value: T) -> Result<Handle, T> {
        let last = self.list(priority).last;
        let slot = self.fill(priority, value, last, NONE)?;
        self.set_next(last, slot, priority);
        self.list_mut(priority).last = slot;
        self.ready.set(priority);
        Ok(self.handle(slot))
    }

    /// Makes `value` ready, before all others of its priority: it was interrupted and has not had its turn.
    ///
    /// # Errors
    /// As [`RunQueue::push`].
    #[inline]
    pub fn push_front(&mut self, priority: Priority, value: T) -> Result<Handle, T> {
        let first = self.list(priority).first;
        let slot = self.fill(priority, value, NONE, first)?;
        self.set_previous(first, slot, priority);
        self.list_mut(priority).first = slot;
        self.ready.set(priority);
        Ok(self.handle(slot))
    }

    /// Takes out who runs next.
    #[inline]
    pub fn pop(&mut self) -> Option<(Priority, T)> {
        let priority = self.ready.highest()?;
        let slot = self.list(priority).first;
        Some((priority, self.take(slot)?))
    }

    /// Takes out who runs next if its priority is higher than `running`: whether to preempt.
    #[inline]
    pub fn pop_above(&mut self, running: Priority) -> Option<(Priority, T)> {
        if self.ready.highest()? > running { self.pop() } else { None }
    }

    /// Takes out something in the middle. `None` when it has left already.
    #[inline]
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let slot = self.slots.get(handle.slot as usize)?;
        if slot.generation == handle.generation { self.take(handle.slot) } else { None }
    }

    /// Everybody who is ready, in the order in which they would run.
    pub fn iter(&self) -> impl Iterator<Item = (Priority, &T)> {
        let lists = (0..PRIORITIES as u8).rev().filter_map(Priority::new);
        lists.flat_map(move |priority| {
            let first = self.slots.get(self.list(priority).first as usize);
            let slots = core::iter::successors(first, |slot| self.slots.get(slot.next as usize));
            slots.filter_map(move |slot| Some((priority, slot.value.as_ref()?)))
        })
    }

    #[inline]
    fn list(&self, priority: Priority) -> List {
        // In bounds: there are PRIORITIES priorities.
        self.lists[priority.index()]
    }

    #[inline]
    fn list_mut(&mut self, priority: Priority) -> &mut List {
        &mut self.lists[priority.index()]
    }

    #[inline]
    fn handle(&self, slot: u32) -> Handle {
        let generation = self.slots.get(slot as usize).map_or(0, |slot| slot.generation);
        Handle { slot, generation }
    }

    /// Puts a value into a free slot that has these neighbours.
    #[inline]
    fn fill(&mut self, priority: Priority, value: T, previous: u32, next: u32) -> Result<u32, T> {
        if self.len >= self.admitted {
            return Err(value);
        }
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.first_free = slot.next;
            (slot.priority, slot.previous, slot.next) = (priority, previous, next);
            slot.value = Some(value);
            self.len += 1;
            return Ok(index);
        }
        // Never grows: `admit` made room for as many slots as were ever admitted at once.
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 1, priority, previous, next, value: Some(value) });
        self.len += 1;
        Ok(index)
    }

    /// Empties a slot and closes the gap in its list.
    #[inline]
    fn take(&mut self, index: u32) -> Option<T> {
        let first_free = self.first_free;
        let slot = self.slots.get_mut(index as usize)?;
        let value = slot.value.take()?;
        let (previous, next, priority) = (slot.previous, slot.next, slot.priority);
        // A handle would have to be kept for 2^32 turns of one slot to be mistaken for another; the kernel keeps it for one.
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = first_free;
        self.first_free = index;
        self.len -= 1;
        self.set_next(previous, next, priority);
        self.set_previous(next, previous, priority);
        if self.list(priority).first == NONE {
            self.ready.clear(priority);
        }
        Some(value)
    }

    /// Makes `next` follow `previous`, or begin the list when there is no previous.
    #[inline]
    fn set_next(&mut self, previous: u32, next: u32, priority: Priority) {
        match self.slots.get_mut(previous as usize) {
            Some(slot) => slot.next = next,
            None => self.list_mut(priority).first = next,
        }
    }

    /// Makes `previous` precede `next`, or end the list when there is no next.
    #[inline]
    fn set_previous(&mut self, next: u32, previous: u32, priority: Priority) {
        match self.slots.get_mut(next as usize) {
            Some(slot) => slot.previous = previous,
            None => self.list_mut(priority).last = previous,
        }
    }
}
