//! The slots of a table: generations and the list of free slots.

use super::{Entry, TableError};
use crate::derivation::NodeId;
use alloc::vec::Vec;
use capos_abi::{CapId, MAX_CAP_SLOTS};

/// Index that ends the free list.
const NONE: u32 = u32::MAX;
/// Generation of a slot's first tenant.
const FIRST_GENERATION: u32 = 1;

struct Slot<O> {
    generation: u32,
    /// The next free slot, while this one is free.
    next_free: u32,
    /// A node that is not in use, for the next tenant that needs one.
    spare: Option<NodeId>,
    entry: Option<Entry<O>>,
}

pub(super) struct Slots<O> {
    all: Vec<Slot<O>>,
    /// The free slot that is used next.
    first_free: u32,
    free: usize,
    live: usize,
    /// Entries that were ever taken out.
    taken: u64,
}

impl<O> Slots<O> {
    pub(super) const fn new() -> Self {
        Slots { all: Vec::new(), first_free: NONE, free: 0, live: 0, taken: 0 }
    }

    #[inline]
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// How often an entry came or went.
    pub(super) fn changes(&self) -> u64 {
        // Each that was taken out had come, too.
        2 * self.taken + self.live as u64
    }

    /// Slots that there are, empty ones included.
    pub(super) fn span(&self) -> usize {
        self.all.len()
    }

    #[inline]
    pub(super) fn get(&self, id: CapId) -> Option<&Entry<O>> {
        self.get_word(id.raw())
    }

    /// The entry that a word names, if the word is an id: what lies above the generation makes it another generation here.
    #[inline]
    pub(super) fn get_word(&self, word: u64) -> Option<&Entry<O>> {
        let slot = self.all.get(CapId::from_raw(word).index() as usize)?;
        if u64::from(slot.generation) == word >> CapId::INDEX_BITS { slot.entry.as_ref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: CapId) -> Option<&mut Entry<O>> {
        let slot = self.all.get_mut(id.index() as usize)?;
        if slot.generation == id.generation() { slot.entry.as_mut() } else { None }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (CapId, &Entry<O>)> {
        (0..).zip(&self.all).filter_map(Self::held)
    }

    pub(super) fn at_or_after(&self, from: u32) -> Option<(CapId, &Entry<O>)> {
        (from..).zip(self.all.get(from as usize..)?).find_map(Self::held)
    }

    /// The entries in `count` slots from `from` on.
    pub(super) fn some(&self, from: u32, count: usize) -> impl Iterator<Item = (CapId, &Entry<O>)> {
        let rest = self.all.get(from as usize..).unwrap_or_default();
        rest.iter().take(count).zip(from..).filter_map(|(slot, index)| Self::held((index, slot)))
    }

    fn held((index, slot): (u32, &Slot<O>)) -> Option<(CapId, &Entry<O>)> {
        Some((CapId::new(index, slot.generation), slot.entry.as_ref()?))
    }

    /// Makes room for `more` entries.
    #[inline]
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), TableError> {
        let new = more.saturating_sub(self.free);
        if new > MAX_CAP_SLOTS - self.all.len() {
            return Err(TableError::Full); // so many slots are retired
        }
        self.all.try_reserve(new).map_err(|_| TableError::OutOfMemory)
    }

    /// The id that the next entry will have.
    pub(super) fn next(&self) -> CapId {
        match self.all.get(self.first_free as usize) {
            Some(slot) => CapId::new(self.first_free, slot.generation),
            None => CapId::new(self.all.len() as u32, FIRST_GENERATION),
        }
    }

    /// Fills a slot. Gives the entry back when no room was reserved.
    #[inline]
    pub(super) fn put(&mut self, entry: Entry<O>) -> Result<CapId, Entry<O>> {
        let id = self.next();
        if let Some(slot) = self.all.get_mut(self.first_free as usize) {
            self.first_free = slot.next_free;
            slot.entry = Some(entry);
            self.free -= 1;
        } else if self.all.len() < self.all.capacity() {
            self.all.push(Slot {
                generation: FIRST_GENERATION,
                next_free: NONE,
                spare: None,
                entry: Some(entry),
            });
        } else {
            return Err(entry);
        }
        self.live += 1;
        Ok(id)
    }

    /// Empties a slot.
    #[inline]
    pub(super) fn take(&mut self, id: CapId) -> Option<Entry<O>> {
        let slot = self.all.get_mut(id.index() as usize)?;
        if slot.generation != id.generation() {
            return None;
        }
        let entry = slot.entry.take()?;
        self.live -= 1;
        self.taken += 1;
        // A slot without generations left is not put on the list again: its ids would come back to life.
        if let Some(generation) = slot.generation.checked_add(1) {
            slot.generation = generation;
            slot.next_free = self.first_free;
            self.first_free = id.index();
            self.free += 1;
        }
        Some(entry)
    }

    /// How many of the next `count` slots to be filled have no spare node.
    #[inline]
    pub(super) fn without_spare(&self, count: usize) -> usize {
        let (mut at, mut without) = (self.first_free, 0);
        for _ in 0..count {
            let slot = self.all.get(at as usize);
            without += usize::from(slot.is_none_or(|slot| slot.spare.is_none()));
            at = slot.map_or(NONE, |slot| slot.next_free);
        }
        without
    }

    /// Takes the spare node of a slot.
    #[inline]
    pub(super) fn take_spare(&mut self, index: u32) -> Option<NodeId> {
        self.all.get_mut(index as usize)?.spare.take()
    }

    /// Leaves a spare node with a slot that will be filled again. Gives it back when that has one, or is retired.
    #[inline]
    pub(super) fn leave_spare(&mut self, index: u32, node: NodeId) -> Option<NodeId> {
        match self.all.get_mut(index as usize) {
            Some(slot) if slot.spare.is_none() && slot.generation != u32::MAX => {
                slot.spare = Some(node);
                None
            }
            _ => Some(node),
        }
    }

    /// Takes slots off the end until one had an entry. Their spare nodes go to `unused`.
    pub(super) fn pop(&mut self, mut unused: impl FnMut(NodeId)) -> Option<Entry<O>> {
        // The list may lead to slots that go now; nobody is to follow it any more.
        (self.first_free, self.free) = (NONE, 0);
        let slots = core::iter::from_fn(|| self.all.pop());
        let mut entries = slots.map(|slot| {
            slot.spare.into_iter().for_each(&mut unused);
            slot.entry
        });
        let entry = entries.find_map(|entry| entry)?;
        self.live -= 1;
        self.taken += 1;
        Some(entry)
    }

    /// Sets the generation of a slot, to get to the last one in reasonable time.
    #[cfg(test)]
    pub(super) fn age(&mut self, index: usize, generation: u32) {
        self.all[index].generation = generation;
    }
}
