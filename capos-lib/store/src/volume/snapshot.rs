//! Snapshots: what a commit had, kept.
//!
//! A snapshot is the root of the tree of its commit. What is freed later and was born before goes to a record of dead blocks, under
//! the number of the commit in which it died. So a dead block is needed by the snapshots from its birth on up to its death; when one of them
//! goes, what died between it and the next one, and was born after the one before it, is not needed any more (as in ZFS, whose lists
//! belong to snapshots; these have nothing to hand on when one goes).

use super::Volume;
use super::core::{Dead, Need};
use crate::disk::Disk;
use crate::error::{Fault, StoreError};
use crate::generated::disk_superblock_capnp as message;
use crate::node::{KEY_MAX, VALUE_MAX};
use crate::superblock::{set_tree, tree};
use crate::tree::{Change, Root, Tree};
use alloc::vec::Vec;
use capnp::Word;
use capnp::message::{Builder, HeapAllocator, ReaderOptions};
use capnp::serialize::{read_message_from_flat_slice, write_message_to_words};

/// Most snapshots of a volume.
pub const SNAPSHOTS_MAX: usize = 1024;
/// Longest note of a snapshot.
pub const NOTE_MAX: usize = 256;
/// First byte of keys of snapshots.
const SNAPSHOT: u8 = 0;
/// First byte of keys of dead blocks.
pub const DEAD: u8 = 1;
/// Bytes of a dead block in a record: address, birth.
const DEAD_BYTES: usize = 16;
/// Records of dead blocks that are looked at between commits.
const STEP: usize = 64;

/// A snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The number of its commit.
    pub id: u64,
    /// It is being deleted. [`Volume::delete_snapshot`] goes on with that.
    pub deleting: bool,
    /// Of whoever took it.
    pub note: Vec<u8>,
    pub(crate) root: Root,
}

/// What a step of deleting a snapshot found.
struct Step {
    /// Records, and what they are to hold now.
    records: Vec<(Vec<u8>, Vec<u8>)>,
    /// Blocks that nobody needs.
    free: Vec<u64>,
    /// Where to go on.
    next: Option<Vec<u8>>,
}

impl<D: Disk> Volume<D> {
    /// Commits, and keeps what there is then. Gives the snapshot's number.
    pub async fn snapshot(&self, note: &[u8]) -> Result<u64, StoreError> {
        let _turn = self.turn()?;
        let (count, room) = {
            let state = self.state.borrow();
            (state.snapshots.len(), state.room(Need::Removal))
        };
        match (note.len() <= NOTE_MAX, count < SNAPSHOTS_MAX, room > 0) {
            (false, ..) => Err(StoreError::Argument),
            (_, false, _) => Err(StoreError::TooManySnapshots),
            (.., false) => Err(StoreError::Full),
            _ => {
                self.commit_with(Some(note)).await?;
                Ok(self.commit_number())
            }
        }
    }

    /// All snapshots, the oldest first.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.state.borrow().durable_snapshots.clone()
    }

    /// Makes the record of a snapshot of the commit that is being made; its tree is complete.
    pub(super) async fn record_snapshot(&self, note: &[u8]) -> Result<(), StoreError> {
        let snapshot = {
            let state = self.state.borrow();
            Snapshot { id: state.number(), deleting: false, note: note.to_vec(), root: state.records }
        };
        self.put_snapshot(&snapshot).await?;
        self.state.borrow_mut().snapshots.push(snapshot);
        Ok(())
    }

    async fn put_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let (key, value) = (key_of(snapshot.id), encode(snapshot));
        self.change(Tree::Snapshots, &[Change::put(&key, &value)], Need::Upkeep).await
    }

    /// The records of all snapshots.
    pub(super) async fn read_snapshots(&self) -> Result<Vec<Snapshot>, StoreError> {
        let root = self.state.borrow().tree;
        let (mut key, mut value) = ([0; KEY_MAX], [0; VALUE_MAX]);
        let mut found: Vec<Snapshot> = Vec::new();
        let mut from = key_of(0);
        while let Some((key_length, length)) = self.next_from(&root, &from, &mut key, &mut value).await? {
            let corrupt = StoreError::Corrupt { block: root.pointer.address, fault: Fault::Record };
            let (Some((&SNAPSHOT, id)), Some(value)) =
                (key.get(..key_length).and_then(|key| key.split_first()), value.get(..length))
            else {
                break;
            };
            let id = u64::from_be_bytes(id.try_into().map_err(|_| corrupt)?);
            let blocks = self.state.borrow().space.layout.blocks();
            let snapshot = decode(id, value).filter(|snapshot| snapshot.root.is_sound(blocks));
            found.push(snapshot.ok_or(corrupt)?);
            if found.len() > SNAPSHOTS_MAX || id == u64::MAX {
                return Err(StoreError::TooManySnapshots);
            }
            from = key_of(id + 1);
        }
        Ok(found)
    }

    /// Deletes a snapshot and gives back what only it needed, in steps with a commit after each; all changes so far are committed with
    /// the first one. What a crash interrupts goes on when this is called again.
    pub async fn delete_snapshot(&self, id: u64) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        let place = self.state.borrow().snapshots.iter().position(|snapshot| snapshot.id == id);
        let place = place.ok_or(StoreError::NoSnapshot)?;
        let mut snapshot = self.state.borrow().snapshots.get(place).cloned().ok_or(StoreError::NoSnapshot)?;
        snapshot.deleting = true;
        self.put_snapshot(&snapshot).await?;
        if let Some(place) = self.state.borrow_mut().snapshots.get_mut(place) {
            *place = snapshot;
        }
        self.commit_with(None).await?;
        let mut next = Some(dead_key(id + 1));
        while let Some(from) = next {
            next = self.delete_step(place, &from).await?;
        }
        self.change(Tree::Snapshots, &[Change::remove(&key_of(id))], Need::Upkeep).await?;
        self.state.borrow_mut().snapshots.remove(place);
        self.commit_with(None).await
    }

    /// Gives back some of what died after a snapshot and was born after the one before it.
    async fn delete_step(&self, place: usize, from: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let (before, after) = {
            let state = self.state.borrow();
            let id = |place: usize| state.snapshots.get(place).map(|snapshot| snapshot.id);
            (place.checked_sub(1).and_then(id).unwrap_or(0), id(place + 1).unwrap_or(u64::MAX))
        };
        let step = self.find_dead(from, before, after).await?;
        let changes: Vec<Change<'_>> = step.records.iter().map(left).collect();
        self.change(Tree::Snapshots, &changes, Need::Upkeep).await?;
        {
            let mut state = self.state.borrow_mut();
            let layout = state.space.layout;
            state.held = state.held.saturating_sub(step.free.len() as u64);
            let sound = |block: &u64| *block < layout.blocks() && !layout.is_fixed(*block);
            step.free.into_iter().filter(sound).for_each(|block| state.space.give_back_later(block));
        }
        if !step.records.is_empty() {
            self.commit_with(None).await?;
        }
        Ok(step.next)
    }

    /// Looks at records of dead blocks from a key on, until there is enough for one commit.
    async fn find_dead(&self, from: &[u8], before: u64, after: u64) -> Result<Step, StoreError> {
        let (root, room) = {
            let state = self.state.borrow();
            (state.tree, state.room(Need::Upkeep))
        };
        // On a full volume there may be space for the copies of a few leaves only.
        let most = usize::try_from(room / 8).unwrap_or(STEP).clamp(1, STEP);
        let (mut key, mut value) = ([0; KEY_MAX], [0; VALUE_MAX]);
        let mut step = Step { records: Vec::new(), free: Vec::new(), next: None };
        let mut from = from.to_vec();
        while let Some((key_length, length)) = self.next_from(&root, &from, &mut key, &mut value).await? {
            let (key, value) =
                (key.get(..key_length).unwrap_or_default(), value.get(..length).unwrap_or_default());
            if death(key).is_none_or(|death| death > after) {
                return Ok(step);
            }
            if step.records.len() >= most {
                step.next = Some(key.to_vec());
                return Ok(step);
            }
            let (free, kept): (Vec<Dead>, Vec<Dead>) = dead(value).partition(|(_, birth)| *birth > before);
            if !free.is_empty() {
                step.records.push((key.to_vec(), dead_value(&kept)));
                step.free.extend(free.iter().map(|(block, _)| block));
            }
            from.clear();
            from.extend(key);
            from.push(0);
        }
        Ok(step)
    }
}

/// What becomes of a record of dead blocks that is to hold this now.
fn left((key, value): &(Vec<u8>, Vec<u8>)) -> Change<'_> {
    Change { key, value: Some(value.as_slice()).filter(|value| !value.is_empty()) }
}

fn key_of(id: u64) -> Vec<u8> {
    [&[SNAPSHOT], id.to_be_bytes().as_slice()].concat()
}

fn dead_key(death: u64) -> Vec<u8> {
    [&[DEAD], death.to_be_bytes().as_slice()].concat()
}

/// The commit that a record of dead blocks is about, if its key is one.
pub fn death(key: &[u8]) -> Option<u64> {
    let (first, rest) = key.split_first()?;
    let (commit, _) = rest.split_first_chunk()?;
    (*first == DEAD).then_some(u64::from_be_bytes(*commit))
}

/// The value of a record of dead blocks.
pub fn dead_value(dead: &[Dead]) -> Vec<u8> {
    dead.iter().flat_map(|(address, birth)| [address.to_le_bytes(), birth.to_le_bytes()]).flatten().collect()
}

/// The blocks of such a record.
pub fn dead(value: &[u8]) -> impl Iterator<Item = Dead> {
    let pairs = value.as_chunks::<DEAD_BYTES>().0.iter();
    pairs.map(|bytes| {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]))
    })
}

fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut builder = Builder::new(HeapAllocator::new());
    let mut root = builder.init_root::<message::snapshot_record::Builder<'_>>();
    set_tree(root.reborrow().init_tree(), &snapshot.root);
    root.set_deleting(snapshot.deleting);
    root.set_note(&snapshot.note);
    write_message_to_words(&builder)
}

fn decode(id: u64, value: &[u8]) -> Option<Snapshot> {
    let mut words = Word::allocate_zeroed_vec(value.len().div_ceil(size_of::<Word>()));
    Word::words_to_bytes_mut(&mut words).iter_mut().zip(value).for_each(|(to, from)| *to = *from);
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(words.len() + 1)).nesting_limit(4);
    let mut bytes = Word::words_to_bytes(&words);
    let reader = read_message_from_flat_slice(&mut bytes, options).ok()?;
    let root = reader.get_root::<message::snapshot_record::Reader<'_>>().ok()?;
    let note = root.get_note().ok().filter(|note| note.len() <= NOTE_MAX)?.to_vec();
    Some(Snapshot { id, deleting: root.get_deleting(), note, root: tree(root.get_tree().ok()?) })
}
