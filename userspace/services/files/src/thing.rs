//! What facets stand for.

use alloc::rc::Rc;
use capos_fs::{BlobWriter, ObjectId};
use core::cell::RefCell;
use kit::memory::Memory;

/// A directory or namespace.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Which.
    pub id: ObjectId,
    /// What is below may be changed through it.
    pub writable: bool,
    /// The snapshot that it is of; none for what is there now.
    pub at: Option<u64>,
}

/// A file or blob, through one facet.
pub struct Bytes {
    /// Which.
    pub id: ObjectId,
    /// It may be changed through it.
    pub writable: bool,
    /// The snapshot that it is of; none for what is there now.
    pub at: Option<u64>,
    /// What was attached to the facet.
    pub memory: Memory,
}

/// A blob in the making.
pub struct Writer {
    /// None when it is finished.
    pub writer: RefCell<Option<BlobWriter>>,
    /// What was attached to the facet.
    pub memory: Memory,
}

/// One of them.
#[derive(Clone)]
pub enum Thing {
    /// All of it.
    Volume,
    /// A namespace.
    Namespace(Names),
    /// A directory.
    Directory(Names),
    /// A file.
    File(Rc<Bytes>),
    /// A blob.
    Blob(Rc<Bytes>),
    /// The store, perhaps to get blobs only, and those of a snapshot.
    Store(bool, Option<u64>),
    /// A blob in the making.
    Writer(Rc<Writer>),
}

impl Thing {
    /// The snapshot that it is of.
    pub fn at(&self) -> Option<u64> {
        match self {
            Thing::Namespace(names) | Thing::Directory(names) => names.at,
            Thing::File(bytes) | Thing::Blob(bytes) => bytes.at,
            Thing::Store(_, at) => *at,
            Thing::Volume | Thing::Writer(_) => None,
        }
    }

    /// What it holds, to be released when it goes.
    pub fn held(&self) -> Option<ObjectId> {
        match self {
            _ if self.at().is_some() => None,
            Thing::Namespace(names) | Thing::Directory(names) => Some(names.id),
            Thing::File(bytes) | Thing::Blob(bytes) => Some(bytes.id),
            Thing::Volume | Thing::Store(..) | Thing::Writer(_) => None,
        }
    }
}
