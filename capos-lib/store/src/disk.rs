//! What a volume lies on.

use alloc::vec::Vec;
use core::fmt;
use core::future::Future;

/// Bytes of a block: what is read, written, checksummed and counted.
pub const BLOCK: usize = 4096;

/// Blocks that go to a disk one behind the other.
pub struct Write<'a> {
    /// Where the first one goes.
    pub first: u64,
    /// What they hold, in pieces of whole blocks.
    pub pieces: Vec<&'a [u8]>,
}

/// A device, a partition, an image. Writes are durable after a flush that began when they were done, and not before; until then any
/// of their sectors may be on it or not.
pub trait Disk {
    /// Its size in blocks.
    fn blocks(&self) -> u64;

    /// Reads whole blocks from `first` on.
    fn read(&self, first: u64, into: &mut [u8]) -> impl Future<Output = Result<(), DiskError>>;

    /// Writes pieces, each of whole blocks, one behind the other from block `first` on.
    fn write(&self, first: u64, pieces: &[&[u8]]) -> impl Future<Output = Result<(), DiskError>>;

    /// Makes durable what was written.
    fn flush(&self) -> impl Future<Output = Result<(), DiskError>>;

    /// Writes all of these, in any order, and makes durable what was written so far. If that fails, where, and why; any of it may be there then.
    fn write_durable(&self, writes: &[Write<'_>]) -> impl Future<Output = Result<(), (u64, DiskError)>> {
        async move {
            for Write { first, pieces } in writes {
                self.write(*first, pieces).await.map_err(|error| (*first, error))?;
            }
            self.flush().await.map_err(|error| (0, error))
        }
    }

    /// What lies in these blocks is not wanted any more. It may stay.
    fn discard(&self, first: u64, count: u64) -> impl Future<Output = Result<(), DiskError>>;
}

/// What a disk says when it does not do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskError {
    /// The medium does not give it back, or does not take it.
    Media,
    /// It has no space, although it said that it is so large.
    Full,
    /// It is read-only.
    ReadOnly,
    /// It is not so large.
    OutOfRange,
    /// It failed at this, in a way that says nothing of the medium. The rest of it may do.
    Failed,
    /// There is none any more.
    Gone,
    /// It had no power for a while: of what was written and not made durable before, some may be lost. What is written from now on is not.
    Lost,
}

impl fmt::Display for DiskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            DiskError::Media => "the medium failed",
            DiskError::Full => "the disk has no space",
            DiskError::ReadOnly => "the disk is read-only",
            DiskError::OutOfRange => "it lies beyond the disk",
            DiskError::Failed => "the disk failed at it",
            DiskError::Gone => "the disk is gone",
            DiskError::Lost => "the disk was without power, and what was not durable may be lost",
        })
    }
}

impl core::error::Error for DiskError {}
