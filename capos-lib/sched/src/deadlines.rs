//! What is due when: a binary heap for each urgency, whose members can be taken out again.
//!
//! Of what is due the most urgent comes out first, so that nobody waits for what is less urgent, however much of that there is. Equally urgent
//! members come out in the order of their deadlines, and those with the same in the order in which they went in, so that a run can be repeated exactly.

#[cfg(all(test, not(loom)))]
mod tests;

use crate::{OutOfMemory, Priority};
use alloc::vec::Vec;
use capos_abi::PRIORITIES;

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

/// Names a member; stale once it has left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    /// Names no member, ever.
    pub const NOBODY: Key = Key { slot: NONE, generation: 0 };
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
    urgency: u8,
    /// Where in the heap the member is; the next free slot when there is none.
    position: u32,
    value: Option<T>,
}

/// Members with deadlines, in nanoseconds or any other unit.
pub struct Deadlines<T> {
    /// One for each urgency, as soon as there ever was a member; found by its number.
    heaps: Vec<Vec<Node>>,
    /// In which of them there is anything: a bit for each.
    occupied: u32,
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
        Deadlines { heaps: Vec::new(), occupied: 0, slots: Vec::new(), first_free: NONE, next_order: 0 }
    }

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.heaps.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The earliest deadline.
    #[inline]
    pub fn next(&self) -> Option<u64> {
        self.earliest(u32::MAX)
    }

    /// The earliest deadline of what is more urgent than that.
    pub fn next_above(&self, urgency: Priority) -> Option<u64> {
        self.earliest(u32::MAX << urgency.number() & !(1 << urgency.number()))
    }

    /// The earliest deadline in the heaps of `wanted`.
    #[inline]
    fn earliest(&self, wanted: u32) -> Option<u64> {
        let (mut left, mut earliest) = (self.occupied & wanted, None);
        while left != 0 {
            let head = self.first(left.trailing_zeros() as u8).map(|node| node.deadline);
            earliest = earliest.into_iter().chain(head).min();
            left &= left - 1;
        }
        earliest
    }

    #[inline]
    fn first(&self, urgency: u8) -> Option<&Node> {
        self.heaps.get(usize::from(urgency))?.first()
    }

    /// Makes sure that the next `more` insertions of that urgency find room.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn reserve(&mut self, urgency: Priority, more: usize) -> Result<(), OutOfMemory> {
        if self.heaps.is_empty() {
            self.heaps.try_reserve_exact(PRIORITIES).map_err(|_| OutOfMemory)?;
            self.heaps.resize_with(PRIORITIES, Vec::new);
        }
        let (members, slots) = (self.len(), self.slots.len());
        let wanted = members.checked_add(more).filter(|wanted| *wanted < NONE as usize).ok_or(OutOfMemory)?;
        self.heap(urgency.number())?.try_reserve(more).map_err(|_| OutOfMemory)?;
        self.slots.try_reserve(wanted.saturating_sub(slots)).map_err(|_| OutOfMemory)
    }

    /// Puts a member in.
    ///
    /// # Errors
    /// [`OutOfMemory`]; not when room was reserved. The value is dropped then.
    pub fn insert(&mut self, deadline: u64, urgency: Priority, value: T) -> Result<Key, OutOfMemory> {
        self.reserve(urgency, 1)?;
        let urgency = urgency.number();
        let slot = self.fill(urgency, value);
        let order = self.next_order;
        self.next_order = self.next_order.wrapping_add(1);
        let heap = self.heap(urgency)?;
        let position = heap.len();
        heap.push(Node { deadline, order, slot });
        self.occupied |= 1 << urgency;
        self.rise(urgency, position);
        Ok(self.key(slot))
    }

    fn heap(&mut self, urgency: u8) -> Result<&mut Vec<Node>, OutOfMemory> {
        self.heaps.get_mut(usize::from(urgency)).ok_or(OutOfMemory)
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
        self.take(slot.urgency, slot.position as usize)
    }

    /// Of the members whose deadline is `now` or before takes the earliest of the most urgent out.
    #[inline]
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        let mut left = self.occupied;
        while left != 0 {
            let urgency = left.ilog2() as u8;
            if self.first(urgency).is_some_and(|node| node.deadline <= now) {
                return self.take(urgency, 0);
            }
            left &= !(1 << urgency);
        }
        None
    }

    fn key(&self, slot: u32) -> Key {
        Key { slot, generation: self.slots.get(slot as usize).map_or(0, |slot| slot.generation) }
    }

    /// Puts a value into a free slot; room was reserved.
    fn fill(&mut self, urgency: u8, value: T) -> u32 {
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.first_free = slot.position;
            (slot.urgency, slot.value) = (urgency, Some(value));
            return index;
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 1, urgency, position: NONE, value: Some(value) });
        index
    }

    /// Takes out the member at a place in a heap.
    fn take(&mut self, urgency: u8, position: usize) -> Option<T> {
        let heap = self.heaps.get_mut(usize::from(urgency)).filter(|heap| position < heap.len())?;
        let node = heap.swap_remove(position);
        if heap.is_empty() {
            self.occupied &= !(1 << urgency);
        } else if position < heap.len() {
            // The last one is here now; it may belong further up or further down.
            self.note(urgency, position);
            self.rise(urgency, position);
            self.sink(urgency, position);
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
    fn rise(&mut self, urgency: u8, position: usize) {
        let mut at = position;
        while at > 0 && self.is_before(urgency, at, (at - 1) / 2) {
            self.swap(urgency, at, (at - 1) / 2);
            self.note(urgency, at);
            at = (at - 1) / 2;
        }
        self.note(urgency, at);
    }

    /// Moves a node down to where it belongs.
    fn sink(&mut self, urgency: u8, position: usize) {
        let mut at = position;
        loop {
            let left = 2 * at + 1;
            let child = if self.is_before(urgency, left + 1, left) { left + 1 } else { left };
            if !self.is_before(urgency, child, at) {
                return;
            }
            self.swap(urgency, at, child);
            self.note(urgency, at);
            self.note(urgency, child);
            at = child;
        }
    }

    /// Both places are there.
    fn swap(&mut self, urgency: u8, a: usize, b: usize) {
        if let Some(heap) = self.heaps.get_mut(usize::from(urgency)) {
            heap.swap(a, b);
        }
    }

    /// Whether the node at `a` is to come out before the one at `b`. A place beyond the end never is.
    fn is_before(&self, urgency: u8, a: usize, b: usize) -> bool {
        let heap = self.heaps.get(usize::from(urgency)).map_or(&[] as &[Node], Vec::as_slice);
        match (heap.get(a), heap.get(b)) {
            (Some(a), Some(b)) => a.before(b),
            _ => false,
        }
    }

    /// Tells the member at a place where it is.
    fn note(&mut self, urgency: u8, position: usize) {
        let node = self.heaps.get(usize::from(urgency)).and_then(|heap| heap.get(position));
        if let Some(slot) = node.and_then(|node| self.slots.get_mut(node.slot as usize)) {
            slot.position = position as u32;
        }
    }
}
