//! Snapshots: everything as it was, to be read; and growing, which like them is for the volume as a whole.

use alloc::vec::Vec;

use capos_store::Disk;

use crate::error::Error;
use crate::fs::Fs;
use crate::key::ObjectId;
use crate::look::{self, Listing, Run};
use crate::name::Name;
use crate::note::Note;
use crate::record::{Entry, Object};
use crate::source::Source;
use crate::time::Stamp;
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
        self.whole(async |volume| Ok(volume.snapshot(note).await?)).await
    }

    /// Keeps everything as it is now under a name, by which [`Fs::snapshots`] knows it. Its number.
    ///
    /// # Errors
    /// `Name`, `Exists`, and what the volume says.
    pub async fn keep(&self, name: &str, now: Stamp) -> Result<u64, Error> {
        let note = Note::new(name, now)?.encode();
        self.whole(async |volume| match self.named(name) {
            Some(_) => Err(Error::Exists),
            None => Ok(volume.snapshot(&note).await?),
        })
        .await
    }

    /// The numbers and notes of those that have names and are not being deleted.
    pub fn snapshots(&self) -> Vec<(u64, Note)> {
        let all = self.volume().snapshots().into_iter().filter(|snapshot| !snapshot.deleting);
        all.filter_map(|snapshot| Some((snapshot.id, Note::of(&snapshot)?))).collect()
    }

    /// The number of the snapshot that has a name.
    pub fn named(&self, name: &str) -> Option<u64> {
        self.snapshots().iter().find(|(_, note)| note.name == name).map(|(number, _)| *number)
    }

    /// Gives back the room that only a snapshot holds, in steps, with others waiting meanwhile.
    ///
    /// # Errors
    /// What the volume says; it may be called again.
    pub async fn delete_snapshot(&self, number: u64) -> Result<(), Error> {
        self.whole(async |volume| Ok(volume.delete_snapshot(number).await?)).await
    }

    /// Ends the deletions that a crash interrupted.
    ///
    /// # Errors
    /// What the volume says; it may be called again.
    pub async fn tidy_snapshots(&self) -> Result<(), Error> {
        for snapshot in self.volume().snapshots().iter().filter(|snapshot| snapshot.deleting) {
            self.delete_snapshot(snapshot.id).await?;
        }
        Ok(())
    }

    /// Takes what the disk has become larger by.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn grow(&self) -> Result<(), Error> {
        self.whole(async |volume| Ok(volume.grow(None).await?)).await
    }

    /// A snapshot, to be read.
    ///
    /// # Errors
    /// `Volume(NoSnapshot)`.
    pub fn open_snapshot(&self, number: u64) -> Result<Snapshot<capos_store::View<'_, D>>, Error> {
        Ok(Snapshot::new(self.volume().view(number)?))
    }

    /// What there is now, or was when a snapshot was made.
    ///
    /// # Errors
    /// `Volume(NoSnapshot)`.
    pub fn source(&self, snapshot: Option<u64>) -> Result<Source<'_, D>, Error> {
        let Some(number) = snapshot else { return Ok(Source::Now(self)) };
        Ok(Source::Then(self.open_snapshot(number)?))
    }

    /// Does something that commits, with everything that was counted written down.
    async fn whole<T>(
        &self,
        what: impl AsyncFnOnce(&capos_store::Volume<D>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _turn = self.begin().await?;
        self.put_counters().await?;
        what(self.volume()).await
    }
}
