//! Snapshots: everything as it was, to be read; and growing, which like them is for the volume as a whole.

use capos_store::{Disk, StoreError};

use crate::error::Error;
use crate::fs::Fs;
use crate::key::ObjectId;
use crate::look::{self, Listing, Run};
use crate::name::Name;
use crate::record::{Entry, Object};
use crate::volume::View;

/// Everything as it was in a snapshot. What it answers is what [`Fs`] answered then.
pub struct Snapshot<V> {
    view: V,
}

impl<V: View> Snapshot<V> {
    /// Of a view of a volume.
    pub const fn new(view: V) -> Self {
        Snapshot { view }
    }

    /// What a name leads to.
    ///
    /// # Errors
    /// See [`Fs::lookup`].
    pub async fn lookup(&self, directory: ObjectId, name: &[u8]) -> Result<Entry, Error> {
        let name = Name::new(name)?;
        look::names(&self.view, directory).await?;
        look::entry(&self.view, directory, name).await?.ok_or(Error::NotFound)
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn stat(&self, object: ObjectId) -> Result<Object, Error> {
        look::object(&self.view, object).await
    }

    /// Some of the names; see [`Fs::list`].
    ///
    /// # Errors
    /// See [`Fs::list`].
    pub async fn list(&self, directory: ObjectId, after: &[u8], most: usize) -> Result<Listing, Error> {
        look::list(&self.view, directory, after, most).await
    }

    /// Reads bytes of a file or blob; how many there were.
    ///
    /// # Errors
    /// See [`Fs::read`].
    pub async fn read(&self, object: ObjectId, offset: u64, to: &mut [u8]) -> Result<usize, Error> {
        look::read(&self.view, object, offset, to).await
    }

    /// The first run of stored bytes; see [`Fs::run`].
    ///
    /// # Errors
    /// See [`Fs::run`].
    pub async fn run(&self, object: ObjectId, offset: u64) -> Result<Option<Run>, Error> {
        look::run(&self.view, object, offset).await
    }

    /// The blob of a hash.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn blob(&self, hash: &[u8; 32]) -> Result<ObjectId, Error> {
        look::blob(&self.view, hash).await?.ok_or(Error::NotFound)
    }

    /// The hash of a blob.
    ///
    /// # Errors
    /// See [`Fs::blob_hash`].
    pub async fn blob_hash(&self, blob: ObjectId) -> Result<[u8; 32], Error> {
        look::blob_hash(&self.view, blob).await
    }
}

impl<D: Disk> Fs<capos_store::Volume<D>> {
    /// Keeps everything as it is now, under a number that it answers with when that is durable. What `note` says is the caller's to know.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn snapshot(&self, note: &[u8]) -> Result<u64, Error> {
        self.whole(async |volume| volume.snapshot(note).await).await
    }

    /// Gives back the room that only a snapshot holds, in steps, with others waiting meanwhile.
    ///
    /// # Errors
    /// What the volume says; it may be called again.
    pub async fn delete_snapshot(&self, number: u64) -> Result<(), Error> {
        self.whole(async |volume| volume.delete_snapshot(number).await).await
    }

    /// Takes what the disk has become larger by.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn grow(&self) -> Result<(), Error> {
        self.whole(async |volume| volume.grow(None).await).await
    }

    /// A snapshot, to be read.
    ///
    /// # Errors
    /// `Volume(NoSnapshot)`.
    pub fn open_snapshot(&self, number: u64) -> Result<Snapshot<capos_store::View<'_, D>>, Error> {
        Ok(Snapshot::new(self.volume().view(number)?))
    }

    /// Does something that commits, with everything that was counted written down.
    async fn whole<T>(
        &self,
        what: impl AsyncFnOnce(&capos_store::Volume<D>) -> Result<T, StoreError>,
    ) -> Result<T, Error> {
        let _turn = self.begin().await?;
        self.put_counters().await?;
        Ok(what(self.volume()).await?)
    }
}
