//! The records of a volume, as schema/volume_records.capnp says. Bytes from a disk are anybody's: what makes no sense is [`Error::Corrupt`].

mod flat;
mod object;
mod stretch;

pub use object::{Kind, OBJECT_BYTES, Object};
pub(crate) use stretch::STRETCH_BLOCKS;
pub use stretch::{STRETCH, STRETCH_BYTES, Stretch};

use crate::error::Error;
use crate::key::ObjectId;
use flat::{data, join, root, split};

/// Of these records.
pub const VERSION: u32 = 2;
/// Of those in which domains did not count names.
const UNCOUNTED: u64 = 1;
/// Most bytes of a record.
pub const MAX_RECORD: usize = STRETCH_BYTES;

/// Where the volume's numbers go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VolumeRecord {
    /// The number of the next object.
    pub next: u64,
    /// How many objects there are.
    pub objects: u64,
    /// How often blobs were collected.
    pub collection: u64,
    /// Domains count names, as they do since version 2.
    pub counts_names: bool,
}

impl VolumeRecord {
    /// As bytes.
    pub fn encode(&self) -> [u8; 40] {
        let version = if self.counts_names { VERSION.into() } else { UNCOUNTED };
        join([root(4, 0), version, self.next, self.objects, self.collection])
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Version` for those of another format.
    pub fn decode(bytes: &[u8]) -> Result<VolumeRecord, Error> {
        let [_, version, next, objects, collection] = data(bytes).map_err(|_| Error::Version)?;
        let counts_names = version == u64::from(VERSION);
        if !counts_names && version != UNCOUNTED {
            return Err(Error::Version);
        }
        Ok(VolumeRecord { next, objects, collection, counts_names })
    }
}

/// What a name leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What kind of object.
    pub kind: Kind,
    /// Which.
    pub object: ObjectId,
}

impl Entry {
    /// As bytes.
    pub fn encode(&self) -> [u8; 24] {
        join([root(2, 0), self.kind as u64, self.object.0])
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Entry, Error> {
        let [_, kind, object] = data(bytes)?;
        Ok(Entry { kind: Kind::from_number(kind).ok_or(Error::Corrupt)?, object: ObjectId(object) })
    }
}

/// The hash of a blob, and whether it was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash {
    /// In which collection it was last seen to be named, or put.
    pub mark: u64,
    /// SHA-256.
    pub hash: [u8; 32],
}

/// A list pointer to 32 bytes right behind it.
const HASH_LIST: u64 = 1 | 2 << 32 | 32 << 35;

impl Hash {
    /// As bytes.
    pub fn encode(&self) -> [u8; 56] {
        let (words, _) = self.hash.as_chunks::<8>();
        let mut all = [root(1, 1), self.mark, HASH_LIST, 0, 0, 0, 0];
        for (to, from) in all.iter_mut().skip(3).zip(words) {
            *to = u64::from_le_bytes(*from);
        }
        join(all)
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Hash, Error> {
        let [pointer, mark, list, words @ ..] = split::<7>(bytes)?;
        if pointer != root(1, 1) || list != HASH_LIST {
            return Err(Error::Corrupt);
        }
        Ok(Hash { mark, hash: join(words) })
    }
}

/// What a domain uses, and the most that it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Domain {
    /// Blocks of files and blobs.
    pub blocks: u64,
    /// Objects.
    pub objects: u64,
    /// The most of these; 0 is no limit.
    pub blocks_most: u64,
    /// The most of those, and of names; 0 is no limit.
    pub objects_most: u64,
    /// Names in its directories and namespaces.
    pub names: u64,
}

impl Domain {
    /// As bytes.
    pub fn encode(&self) -> [u8; 48] {
        join([root(5, 0), self.blocks, self.objects, self.blocks_most, self.objects_most, self.names])
    }

    /// From bytes. Version 1 had no word for names.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Domain, Error> {
        let (names, [_, blocks, objects, blocks_most, objects_most]) = match data(bytes) {
            Ok(words) => (0, words),
            Err(_) => {
                let [pointer, rest @ .., names] = data::<6>(bytes)?;
                let [blocks, objects, blocks_most, objects_most] = rest;
                (names, [pointer, blocks, objects, blocks_most, objects_most])
            }
        };
        Ok(Domain { blocks, objects, blocks_most, objects_most, names })
    }
}

/// What is to go of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Orphan {
    /// All of it.
    Whole,
    /// The stretches from this one on.
    From(u64),
}

impl Orphan {
    /// As bytes.
    pub fn encode(&self) -> [u8; 24] {
        match *self {
            Orphan::Whole => join([root(2, 0), 1, 0]),
            Orphan::From(first) => join([root(2, 0), 0, first]),
        }
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Orphan, Error> {
        match data(bytes)? {
            [_, 1, 0] => Ok(Orphan::Whole),
            [_, 0, first] => Ok(Orphan::From(first)),
            _ => Err(Error::Corrupt),
        }
    }
}

/// Which object is the blob of a hash.
pub fn encode_blob(object: ObjectId) -> [u8; 16] {
    join([root(1, 0), object.0])
}

/// The same from bytes.
///
/// # Errors
/// `Corrupt`.
pub fn decode_blob(bytes: &[u8]) -> Result<ObjectId, Error> {
    let [_, object] = data(bytes)?;
    Ok(ObjectId(object))
}
