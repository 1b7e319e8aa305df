//! What can be wrong.

use core::fmt;

use crate::error::NameFault;
use crate::key::{ObjectId, Part};
use crate::record::Kind;

/// Something that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// About which object; [`ObjectId::VOLUME`] for the volume itself.
    pub object: ObjectId,
    /// What.
    pub fault: Fault,
}

/// What is wrong with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is a record whose key nobody knows.
    Key,
    /// A record does not say what its key promises.
    Record(Part),
    /// Its record is missing, and there are others of it.
    Missing,
    /// It has records of a part that its kind does not have.
    Foreign(Kind, Part),
    /// A name in it is none.
    Name(NameFault),
    /// A name in it leads to an object that there is not.
    Dangling(ObjectId),
    /// A name in it says that an object is of another kind than it is, or that it cannot name.
    EntryKind(ObjectId, Kind),
    /// It has so many names, and says another number.
    Links {
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
    /// It has so many entries, and says another number.
    Entries {
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
    /// So many blocks are stored, and it says another number.
    Blocks {
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
    /// A block is stored behind its end, and nobody is removing it.
    Behind(u64),
    /// It is a directory, and says that it is in another than the one that names it.
    Parent {
        /// The one that names it.
        found: ObjectId,
        /// What it says.
        said: ObjectId,
    },
    /// It has no name, and is not to be removed.
    Nameless,
    /// It is a directory that cannot be reached from the root.
    Ring,
    /// It is a directory from which the way up is longer than anybody looks.
    Far,
    /// It is to be removed, and is not there or has a name.
    Orphan,
    /// It is a blob, and its hash does not lead to it.
    Unindexed,
    /// A hash leads to it, and it is no blob of that hash.
    Index,
    /// Its number is to be given to the next object, or a later one.
    Number,
    /// The root is no namespace.
    Root,
    /// A domain counts another number of blocks than there are.
    DomainBlocks {
        /// Which.
        domain: u32,
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
    /// A domain counts another number of objects than there are.
    DomainObjects {
        /// Which.
        domain: u32,
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
    /// A domain counts another number of names in its directories and namespaces than there are.
    DomainNames {
        /// Which.
        domain: u32,
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
    /// The volume counts another number of objects than there are.
    Objects {
        /// Those that were found.
        found: u64,
        /// What it says.
        said: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object {
            ObjectId::VOLUME => write!(f, "volume: ")?,
            ObjectId(number) => write!(f, "object {number}: ")?,
        }
        match self.fault {
            Fault::Key => write!(f, "a record has a key that nobody knows"),
            Fault::Record(part) => write!(f, "a record makes no sense ({part:?})"),
            Fault::Missing => write!(f, "it has records, and is not there"),
            Fault::Foreign(kind, part) => write!(f, "a {kind:?} has no records of this kind ({part:?})"),
            Fault::Name(fault) => write!(f, "a name in it is none ({fault:?})"),
            Fault::Dangling(to) => write!(f, "a name in it leads to object {}, which there is not", to.0),
            Fault::EntryKind(to, kind) => write!(f, "a name in it takes object {} for a {kind:?}", to.0),
            Fault::Links { found, said } => write!(f, "it has {found} names and says {said}"),
            Fault::Entries { found, said } => write!(f, "it has {found} entries and says {said}"),
            Fault::Blocks { found, said } => write!(f, "{found} blocks of it are stored and it says {said}"),
            Fault::Behind(block) => write!(f, "its block {block} is stored behind its end"),
            Fault::Parent { found, said } => {
                write!(f, "it is in object {} and says that it is in {}", found.0, said.0)
            }
            Fault::Nameless => write!(f, "it has no name, and is not to be removed"),
            Fault::Ring => write!(f, "it cannot be reached from the root"),
            Fault::Far => write!(f, "it is too far below the root to be looked at"),
            Fault::Orphan => write!(f, "it is to be removed, and is not there or has a name"),
            Fault::Unindexed => write!(f, "its hash does not lead to it"),
            Fault::Index => write!(f, "a hash leads to it that is not its own"),
            Fault::Number => write!(f, "its number is to be given again"),
            Fault::Root => write!(f, "it is the root, and no namespace"),
            Fault::DomainBlocks { domain, found, said } => {
                write!(f, "domain {domain} has {found} blocks and says {said}")
            }
            Fault::DomainObjects { domain, found, said } => {
                write!(f, "domain {domain} has {found} objects and says {said}")
            }
            Fault::DomainNames { domain, found, said } => {
                write!(f, "domain {domain} has {found} names and says {said}")
            }
            Fault::Objects { found, said } => write!(f, "there are {found} objects and it says {said}"),
        }
    }
}
