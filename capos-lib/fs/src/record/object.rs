//! What is known of an object.

use super::flat::{data, join, root};
use crate::error::Error;
use crate::key::ObjectId;
use crate::time::{Stamp, TimeSource};

/// What an object is. The numbers are on disks, and in `EntryKind` of schema/directory.capnp.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Bytes that change.
    File = 0,
    /// Names of files and directories.
    Directory = 1,
    /// Bytes that do not change.
    Blob = 2,
    /// Names of anything.
    Namespace = 3,
}

impl Kind {
    /// By its number.
    pub const fn from_number(number: u64) -> Option<Kind> {
        match number {
            0 => Some(Kind::File),
            1 => Some(Kind::Directory),
            2 => Some(Kind::Blob),
            3 => Some(Kind::Namespace),
            _ => None,
        }
    }

    /// Whether there are names in it.
    pub const fn has_names(self) -> bool {
        matches!(self, Kind::Directory | Kind::Namespace)
    }

    /// Whether a name in it may lead to `other`.
    pub const fn may_name(self, other: Kind) -> bool {
        match self {
            Kind::Namespace => true,
            Kind::Directory => matches!(other, Kind::File | Kind::Directory),
            Kind::File | Kind::Blob => false,
        }
    }
}

/// The record of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// How many names it has.
    pub links: u32,
    /// For whose quota it counts.
    pub domain: u32,
    /// Bytes or entries.
    pub size: u64,
    /// How many blocks are stored.
    pub blocks: u64,
    /// When it was made.
    pub created: Stamp,
    /// When its bytes or entries last changed.
    pub modified: Stamp,
    /// In which directory or namespace a directory or namespace is.
    pub parent: ObjectId,
}

/// Length of the record.
pub const OBJECT_BYTES: usize = 64;

impl Object {
    /// One that is new and has one name, in nothing.
    pub const fn new(kind: Kind, domain: u32, now: Stamp) -> Object {
        let parent = ObjectId::VOLUME;
        Object { kind, links: 1, domain, size: 0, blocks: 0, created: now, modified: now, parent }
    }

    /// As bytes.
    pub fn encode(&self) -> [u8; OBJECT_BYTES] {
        let kinds =
            self.kind as u64 | (self.created.source as u64) << 16 | (self.modified.source as u64) << 32;
        join([
            root(7, 0),
            kinds,
            u64::from(self.links) | u64::from(self.domain) << 32,
            self.size,
            self.blocks,
            self.created.ns,
            self.modified.ns,
            self.parent.0,
        ])
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Object, Error> {
        let [_, kinds, counts, size, blocks, created, modified, parent] = data(bytes)?;
        let [kind, created_source, modified_source, rest] = [0, 16, 32, 48].map(|at| kinds >> at & 0xffff);
        let source = |number: u64| TimeSource::from_number(number as u16).ok_or(Error::Corrupt);
        if rest != 0 {
            return Err(Error::Corrupt);
        }
        Ok(Object {
            kind: Kind::from_number(kind).ok_or(Error::Corrupt)?,
            links: counts as u32,
            domain: (counts >> 32) as u32,
            size,
            blocks,
            created: Stamp { ns: created, source: source(created_source)? },
            modified: Stamp { ns: modified, source: source(modified_source)? },
            parent: ObjectId(parent),
        })
    }
}
