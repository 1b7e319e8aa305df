//! The records of objects and stretches that were read last: a file that is read or written again is found without a descent.

use alloc::boxed::Box;
use alloc::vec;
use core::cell::RefCell;
use core::ops::Range;

use capos_store::{BLOCK, Change, Pointer, StoreError};

use crate::key::{self, ObjectId};
use crate::look::BLOCK_BYTES;
use crate::record::{MAX_RECORD, Object, STRETCH_BLOCKS};
use crate::volume::{View, Volume};

/// How many are kept whose key is an object and a part of it, and how many of the others: as many stretches as 16 MiB have.
const OBJECTS: usize = 32;
const OTHERS: usize = 256;
/// Keys of objects have 9 bytes, those of stretches 17. Longer ones are not kept.
const OF_OBJECT: usize = 9;
const MORE: usize = OF_OBJECT + 1;
const LONGEST: usize = 17;

#[derive(Clone, Copy)]
struct Slot {
    key: [u8; LONGEST],
    key_length: u8,
    length: u16,
    value: [u8; MAX_RECORD],
}

const EMPTY: Slot = Slot { key: [0; LONGEST], key_length: 0, length: 0, value: [0; MAX_RECORD] };

struct Slots {
    slots: Box<[Slot]>,
    /// Of the volume when these were read from it.
    epoch: u64,
}

/// A volume, and what was read from it last. Whoever reads through it holds the lock of the tree, or has the turn to change it.
pub(crate) struct Recent<V> {
    pub(crate) volume: V,
    slots: RefCell<Slots>,
}

/// Where a key belongs: objects that follow each other, and the stretches of one, are apart, and an object is never in its stretches' way.
fn place(key: &[u8]) -> Option<usize> {
    let (object, last) = (usize::from(*key.get(7)?), usize::from(*key.last()?));
    match key.len() {
        ..=OF_OBJECT => Some(object.wrapping_add(last.wrapping_mul(5)) % OBJECTS),
        MORE..=LONGEST => Some(OBJECTS.wrapping_add(object.wrapping_mul(5).wrapping_add(last) % OTHERS)),
        _ => None,
    }
}

impl<V: Volume> Recent<V> {
    pub(crate) fn new(volume: V) -> Self {
        let slots = Slots { slots: vec![EMPTY; OBJECTS + OTHERS].into(), epoch: volume.epoch() };
        Recent { volume, slots: RefCell::new(slots) }
    }

    /// Records were changed, if they are `done`.
    pub(crate) fn changed(&self, changes: &[Change<'_>], done: bool) {
        for change in changes {
            let is_kept = self.with(change.key, |_| ()).is_some();
            match change.value.filter(|_| done) {
                Some(value) if is_kept => self.remember(change.key, value),
                None if is_kept => self.forget(change.key),
                _ => {}
            }
        }
    }

    fn forget(&self, key: &[u8]) {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = place(key).and_then(|at| slots.slots.get_mut(at)) {
            slot.key_length = 0;
        }
    }

    /// Looks at a value that is kept.
    fn with<T>(&self, key: &[u8], look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut slots = self.slots.borrow_mut();
        let epoch = self.volume.epoch();
        if slots.epoch != epoch {
            slots.epoch = epoch;
            slots.slots.iter_mut().for_each(|slot| slot.key_length = 0);
        }
        let slot = slots.slots.get(place(key)?).filter(|slot| slot.key() == key)?;
        slot.value.get(..usize::from(slot.length)).map(look)
    }

    /// Where bytes of a file are that lie in one block, and which of its bytes: fewer at the end. If that is known here.
    pub(crate) fn piece(&self, id: ObjectId, offset: u64, length: usize) -> Option<(Pointer, Range<usize>)> {
        let object = self.with(&key::object(id), Object::decode)?.ok()?;
        if object.kind.has_names() {
            return None;
        }
        let left = usize::try_from(object.size.checked_sub(offset)?).unwrap_or(usize::MAX);
        let first = (offset % BLOCK_BYTES) as usize;
        let end = first.checked_add(length.min(left)).filter(|end| *end <= BLOCK)?;
        let block = offset / BLOCK_BYTES;
        let at = (block % STRETCH_BLOCKS) as usize;
        let key = key::stretch(id, block / STRETCH_BLOCKS);
        let pointer = self.with(&key, |bytes| {
            let (pointers, _) = bytes.as_chunks::<{ Pointer::BYTES }>();
            pointers.get(at).map_or(Some(Pointer::NONE), |bytes| Pointer::from_bytes(bytes))
        })??;
        Some((pointer, first..end))
    }

    fn recall(&self, key: &[u8], value: &mut [u8]) -> Option<usize> {
        self.with(key, |known| {
            value.get_mut(..known.len())?.copy_from_slice(known);
            Some(known.len())
        })?
    }

    fn remember(&self, key: &[u8], value: &[u8]) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = place(key).and_then(|at| slots.slots.get_mut(at)) else { return };
        let places = (slot.key.get_mut(..key.len()), slot.value.get_mut(..value.len()));
        if let (Some(to_key), Some(to)) = places {
            to_key.copy_from_slice(key);
            to.copy_from_slice(value);
            slot.key_length = key.len() as u8;
            slot.length = value.len() as u16;
        }
    }
}

impl Slot {
    /// Empty when nothing is there.
    fn key(&self) -> &[u8] {
        self.key.get(..usize::from(self.key_length)).unwrap_or_default()
    }
}

impl<V: Volume> View for Recent<V> {
    async fn get(&self, key: &[u8], value: &mut [u8]) -> Result<Option<usize>, StoreError> {
        if let Some(length) = self.recall(key, value) {
            return Ok(Some(length));
        }
        let found = self.volume.get(key, value).await?;
        if let Some(found) = found.and_then(|length| value.get(..length)) {
            self.remember(key, found);
        }
        Ok(found)
    }

    async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        self.volume.next(from, key, value).await
    }

    async fn read_data(&self, pointers: &[Pointer], data: &mut [u8]) -> Result<(), StoreError> {
        self.volume.read_data(pointers, data).await
    }
}

#[cfg(test)]
mod tests {
    use super::{OTHERS, place};
    use crate::key::{ObjectId, object, stretch};
    use alloc::collections::BTreeSet;

    #[test]
    fn an_object_and_its_stretches_have_places_of_their_own() {
        for id in [1, 2, 77, 255, 256].map(ObjectId) {
            let stretches = (0..OTHERS as u64).map(|number| place(&stretch(id, number)));
            let places: BTreeSet<_> = stretches.chain([place(&object(id))]).collect();
            assert_eq!((places.len(), places.contains(&None)), (OTHERS + 1, false));
            assert_ne!(place(&object(id)), place(&object(ObjectId(id.0 + 1))));
        }
        assert_eq!(place(&[0; 18]), None);
    }
}
