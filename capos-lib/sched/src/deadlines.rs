//! What is due when: a binary heap whose members can be taken out again.
//!
//! Members with the same deadline come out in the order in which they went in, so that a run can be repeated exactly.

#[cfg(all(test, not(loom)))]
mod tests;

use crate::OutOfMemory;
use alloc::vec::Vec;

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

/// Names a member; stale once it has left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    slot: u32,
    generation: u32,
}

/// A place in the heap.
#[derive(Clone, Copy)]
struct Node {
    deadline: u64,
    /// Breaks ties: smaller went in earlier.
    order: u64,
    slot: u32,
}

impl Node {
    #[inline]
    fn before(&self, other: &Node) -> bool {
        (self.deadline, self.order) < (other.deadline, other.order)
    }
}

struct Slot<T> {
    generation: u32,
    /// Where in the heap the member is; the next free slot when there is none.
    position: u32,
    value: Option<T>,
}

/// Members with deadlines, in nanoseconds or any other unit.
pub struct Deadlines<T> {
    heap: Vec<Node>,
    slots: Vec<Slot<T>>,
    first_free: u32,
    next_order: u64,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deadlines<T> {
    /// Nothing is due.
    pub const fn new() -> Self {
        Deadlines { heap: Vec::new(), slots: Vec::new(), first_free: NONE, next_order: 0 }
    }

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The earliest deadline.
    #[inline]
    pub fn next(&self) -> Option<u64> {
        self.heap.first().map(|node| node.deadline)
    }

    /// Makes sure that the next `more` insertions find room.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let wanted =
            self.heap.len().checked_add(more).filter(|wanted| *wanted < NONE as usize).ok_or(OutOfMemory)?;
        self.heap.try_reserve(more).map_err(|_| OutOfMemory)?;
        self.slots.try_reserve(wanted.saturating_sub(self.slots.len())).map_err(|_| OutOfMemory)
    }

    /// Puts a member in.
    ///
    /// # Errors
    /// [`OutOfMemory`]; not when room was reserved. The value is dropped then.
    pub fn insert(&mut self, deadline: u64, value: T) -> Result<Key, OutOfMemory> {
        self.reserve(1)?;
        let slot = self.fill(value);
        let order = self.next_order;
        self.next_order = self.next_order.wrapping_add(1);
        let position = self.heap.len();
        self.heap.push(Node { deadline, order, slot });
        self.rise(position);
        Ok(self.key(slot))
    }

    /// A member that has not left.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.slot as usize).filter(|slot| slot.generation == key.generation)?.value.as_ref()
    }

    /// Takes a member out. `None` when it has left already.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get(key.slot as usize)?;
        if slot.generation != key.generation || slot.value.is_none() {
            return None;
        }
        self.take(slot.position as usize)
    }

    /// Takes the earliest member out if its deadline is `now` or before.
    #[inline]
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        if self.next()? <= now { self.take(0) } else { None }
    }

    fn key(&self, slot: u32) -> Key {
        Key { slot, generation: self.slots.get(slot as usize).map_or(0, |slot| slot.generation) }
    }

    /// Puts a value into a free slot; room was reserved.
    fn fill(&mut self, value: T) -> u32 {
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.first_free = slot.position;
            slot.value = Some(value);
            return index;
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 1, position: NONE, value: Some(value) });
        index
    }

    /// Takes out the member at a place in the heap.
    fn take(&mut self, position: usize) -> Option<T> {
        if position >= self.heap.len() {
            return None;
        }
        let node = self.heap.swap_remove(position);
        if position < self.heap.len() {
            // The last one is here now; it may belong further up or further down.
            self.note(position);
            self.rise(position);
            self.sink(position);
        }
        let first_free = self.first_free;
        let slot = self.slots.get_mut(node.slot as usize)?;
        let value = slot.value.take();
        // A key would have to be kept for 2^32 turns of one slot to be mistaken for another.
        slot.generation = slot.generation.wrapping_add(1);
        slot.position = first_free;
        self.first_free = node.slot;
        value
    }

    /// Moves a node up to where it belongs.
    fn rise(&mut self, position: usize) {
        let mut at = position;
        while at > 0 && self.is_before(at, (at - 1) / 2) {
            self.heap.swap(at, (at - 1) / 2);
            self.note(at);
            at = (at - 1) / 2;
        }
        self.note(at);
    }

    /// Moves a node down to where it belongs.
    fn sink(&mut self, position: usize) {
        let mut at = position;
        loop {
            let left = 2 * at + 1;
            let child = if self.is_before(left + 1, left) { left + 1 } else { left };
            if !self.is_before(child, at) {
                return;
            }
            self.heap.swap(at, child);
            self.note(at);
            self.note(child);
            at = child;
        }
    }

    /// Whether the node at `a` is to come out before the one at `b`. A place beyond the end never is.
    fn is_before(&self, a: usize, b: usize) -> bool {
        match (self.heap.get(a), self.heap.get(b)) {
            (Some(a), Some(b)) => a.before(b),
            _ => false,
        }
    }

    /// Tells the member at a place where it is.
    fn note(&mut self, position: usize) {
        let slot = self.heap.get(position).and_then(|node| self.slots.get_mut(node.slot as usize));
        if let Some(slot) = slot {
            slot.position = position as u32;
        }
    }
}
