//! The keys of records: where in the volume's tree something is.
//!
//! A key begins with the number of the object and a byte that says what of it, so that everything of an object is together, and numbers are
//! written with the high byte first, so that the order of keys is that of numbers. Object 0 is the volume itself.

use crate::name::{MAX_NAME, Name};

/// The number of an object. None is given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ObjectId(pub u64);

impl ObjectId {
    /// The volume itself.
    pub const VOLUME: ObjectId = ObjectId(0);
    /// The namespace in which everything begins.
    pub const ROOT: ObjectId = ObjectId(1);
}

/// Most bytes of a key: an entry with the longest name.
pub const MAX_KEY: usize = 9 + MAX_NAME;

/// What of an object a record is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Part {
    /// What it is; of the volume, where its numbers go on.
    Object = 0,
    /// A name in it.
    Entry = 1,
    /// Where some of its blocks are.
    Stretch = 2,
    /// Of a blob: its hash.
    Hash = 3,
    /// Of the volume: a domain's quota.
    Domain = 4,
    /// Of the volume: an object of which something is to go.
    Orphan = 5,
    /// Of the volume: which object is the blob of a hash.
    Blob = 6,
}

/// The key of an entry, in place. Those of other records have one length each.
#[derive(Clone, Copy)]
pub struct EntryKey {
    bytes: [u8; MAX_KEY + 1],
    length: usize,
}

impl EntryKey {
    /// Of a name.
    pub fn new(directory: ObjectId, name: Name<'_>) -> EntryKey {
        let mut bytes = [0; MAX_KEY + 1];
        let length = fill(&mut bytes, directory, Part::Entry, name.bytes());
        EntryKey { bytes, length }
    }

    /// The first that can be behind a name; behind nothing, the first of all.
    pub fn behind(directory: ObjectId, name: &[u8]) -> EntryKey {
        let mut bytes = [0; MAX_KEY + 1];
        let length = fill(&mut bytes, directory, Part::Entry, name);
        // No name has a NUL, so nothing is between.
        let more = usize::from(!name.is_empty());
        EntryKey { bytes, length: length.saturating_add(more).min(MAX_KEY + 1) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// The record of an object.
pub fn object(object: ObjectId) -> [u8; 9] {
    fixed(object, Part::Object, &[])
}

/// Where the blocks of a stretch are.
pub fn stretch(object: ObjectId, number: u64) -> [u8; 17] {
    fixed(object, Part::Stretch, &number.to_be_bytes())
}

/// The hash of a blob.
pub fn hash(object: ObjectId) -> [u8; 9] {
    fixed(object, Part::Hash, &[])
}

/// Who is the blob of a hash.
pub fn blob(hash: &[u8; 32]) -> [u8; 41] {
    fixed(ObjectId::VOLUME, Part::Blob, hash)
}

/// The quota of a domain.
pub fn domain(domain: u32) -> [u8; 13] {
    fixed(ObjectId::VOLUME, Part::Domain, &domain.to_be_bytes())
}

/// What is to go of an object.
pub fn orphan(object: ObjectId) -> [u8; 17] {
    fixed(ObjectId::VOLUME, Part::Orphan, &object.0.to_be_bytes())
}

fn fixed<const N: usize>(object: ObjectId, part: Part, rest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes, object, part, rest);
    bytes
}

/// Writes a key, of whose end no more counts than fits, and tells its length.
fn fill(bytes: &mut [u8], object: ObjectId, part: Part, rest: &[u8]) -> usize {
    let Some((prefix, tail)) = bytes.split_first_chunk_mut::<9>() else { return 0 };
    let [number @ .., kind] = prefix;
    *number = object.0.to_be_bytes();
    *kind = part as u8;
    let length = rest.len().min(tail.len());
    if let (Some(to), Some(from)) = (tail.get_mut(..length), rest.get(..length)) {
        to.copy_from_slice(from);
    }
    length.saturating_add(9)
}

/// A key taken apart: whose, which part, and what follows. `None` for bytes that are no key.
pub fn parse(key: &[u8]) -> Option<(ObjectId, Part, &[u8])> {
    let (object, rest) = key.split_first_chunk::<8>()?;
    let (&part, rest) = rest.split_first()?;
    let part = match part {
        0 => Part::Object,
        1 => Part::Entry,
        2 => Part::Stretch,
        3 => Part::Hash,
        4 => Part::Domain,
        5 => Part::Orphan,
        6 => Part::Blob,
        _ => return None,
    };
    Some((ObjectId(u64::from_be_bytes(*object)), part, rest))
}

/// The number that follows in a key of a stretch or an orphan.
pub fn number(rest: &[u8]) -> Option<u64> {
    rest.try_into().ok().map(u64::from_be_bytes)
}
