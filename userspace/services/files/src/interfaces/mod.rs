//! Each interface, for one call.

mod blob;
mod common;
mod directory;
mod file;
mod list;
mod namespace;
mod store;
mod volume;

use crate::thing::{Bytes, Names};
use alloc::rc::Rc;
use capos_fs::{Creation, Kind, Stamp, TimeSource};
use rt::schema::directory::{Creation as WireCreation, EntryKind};
use rt::schema::file::TimeSource as WireSource;

/// A namespace is called.
pub struct Namespace(pub Names);
/// A directory is.
pub struct Directory(pub Names);
/// A file is.
pub struct File(pub Rc<Bytes>);
/// A blob is.
pub struct Blob(pub Rc<Bytes>);
/// The store is.
pub struct Store {
    /// Perhaps to get blobs only.
    pub writable: bool,
    /// The snapshot that it is of.
    pub at: Option<u64>,
}
/// The volume is.
pub struct Whole;

fn creation(wire: WireCreation) -> Creation {
    match wire {
        WireCreation::Existing => Creation::Existing,
        WireCreation::Missing => Creation::Missing,
        WireCreation::Always => Creation::Always,
    }
}

fn kind(kind: Kind) -> EntryKind {
    match kind {
        Kind::File => EntryKind::File,
        Kind::Directory => EntryKind::Directory,
        Kind::Blob => EntryKind::Blob,
        Kind::Namespace => EntryKind::Namespace,
    }
}

fn source(stamp: Stamp) -> WireSource {
    match stamp.source {
        TimeSource::Unknown => WireSource::Unknown,
        TimeSource::Firmware => WireSource::Firmware,
        TimeSource::Rtc => WireSource::Rtc,
        TimeSource::Host => WireSource::Host,
    }
}
