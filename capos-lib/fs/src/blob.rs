//! Blobs: bytes that are known by their SHA-256 (FIPS 180-4) and stored once.

use sha2::{Digest as _, Sha256};

use crate::change::Change;
use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId};
use crate::look;
use crate::record::{self, Hash, Kind, Object, Orphan};
use crate::time::Stamp;
use crate::volume::Volume;
use crate::write::MOST_AT_ONCE;

/// A blob in the making, which is held; to be given to [`Fs::finish_blob`] or [`Fs::drop_blob`].
pub struct BlobWriter {
    object: ObjectId,
    hash: Sha256,
}

impl<V: Volume> Fs<V> {
    /// Stores a blob, and holds it until [`Fs::release`].
    ///
    /// # Errors
    /// `Quota`, and what the volume says.
    pub async fn put_blob(&self, data: &[u8], now: Stamp) -> Result<(ObjectId, [u8; 32]), Error> {
        if data.len() > MOST_AT_ONCE {
            let mut writer = self.begin_blob(now).await?;
            let written = self.write_blob(&mut writer, data, now).await;
            return match written {
                Ok(()) => self.finish_blob(writer).await,
                Err(error) => {
                    self.drop_blob(writer).await;
                    Err(error)
                }
            };
        }
        let hash: [u8; 32] = Sha256::digest(data).into();
        let _turn = self.begin().await?;
        if let Some(blob) = self.seen_again(&hash).await? {
            return Ok((blob, hash));
        }
        let id = self.new_id();
        let mut change = Change::of(0, 0, 1);
        let blob = Object { links: 0, ..Object::new(Kind::Blob, 0, now) };
        let blob = self.store(&mut change, id, blob, 0, data).await?;
        change.put(&key::object(id), &blob.encode());
        self.name(&mut change, id, &hash);
        self.apply(change).await?;
        self.hold(id);
        Ok((id, hash))
    }

    /// A blob of any size, written piece by piece.
    ///
    /// # Errors
    /// `Quota`, and what the volume says.
    pub async fn begin_blob(&self, now: Stamp) -> Result<BlobWriter, Error> {
        let _turn = self.begin().await?;
        let id = self.new_id();
        let mut change = Change::of(0, 0, 1);
        self.room(change.charge).await?;
        change.put(&key::object(id), &Object { links: 0, ..Object::new(Kind::Blob, 0, now) }.encode());
        // Until it is finished, nothing is to be left of it.
        change.put(&key::orphan(id), &Orphan::Whole.encode());
        self.apply(change).await?;
        self.state.borrow_mut().orphans.insert(id, Orphan::Whole);
        self.hold(id);
        Ok(BlobWriter { object: id, hash: Sha256::new() })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// `Quota`, and what the volume says; then nothing but [`Fs::drop_blob`] is left to be done.
    pub async fn write_blob(&self, writer: &mut BlobWriter, data: &[u8], now: Stamp) -> Result<(), Error> {
        writer.hash.update(data);
        self.extend_blob(writer.object, data, now).await
    }

    /// That was all: the blob, which is held, and its hash.
    ///
    /// # Errors
    /// What the volume says; the blob is dropped.
    pub async fn finish_blob(&self, writer: BlobWriter) -> Result<(ObjectId, [u8; 32]), Error> {
        let id = writer.object;
        let hash: [u8; 32] = writer.hash.finalize().into();
        let done = self.take_name(id, &hash).await;
        if !matches!(done, Ok(blob) if blob == id) {
            self.release(id).await;
        }
        done.map(|blob| (blob, hash))
    }

    /// It will not be.
    pub async fn drop_blob(&self, writer: BlobWriter) {
        self.release(writer.object).await;
    }

    /// The blob of a hash, which is held.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_blob(&self, hash: &[u8; 32]) -> Result<ObjectId, Error> {
        let _look = self.tree.look().await;
        let blob = look::blob(&self.view, hash).await?.ok_or(Error::NotFound)?;
        self.hold(blob);
        Ok(blob)
    }

    /// The hash of a blob.
    ///
    /// # Errors
    /// `Kind` when it is none; `NotFound` when it is not finished.
    pub async fn blob_hash(&self, blob: ObjectId) -> Result<[u8; 32], Error> {
        let _look = self.tree.look().await;
        look::blob_hash(&self.view, blob).await
    }

    /// Makes the object the blob of the hash, if there is none.
    async fn take_name(&self, id: ObjectId, hash: &[u8; 32]) -> Result<ObjectId, Error> {
        let _turn = self.begin().await?;
        if let Some(blob) = self.seen_again(hash).await? {
            return Ok(blob);
        }
        let mut change = Change::default();
        self.name(&mut change, id, hash);
        change.remove(&key::orphan(id));
        self.apply(change).await?;
        self.state.borrow_mut().orphans.remove(&id);
        Ok(id)
    }

    fn name(&self, change: &mut Change, id: ObjectId, hash: &[u8; 32]) {
        let mark = self.state.borrow().volume.collection;
        change.put(&key::blob(hash), &record::encode_blob(id));
        change.put(&key::hash(id), &Hash { mark, hash: *hash }.encode());
    }

    /// The blob of a hash, if there is one, which is held from now on. It stays in a collection that is under way.
    async fn seen_again(&self, hash: &[u8; 32]) -> Result<Option<ObjectId>, Error> {
        let Some(blob) = look::blob(&self.view, hash).await? else { return Ok(None) };
        let mut change = Change::default();
        self.mark(&mut change, blob).await?;
        if !change.is_empty() {
            self.apply(change).await?;
        }
        self.hold(blob);
        Ok(Some(blob))
    }
}
