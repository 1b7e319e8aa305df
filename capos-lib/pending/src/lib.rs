//! What is in flight at a device: found by tags of our own, since what the other side calls it is the other side's word.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// The number of what is in flight: below the capacity.
pub type Tag = u16;

/// No tag.
const NONE: Tag = Tag::MAX;

/// Something in flight, or room for it, in one of two lists: that of free places, or that of all in flight in the order in which they came.
#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    before: Tag,
    after: Tag,
}

/// What is in flight, oldest first. Nothing here allocates but the making.
#[derive(Debug)]
pub struct Pending<T> {
    slots: Box<[Slot<T>]>,
    free: Tag,
    oldest: Tag,
    newest: Tag,
    count: u16,
}

impl<T> Pending<T> {
    /// Room for so many; fewer than 65,535.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(capacity: u16) -> Result<Self, TryReserveError> {
        let capacity = capacity.min(NONE - 1);
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity.into())?;
        slots.extend((1..=capacity).map(|next| {
            let after = if next == capacity { NONE } else { next };
            Slot { value: None, before: NONE, after }
        }));
        let free = if capacity == 0 { NONE } else { 0 };
        Ok(Pending { slots: slots.into_boxed_slice(), free, oldest: NONE, newest: NONE, count: 0 })
    }

    /// How many are in flight.
    #[inline]
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether none is.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// For how many more there is room.
    #[inline]
    pub fn room(&self) -> usize {
        self.slots.len() - self.len()
    }

    /// Takes one up, as the newest; gives it back when there is no room.
    ///
    /// # Errors
    /// What was to be taken up.
    #[inline]
    pub fn insert(&mut self, value: T) -> Result<Tag, T> {
        let tag = self.free;
        let newest = self.newest;
        let Some(slot) = self.slots.get_mut(usize::from(tag)) else { return Err(value) };
        self.free = slot.after;
        *slot = Slot { value: Some(value), before: newest, after: NONE };
        match self.slots.get_mut(usize::from(newest)) {
            Some(before) => before.after = tag,
            None => self.oldest = tag,
        }
        self.newest = tag;
        self.count += 1;
        Ok(tag)
    }

    /// What is in flight by that tag.
    #[inline]
    pub fn get(&self, tag: Tag) -> Option<&T> {
        self.slots.get(usize::from(tag))?.value.as_ref()
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, tag: Tag) -> Option<&mut T> {
        self.slots.get_mut(usize::from(tag))?.value.as_mut()
    }

    /// It is over; `None` when nothing is in flight by that tag.
    #[inline]
    pub fn remove(&mut self, tag: Tag) -> Option<T> {
        let free = self.free;
        let slot = self.slots.get_mut(usize::from(tag))?;
        let value = slot.value.take()?;
        let (before, after) = (slot.before, slot.after);
        slot.after = free;
        match self.slots.get_mut(usize::from(before)) {
            Some(slot) => slot.after = after,
            None => self.oldest = after,
        }
        match self.slots.get_mut(usize::from(after)) {
            Some(slot) => slot.before = before,
            None => self.newest = before,
        }
        self.free = tag;
        self.count -= 1;
        Some(value)
    }

    /// All of them in no order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &T)> {
        let mut next = self.oldest;
        core::iter::from_fn(move || {
            let tag = next;
            let slot = self.slots.get(usize::from(tag))?;
            next = slot.after;
            Some((tag, slot.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Pending;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_a_list_is(capacity in 0u16..9, steps in proptest::collection::vec((any::<bool>(), 0u16..12), 0..200)) {
            let mut pending = Pending::new(capacity).unwrap();
            let mut model: Vec<(u16, u32)> = Vec::new();
            for (n, (is_insert, tag)) in (0u32..).zip(steps) {
                if is_insert {
                    match pending.insert(n) {
                        Ok(tag) => {
                            prop_assert!(tag < capacity && model.iter().all(|(taken, _)| *taken != tag));
                            model.push((tag, n));
                        }
                        Err(back) => prop_assert_eq!((back, model.len()), (n, usize::from(capacity))),
                    }
                } else {
                    let at = model.iter().position(|(taken, _)| *taken == tag);
                    prop_assert_eq!(pending.get(tag).copied(), at.map(|at| model[at].1));
                    prop_assert_eq!(pending.get_mut(tag).copied(), at.map(|at| model[at].1));
                    prop_assert_eq!(pending.remove(tag), at.map(|at| model.remove(at).1));
                }
                let found: Vec<_> = pending.iter().map(|(tag, value)| (tag, *value)).collect();
                prop_assert_eq!(&found, &model);
                let mut values: Vec<u32> = pending.values_mut().map(|value| *value).collect();
                values.sort_unstable();
                prop_assert_eq!(values, model.iter().map(|(_, value)| *value).collect::<Vec<_>>());
                prop_assert_eq!(pending.len() + pending.room(), usize::from(capacity));
                prop_assert_eq!(pending.is_empty(), model.is_empty());
            }
        }
    }
}
