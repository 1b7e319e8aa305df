//! What can be read of a state of a volume, be it what is there now or a snapshot.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::key::{self, EntryKey, MAX_KEY, ObjectId, Part};
use crate::name::Name;
use crate::record::{
    self, Entry, Hash, Kind, MAX_RECORD, OBJECT_BYTES, Object, STRETCH, STRETCH_BLOCKS, Stretch,
};
use crate::time::Stamp;
use crate::volume::View;
use capos_store::{BLOCK, Pointer};

/// Bytes of a block, as files count them.
pub(crate) const BLOCK_BYTES: u64 = BLOCK as u64;
/// Bytes that one record tells of.
pub(crate) const STRETCH_SIZE: u64 = BLOCK_BYTES * STRETCH_BLOCKS;

/// A record that was found.
pub(crate) struct Record {
    key: [u8; MAX_KEY],
    value: [u8; MAX_RECORD],
    found: (usize, usize),
}

impl Record {
    pub(crate) fn key(&self) -> &[u8] {
        self.key.get(..self.found.0).unwrap_or_default()
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.value.get(..self.found.1).unwrap_or_default()
    }

    /// Its key, taken apart.
    pub(crate) fn parse(&self) -> Option<(ObjectId, Part, &[u8])> {
        key::parse(self.key())
    }
}

/// The first record at or behind a key.
pub(crate) async fn next(view: &impl View, from: &[u8]) -> Result<Option<Record>, Error> {
    let (mut key, mut value) = ([0; MAX_KEY], [0; MAX_RECORD]);
    let found = view.next(from, &mut key, &mut value).await?;
    Ok(found.map(|found| Record { key, value, found }))
}

/// The record of an object.
pub(crate) async fn object(view: &impl View, id: ObjectId) -> Result<Object, Error> {
    let mut value = [0; OBJECT_BYTES];
    // The volume's own record is another.
    if id == ObjectId::VOLUME {
        return Err(Error::NotFound);
    }
    let length = view.get(&key::object(id), &mut value).await?.ok_or(Error::NotFound)?;
    Object::decode(value.get(..length).unwrap_or_default())
}

/// What has names in it.
pub(crate) async fn names(view: &impl View, id: ObjectId) -> Result<Object, Error> {
    let object = object(view, id).await?;
    if object.kind.has_names() { Ok(object) } else { Err(Error::Kind) }
}

/// What has bytes in it.
pub(crate) async fn bytes(view: &impl View, id: ObjectId) -> Result<Object, Error> {
    let object = object(view, id).await?;
    if object.kind.has_names() { Err(Error::Kind) } else { Ok(object) }
}

/// What a name leads to.
pub(crate) async fn entry(
    view: &impl View,
    directory: ObjectId,
    name: Name<'_>,
) -> Result<Option<Entry>, Error> {
    let mut value = [0; OBJECT_BYTES];
    let Some(length) = view.get(EntryKey::new(directory, name).bytes(), &mut value).await? else {
        return Ok(None);
    };
    Entry::decode(value.get(..length).unwrap_or_default()).map(Some)
}

/// Which object is the blob of a hash.
pub(crate) async fn blob(view: &impl View, hash: &[u8; 32]) -> Result<Option<ObjectId>, Error> {
    let mut value = [0; OBJECT_BYTES];
    let length = view.get(&key::blob(hash), &mut value).await?;
    length.map(|length| record::decode_blob(value.get(..length).unwrap_or_default())).transpose()
}

/// Where the blocks of a stretch are.
pub(crate) async fn stretch(view: &impl View, id: ObjectId, number: u64) -> Result<Stretch, Error> {
    let mut value = [0; MAX_RECORD];
    match view.get(&key::stretch(id, number), &mut value).await? {
        None => Ok(Stretch::EMPTY),
        Some(length) => Stretch::decode(value.get(..length).unwrap_or_default()),
    }
}

/// The first stretch of a file at or behind `number` that is no hole.
pub(crate) async fn next_stretch(
    view: &impl View,
    id: ObjectId,
    number: u64,
) -> Result<Option<(u64, Stretch)>, Error> {
    let Some(found) = next(view, &key::stretch(id, number)).await? else { return Ok(None) };
    match found.parse() {
        Some((object, Part::Stretch, rest)) if object == id => {
            let number = key::number(rest).ok_or(Error::Corrupt)?;
            Ok(Some((number, Stretch::decode(found.value())?)))
        }
        _ => Ok(None),
    }
}

/// Reads bytes of a file or blob; how many there were.
pub(crate) async fn read(
    view: &impl View,
    id: ObjectId,
    mut offset: u64,
    to: &mut [u8],
) -> Result<usize, Error> {
    let object = bytes(view, id).await?;
    let there = usize::try_from(object.size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let Some(mut rest) = to.get_mut(..there.min(to.len())) else { return Ok(0) };
    let total = rest.len();
    while !rest.is_empty() {
        let number = offset / STRETCH_SIZE;
        let pointers = stretch(view, id, number).await?.0;
        let end = number.saturating_add(1).saturating_mul(STRETCH_SIZE);
        let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(rest.len());
        let Some((to, behind)) = rest.split_at_mut_checked(length) else { break };
        read_stretch(view, &pointers, offset, to).await?;
        offset = offset.saturating_add(length as u64);
        rest = behind;
    }
    Ok(total)
}

/// Reads bytes that are all in one stretch: whole blocks to where they are wanted, parts of blocks by way of another place.
async fn read_stretch(
    view: &impl View,
    pointers: &[Pointer; STRETCH],
    mut offset: u64,
    mut to: &mut [u8],
) -> Result<(), Error> {
    while !to.is_empty() {
        let index = (offset / BLOCK_BYTES % STRETCH_BLOCKS) as usize;
        let within = (offset % BLOCK_BYTES) as usize;
        let whole = if within == 0 { to.len() / BLOCK } else { 0 };
        let length =
            if whole > 0 { whole.saturating_mul(BLOCK) } else { to.len().min(BLOCK.saturating_sub(within)) };
        let pointers = pointers.get(index..).and_then(|rest| rest.get(..whole.max(1))).ok_or(Error::Range)?;
        let (part, behind) = to.split_at_mut_checked(length).ok_or(Error::Range)?;
        if whole > 0 {
            view.read_data(pointers, part).await?;
        } else {
            let mut block = Box::new([0; BLOCK]);
            view.read_data(pointers, &mut *block).await?;
            part.copy_from_slice(block.get(within..).and_then(|rest| rest.get(..length)).unwrap_or_default());
        }
        offset = offset.saturating_add(length as u64);
        to = behind;
    }
    Ok(())
}

/// Stored bytes without a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where they begin.
    pub start: u64,
    /// How many there are.
    pub length: u64,
}

/// The first run at or behind `offset`, as far as one record tells of it.
pub(crate) async fn run(view: &impl View, id: ObjectId, offset: u64) -> Result<Option<Run>, Error> {
    let object = bytes(view, id).await?;
    let mut first = offset / BLOCK_BYTES;
    loop {
        let Some((number, stretch)) = next_stretch(view, id, first / STRETCH_BLOCKS).await? else {
            return Ok(None);
        };
        let begin = number.saturating_mul(STRETCH_BLOCKS);
        let skip = usize::try_from(first.saturating_sub(begin)).unwrap_or(STRETCH);
        let stored = |pointer: &Pointer| *pointer != Pointer::NONE;
        let mut rest = stretch.0.iter().enumerate().skip(skip).skip_while(|(_, pointer)| !stored(pointer));
        if let Some((at, _)) = rest.next() {
            let count = rest.take_while(|(_, pointer)| stored(pointer)).count().saturating_add(1);
            let start = begin.saturating_add(at as u64).saturating_mul(BLOCK_BYTES);
            let end = start.saturating_add((count as u64).saturating_mul(BLOCK_BYTES)).min(object.size);
            let start = start.max(offset);
            // Blocks behind the end are being removed.
            return Ok((start < end).then(|| Run { start, length: end.saturating_sub(start) }));
        }
        first = begin.saturating_add(STRETCH_BLOCKS);
    }
}

/// A name, and what is known of what it leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// What it leads to.
    pub entry: Entry,
    /// Bytes or entries.
    pub size: u64,
    /// When these last changed.
    pub modified: Stamp,
}

/// Some of the names of a directory or namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// In the order of their bytes.
    pub entries: Vec<Listed>,
    /// No more follow.
    pub end: bool,
}

/// Up to `most` names behind `after`.
pub(crate) async fn list(
    view: &impl View,
    id: ObjectId,
    after: &[u8],
    most: usize,
) -> Result<Listing, Error> {
    names(view, id).await?;
    let mut entries = Vec::new();
    let mut from = EntryKey::behind(id, after);
    while entries.len() < most {
        let Some((name, entry)) = next_entry(view, id, from.bytes()).await? else {
            return Ok(Listing { entries, end: true });
        };
        from = EntryKey::behind(id, name.as_bytes());
        let object = object(view, entry.object).await.map_err(missing)?;
        entries.push(Listed { name, entry, size: object.size, modified: object.modified });
    }
    Ok(Listing { entries, end: false })
}

/// The first entry at or behind a key.
pub(crate) async fn next_entry(
    view: &impl View,
    id: ObjectId,
    from: &[u8],
) -> Result<Option<(String, Entry)>, Error> {
    let Some(found) = next(view, from).await? else { return Ok(None) };
    match found.parse() {
        Some((object, Part::Entry, rest)) if object == id => {
            let name = Name::new(rest).map_err(|_| Error::Corrupt)?;
            Ok(Some((name.text().into(), Entry::decode(found.value())?)))
        }
        _ => Ok(None),
    }
}

/// What a blob is known by.
pub(crate) async fn hash(view: &impl View, blob: ObjectId) -> Result<Hash, Error> {
    let mut value = [0; MAX_RECORD];
    let length = view.get(&key::hash(blob), &mut value).await?.ok_or(Error::Corrupt)?;
    Hash::decode(value.get(..length).unwrap_or_default())
}

/// The hash of an object that has to be a blob.
pub(crate) async fn blob_hash(view: &impl View, id: ObjectId) -> Result<[u8; 32], Error> {
    if object(view, id).await?.kind != Kind::Blob {
        return Err(Error::Kind);
    }
    Ok(hash(view, id).await?.hash)
}

/// What a name leads to has to be there.
pub(crate) const fn missing(error: Error) -> Error {
    if matches!(error, Error::NotFound) { Error::Corrupt } else { error }
}

/// Whether `id` is `above`, or below it.
pub(crate) async fn is_below(view: &impl View, mut id: ObjectId, above: ObjectId) -> Result<bool, Error> {
    // A disk may have a ring: every so often it is noted where we are, and nobody comes there again (Brent).
    let (mut noted, mut steps, mut limit) = (ObjectId::VOLUME, 0u64, 1u64);
    while id != ObjectId::VOLUME {
        if id == above {
            return Ok(true);
        }
        if id == noted {
            return Err(Error::Corrupt);
        }
        steps = steps.saturating_add(1);
        if steps == limit {
            (noted, steps, limit) = (id, 0, limit.saturating_mul(2));
        }
        id = names(view, id).await.map_err(missing)?.parent;
    }
    Ok(false)
}

/// Kinds that a name can be used as.
pub(crate) fn expect(entry: Entry, kind: Kind) -> Result<Entry, Error> {
    if entry.kind == kind { Ok(entry) } else { Err(Error::Kind) }
}
