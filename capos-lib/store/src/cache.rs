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

/// Where a block may be.
struct Set {
    places: [Option<Held>; WAYS],
    /// Where the next one gets if nothing speaks against it: so that what came last goes last.
    next: usize,
}

impl Set {
    const EMPTY: Set = Set { places: [const { None }; WAYS], next: 0 };

    /// The place for a block: its own, an empty one, or that of one that nobody wanted since it was looked at last.
    fn place(&self, address: u64) -> usize {
        let at = |n: usize| (self.next + n) % WAYS;
        let held = |at: usize| self.places.get(at).and_then(Option::as_ref);
        let same = (0..WAYS).find(|at| held(*at).is_none_or(|held| held.pointer.address == address));
        let unwanted =
            || (0..WAYS).map(at).find(|at| held(*at).is_some_and(|held| !held.wanted.replace(false)));
        same.or_else(unwanted).unwrap_or(self.next)
    }
}

/// Blocks by the pointers to them: another content, birth or checksum is another block.
pub struct Cache {
    sets: Vec<Set>,
}

impl Cache {
    /// For so many blocks, rounded up to a power of two; at least a few.
    pub fn new(blocks: usize) -> Cache {
        let sets = blocks.div_ceil(WAYS).max(2).next_power_of_two();
        Cache { sets: (0..sets).map(|_| Set::EMPTY).collect() }
    }

    fn set(&self, address: u64) -> usize {
        let bits = self.sets.len().trailing_zeros();
        usize::try_from(address.wrapping_mul(SPREAD) >> (u64::BITS - bits)).unwrap_or(0)
    }

    /// A block, if it is here.
    pub fn get(&self, pointer: &Pointer) -> Option<&Rc<Page>> {
        let held = self.sets.get(self.set(pointer.address))?.places.iter().flatten();
        let found = held.into_iter().find(|held| held.pointer == *pointer)?;
        found.wanted.set(true);
        Some(&found.page)
    }

    /// Keeps a block for a while, in place of one that was there, or one that nobody wanted lately.
    pub fn insert(&mut self, pointer: Pointer, page: Rc<Page>) {
        let index = self.set(pointer.address);
        let Some(set) = self.sets.get_mut(index) else { return };
        let at = set.place(pointer.address);
        set.next = (at + 1) % WAYS;
        if let Some(place) = set.places.get_mut(at) {
            *place = Some(Held { pointer, page, wanted: Cell::new(false) });
        }
    }

    /// Gives a block away.
    pub fn take(&mut self, pointer: &Pointer) -> Option<Rc<Page>> {
        let index = self.set(pointer.address);
        let set = self.sets.get_mut(index)?;
        let held =
            set.places.iter_mut().find(|held| held.as_ref().is_some_and(|held| held.pointer == *pointer))?;
        held.take().map(|held| held.page)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.iter_mut().for_each(|set| *set = Set::EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, WAYS};
    use crate::node::Page;
    use crate::pointer::Pointer;
    use alloc::rc::Rc;
    use alloc::vec::Vec;

    /// Blocks of one set.
    fn neighbours(cache: &Cache, count: usize) -> Vec<Pointer> {
        let all = (1..).map(|address| Pointer { address, ..Pointer::NONE });
        all.filter(|pointer| cache.set(pointer.address) == 0).take(count).collect()
    }

    /// Reads some in turns; how often one was not there.
    fn misses(cache: &mut Cache, wanted: &[Pointer], turns: usize) -> usize {
        let mut missed = 0;
        for pointer in wanted.iter().cycle().take(turns * wanted.len()) {
            if cache.get(pointer).is_none() {
                missed += 1;
                cache.insert(*pointer, Rc::new(Page::zeroed()));
            }
        }
        missed
    }

    /// As many as fit stay, whatever was in their places before.
    #[test]
    fn what_is_wanted_takes_the_places_of_what_is_not() {
        let mut cache = Cache::new(64);
        let all = neighbours(&cache, 2 * WAYS);
        let (old, wanted) = all.split_at(WAYS);
        misses(&mut cache, old, 1);
        assert_eq!(misses(&mut cache, wanted, 10), WAYS);
    }

    /// What goes by once leaves what is wanted again and again.
    #[test]
    fn what_is_wanted_stays() {
        let mut cache = Cache::new(64);
        let all = neighbours(&cache, 100);
        let (wanted, others) = all.split_at(WAYS - 1);
        misses(&mut cache, wanted, 2);
        let missed: usize = others
            .iter()
            .map(|other| {
                cache.insert(*other, Rc::new(Page::zeroed()));
                misses(&mut cache, wanted, 1)
            })
            .sum();
        assert!(missed <= 3, "{missed}");
    }
}
