//! What is read: the volume as it is, or as a snapshot keeps it.

use capos_store::{Disk, View, Volume};

use crate::error::Error;
use crate::fs::Fs;
use crate::key::ObjectId;
use crate::look::{Listing, Run};
use crate::record::{Entry, Object};
use crate::snapshot::Snapshot;

/// One of both. What it answers is what [`Fs`] answers now, or answered then.
pub enum Source<'a, D: Disk> {
    /// As it is.
    Now(&'a Fs<Volume<D>>),
    /// As it was.
    Then(Snapshot<View<'a, D>>),
}

impl<D: Disk> Source<'_, D> {
    /// What is known of an object.
    ///
    /// # Errors
    /// See [`Fs::stat`].
    pub async fn stat(&self, id: ObjectId) -> Result<Object, Error> {
        match self {
            Source::Now(files) => files.stat(id).await,
            Source::Then(past) => past.stat(id).await,
        }
    }

    /// What a name leads to.
    ///
    /// # Errors
    /// See [`Fs::lookup`].
    pub async fn lookup(&self, id: ObjectId, name: &[u8]) -> Result<Entry, Error> {
        match self {
            Source::Now(files) => files.lookup(id, name).await,
            Source::Then(past) => past.lookup(id, name).await,
        }
    }

    /// Some of the names.
    ///
    /// # Errors
    /// See [`Fs::list`].
    pub async fn list(&self, id: ObjectId, after: &[u8], most: usize) -> Result<Listing, Error> {
        match self {
            Source::Now(files) => files.list(id, after, most).await,
            Source::Then(past) => past.list(id, after, most).await,
        }
    }

    /// Reads bytes; how many there were.
    ///
    /// # Errors
    /// See [`Fs::read`].
    pub async fn read(&self, id: ObjectId, offset: u64, to: &mut [u8]) -> Result<usize, Error> {
        match self {
            Source::Now(files) => files.read(id, offset, to).await,
            Source::Then(past) => past.read(id, offset, to).await,
        }
    }

    /// The first run of stored bytes.
    ///
    /// # Errors
    /// See [`Fs::run`].
    pub async fn run(&self, id: ObjectId, offset: u64) -> Result<Option<Run>, Error> {
        match self {
            Source::Now(files) => files.run(id, offset).await,
            Source::Then(past) => past.run(id, offset).await,
        }
    }

    /// The blob of a hash, which is held if it can go.
    ///
    /// # Errors
    /// See [`Fs::get_blob`].
    pub async fn get_blob(&self, hash: &[u8; 32]) -> Result<ObjectId, Error> {
        match self {
            Source::Now(files) => files.get_blob(hash).await,
            Source::Then(past) => past.blob(hash).await,
        }
    }

    /// The hash of a blob.
    ///
    /// # Errors
    /// See [`Fs::blob_hash`].
    pub async fn blob_hash(&self, id: ObjectId) -> Result<[u8; 32], Error> {
        match self {
            Source::Now(files) => files.blob_hash(id).await,
            Source::Then(past) => past.blob_hash(id).await,
        }
    }
}
