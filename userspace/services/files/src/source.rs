//! What is read: the volume as it is, or as a snapshot keeps it.

use crate::disk::Blocks;
use crate::mounted::Files;
use crate::server::refused;
use capos_fs::{Entry, Listing, Object, ObjectId, Run, Snapshot};
use capos_store::View;
use rt::Exception;

/// One of both.
pub enum Source<'a> {
    /// As it is.
    Now(&'a Files),
    /// As it was.
    Then(Snapshot<View<'a, Blocks>>),
}

impl Source<'_> {
    pub async fn stat(&self, id: ObjectId) -> Result<Object, Exception> {
        match self {
            Source::Now(files) => files.stat(id).await,
            Source::Then(past) => past.stat(id).await,
        }
        .map_err(refused)
    }

    pub async fn lookup(&self, id: ObjectId, name: &str) -> Result<Entry, Exception> {
        match self {
            Source::Now(files) => files.lookup(id, name.as_bytes()).await,
            Source::Then(past) => past.lookup(id, name.as_bytes()).await,
        }
        .map_err(refused)
    }

    pub async fn list(&self, id: ObjectId, after: &str, most: usize) -> Result<Listing, Exception> {
        match self {
            Source::Now(files) => files.list(id, after.as_bytes(), most).await,
            Source::Then(past) => past.list(id, after.as_bytes(), most).await,
        }
        .map_err(refused)
    }

    pub async fn read(&self, id: ObjectId, offset: u64, to: &mut [u8]) -> Result<usize, Exception> {
        match self {
            Source::Now(files) => files.read(id, offset, to).await,
            Source::Then(past) => past.read(id, offset, to).await,
        }
        .map_err(refused)
    }

    pub async fn run(&self, id: ObjectId, offset: u64) -> Result<Option<Run>, Exception> {
        match self {
            Source::Now(files) => files.run(id, offset).await,
            Source::Then(past) => past.run(id, offset).await,
        }
        .map_err(refused)
    }

    /// A blob, which is held if that can be.
    pub async fn get_blob(&self, hash: &[u8; 32]) -> Result<ObjectId, Exception> {
        match self {
            Source::Now(files) => files.get_blob(hash).await,
            Source::Then(past) => past.blob(hash).await,
        }
        .map_err(refused)
    }

    pub async fn blob_hash(&self, id: ObjectId) -> Result<[u8; 32], Exception> {
        match self {
            Source::Now(files) => files.blob_hash(id).await,
            Source::Then(past) => past.blob_hash(id).await,
        }
        .map_err(refused)
    }
}
