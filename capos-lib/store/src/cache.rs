//! Blocks that were read and may be wanted again. A bounded number of them, in sets: where a block may be follows from its address, so
//! that looking one up takes a comparison or two, and there is nothing to keep in order.

use crate::node::Page;
use crate::pointer::Pointer;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

/// Places of a set.
const WAYS: usize = 4;
/// Spreads neighbours over the sets (Fibonacci hashing: 2^64 over the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

struct Held {
    pointer: Pointer,
    page: Rc<Page>,
    /// Whether it was wanted since somebody looked for a place.
    wanted: Cell<bool>,
}

/// Blocks by the pointers to them: another content, birth or checksum is another block.
pub struct Cache {
    sets: Vec<[Option<Held>; WAYS]>,
}

impl Cache {
    /// For so many blocks, rounded up to a power of two; at least a few.
    pub fn new(blocks: usize) -> Cache {
        let sets = blocks.div_ceil(WAYS).max(2).next_power_of_two();
        Cache { sets: (0..sets).map(|_| [const { None }; WAYS]).collect() }
    }

    fn set(&self, address: u64) -> usize {
        let bits = self.sets.len().trailing_zeros();
        usize::try_from(address.wrapping_mul(SPREAD) >> (u64::BITS - bits)).unwrap_or(0)
    }

    /// A block, if it is here.
    pub fn get(&self, pointer: &Pointer) -> Option<&Rc<Page>> {
        let held = self.sets.get(self.set(pointer.address))?.iter().flatten();
        let found = held.into_iter().find(|held| held.pointer == *pointer)?;
        found.wanted.set(true);
        Some(&found.page)
    }

    /// Keeps a block for a while, in place of one that was there, or one that nobody wanted lately.
    pub fn insert(&mut self, pointer: Pointer, page: Rc<Page>) {
        let index = self.set(pointer.address);
        let Some(set) = self.sets.get_mut(index) else { return };
        let same = set
            .iter()
            .position(|held| held.as_ref().is_none_or(|held| held.pointer.address == pointer.address));
        let unwanted = || set.iter().flatten().position(|held| !held.wanted.replace(false));
        let place = same.or_else(unwanted).unwrap_or(0);
        if let Some(place) = set.get_mut(place) {
            *place = Some(Held { pointer, page, wanted: Cell::new(false) });
        }
    }

    /// Gives a block away.
    pub fn take(&mut self, pointer: &Pointer) -> Option<Rc<Page>> {
        let index = self.set(pointer.address);
        let set = self.sets.get_mut(index)?;
        let held = set.iter_mut().find(|held| held.as_ref().is_some_and(|held| held.pointer == *pointer))?;
        held.take().map(|held| held.page)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.iter_mut().flatten().for_each(|held| *held = None);
    }
}
