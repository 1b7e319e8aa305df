//! Blobs that nobody needs: marked are those that a namespace names, and the others go unless they are held.
//!
//! Every collection has a number, and a mark is the number of the last one that saw the blob. Whoever puts or names a blob meanwhile marks
//! it, too, so the namespaces can be walked in steps between which others change them.

use crate::change::Change;
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, EntryKey, ObjectId, Part};
use crate::look;
use crate::record::{Kind, Object, Orphan};
use crate::volume::Volume;

/// Most names that are looked at in one step.
const STEP: usize = 64;

/// What a collection has removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl<V: Volume> Fs<V> {
    /// Drops the blobs that nobody holds and no namespace names.
    ///
    /// # Errors
    /// What the volume says; what was dropped stays dropped.
    pub async fn collect(&self) -> Result<Collected, Error> {
        let number = self.next_collection().await?;
        let mut next = Some(ObjectId::ROOT);
        while let Some(from) = next {
            next = self.mark_next(from).await?;
        }
        self.sweep(number).await
    }

    async fn next_collection(&self) -> Result<u64, Error> {
        let _turn = self.begin().await?;
        let mut state = self.state.borrow_mut();
        let number = state.volume.collection.checked_add(1).ok_or(Error::Corrupt)?;
        state.volume.collection = number;
        Ok(number)
    }

    /// Marks what the next namespace names, and tells from which object to go on.
    async fn mark_next(&self, from: ObjectId) -> Result<Option<ObjectId>, Error> {
        let found = {
            let _look = self.tree.look().await;
            look::next(&self.view, &key::object(from)).await?
        };
        let Some((id, part, _)) = found.as_ref().and_then(look::Record::parse) else { return Ok(None) };
        let next = id.0.checked_add(1).map(ObjectId);
        let is_object = part == Part::Object;
        let object =
            found.as_ref().filter(|_| is_object).map(|found| Object::decode(found.value())).transpose()?;
        if object.is_some_and(|object| object.kind == Kind::Namespace) {
            let mut from = Some(EntryKey::behind(id, b""));
            while let Some(key) = from {
                from = self.mark_names(id, key).await?;
            }
        }
        Ok(next)
    }

    async fn mark_names(&self, id: ObjectId, mut from: EntryKey) -> Result<Option<EntryKey>, Error> {
        let _turn = self.begin().await?;
        for _ in 0..STEP {
            let Some((name, entry)) = look::next_entry(&self.view, id, from.bytes()).await? else {
                return Ok(None);
            };
            from = EntryKey::behind(id, name.as_bytes());
            if entry.kind == Kind::Blob {
                let mut change = Change::default();
                self.mark(&mut change, entry.object).await?;
                if !change.is_empty() {
                    self.apply(change).await?;
                }
            }
        }
        Ok(Some(from))
    }

    async fn sweep(&self, number: u64) -> Result<Collected, Error> {
        let mut collected = Collected::default();
        let mut hash = [0; 32];
        while let Some((id, object)) = self.sweep_next(&mut hash, number).await? {
            if let Some(object) = object {
                self.clean(id).await;
                collected.blobs = collected.blobs.saturating_add(1);
                collected.bytes = collected.bytes.saturating_add(object.size);
            }
        }
        Ok(collected)
    }

    /// Takes the next blob away if it is not needed; its hash is behind `hash`, which is that of the one after it then.
    async fn sweep_next(
        &self,
        hash: &mut [u8; 32],
        number: u64,
    ) -> Result<Option<(ObjectId, Option<Object>)>, Error> {
        let _turn = self.begin().await?;
        let Some(found) = look::next(&self.view, &key::blob(hash)).await? else { return Ok(None) };
        let Some((ObjectId::VOLUME, Part::Blob, rest)) = found.parse() else { return Ok(None) };
        *hash = rest.try_into().map_err(|_| Error::Corrupt)?;
        let key = key::blob(hash);
        let id = crate::record::decode_blob(found.value())?;
        let is_last = !increment(hash);
        // Nobody follows the hash between the look at who holds the blob and the end of that.
        let alone = self.tree.change().await;
        let is_needed = look::hash(&self.view, id).await?.mark >= number || self.is_held(id);
        if is_needed {
            return Ok((!is_last).then_some((id, None)));
        }
        let object = look::object(&self.view, id).await.map_err(look::missing)?;
        let mut change = Change::default();
        change.removal = true;
        change.remove(&key);
        change.put(&key::orphan(id), &Orphan::Whole.encode());
        self.apply_alone(alone, change).await?;
        self.state.borrow_mut().orphans.insert(id, Orphan::Whole);
        Ok(Some((id, Some(object))))
    }
}

/// Adds one to a number of many bytes; false when it was the largest.
fn increment(number: &mut [u8; 32]) -> bool {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return true;
        }
    }
    false
}
