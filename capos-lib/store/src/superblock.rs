//! Superblocks: where a volume begins.
//!
//! A slot is one block: the magic number, the checksum of what follows it, how long the record is (eight bytes each), and the record
//! in Cap'n Proto's stream format. Commits take turns with the slots, so that one is always left alone.

use crate::disk::DiskError;
use crate::error::StoreError;
use crate::generated::disk_superblock_capnp as message;
use crate::node::Page;
use crate::pointer::{Pointer, checksum};
use crate::space::{Entry, Layout, Log};
use crate::tree::Root;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capnp::Word;
use capnp::message::{Builder, HeapAllocator, ReaderOptions};
use capnp::serialize::{read_message_from_flat_slice, write_message};
use core::fmt;

const MAGIC: [u8; 8] = *b"capOSvol";
/// Of the format.
const VERSION: u32 = 2;
/// Incompatible features that are known.
const FEATURES: u64 = BESIDE;
/// Blocks were written side by side with the superblock.
const BESIDE: u64 = 1;
/// Most of them that there is room for.
pub const BESIDE_MAX: usize = 16;
/// No volume gets as old.
const COMMIT_MAX: u64 = 1 << 62;
/// Words of a record without its lists, which it has room for beside the words of the longest ones.
const FIXED_WORDS: usize = 31;

/// Where superblocks are. Even commits go to the first slot. Odd ones go to the last one there is: it lies 16 MiB further, or at the end
/// of a volume of 1 MiB, so that what spoils the beginning of a disk leaves one of the two last commits alone.
pub struct Slots;

impl Slots {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// Their blocks. A small volume does not have the last one.
    pub const ALL: [u64; Self::COUNT] = [0, 255, 4095];

    /// The slots of a volume.
    pub fn of(blocks: u64) -> impl DoubleEndedIterator<Item = u64> {
        Slots::ALL.into_iter().filter(move |slot| *slot < blocks)
    }

    /// Where a commit can go, the best place first, when its predecessor is at `taken`.
    pub fn choices(commit: u64, blocks: u64, taken: u64) -> Vec<u64> {
        let mut slots: Vec<u64> = Slots::of(blocks).collect();
        if commit % 2 == 1 {
            slots.reverse();
        }
        slots.retain(|slot| *slot != taken);
        slots
    }
}

/// What is in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotState {
    /// The disk is too small to have it.
    Absent,
    /// A superblock, of this commit.
    Sound(u64),
    /// Something else, or nothing.
    Blank,
    /// The same where the volume had a superblock.
    Wiped,
    /// The disk did not read it.
    Unreadable(DiskError),
    /// A superblock that is torn or spoiled.
    Checksum,
    /// A superblock that makes no sense.
    Malformed,
    /// A superblock of another version of the format.
    Version(u32),
    /// A superblock with features that this program does not know.
    Features(u64),
    /// A sound superblock of this commit, but a root of it is not to be read.
    Root(u64),
    /// A sound superblock of a commit that was not complete when the machine stopped, or was spoiled since: nobody can tell.
    Incomplete {
        /// Which commit.
        commit: u64,
        /// The first block that is not what was to be written there.
        block: u64,
    },
}

impl SlotState {
    /// Whether the last commit may have been lost with it. Where power went in the middle of one that is as it should be.
    pub fn is_loss(&self) -> bool {
        !matches!(self, SlotState::Absent | SlotState::Blank | SlotState::Sound(_))
    }

    /// Whether this is a volume that a newer program wrote: an older slot must not be taken instead.
    pub fn is_foreign(&self) -> bool {
        matches!(self, SlotState::Version(_) | SlotState::Features(_))
    }
}

impl fmt::Display for SlotState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotState::Absent => out.write_str("is not there"),
            SlotState::Sound(commit) => write!(out, "has commit {commit}"),
            SlotState::Blank => out.write_str("has no superblock"),
            SlotState::Wiped => out.write_str("has no superblock any more"),
            SlotState::Unreadable(error) => write!(out, "is not to be read: {error}"),
            SlotState::Checksum => out.write_str("is spoiled"),
            SlotState::Malformed => out.write_str("has a superblock that makes no sense"),
            SlotState::Version(version) => {
                write!(out, "has version {version}, which this program does not know")
            }
            SlotState::Features(bits) => {
                write!(out, "has features {bits:#x}, which this program does not know")
            }
            SlotState::Root(commit) => write!(out, "has commit {commit}, whose root is not to be read"),
            SlotState::Incomplete { commit, block } => {
                write!(out, "has commit {commit}, of which block {block} is not there")
            }
        }
    }
}

/// The state of a volume after a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Superblock {
    /// Of the volume.
    pub uuid: u128,
    /// What lies where.
    pub layout: Layout,
    /// Number of the commit.
    pub commit: u64,
    /// Of the layer above.
    pub records: Root,
    /// Of snapshots.
    pub snapshots: Root,
    /// Blocks that are taken.
    pub used: u64,
    /// Those of them that only snapshots need.
    pub held: u64,
    /// Root of the maps.
    pub maps: Entry,
    /// What changed since they were written.
    pub log: Log,
    /// The commit up to which all nodes are at both of their places.
    pub settled: u64,
    /// Blocks that were written side by side with it.
    pub beside: Vec<Beside>,
}

/// A block, and its checksum.
pub type Beside = (u64, u64);

impl Superblock {
    /// What goes to a slot.
    pub fn encode(&self) -> Rc<Page> {
        let words = FIXED_WORDS + 2 * self.beside.len() + self.log.len();
        let allocator = HeapAllocator::new().first_segment_words(u32::try_from(words).unwrap_or(u32::MAX));
        let mut builder = Builder::new(allocator);
        let mut root = builder.init_root::<message::superblock::Builder<'_>>();
        root.set_version(VERSION);
        root.set_incompatible(if self.beside.is_empty() { 0 } else { BESIDE });
        root.set_uuid_low(self.uuid as u64);
        root.set_uuid_high((self.uuid >> 64) as u64);
        root.set_blocks(self.layout.blocks());
        root.set_commit(self.commit);
        root.set_held(self.held);
        root.set_settled(self.settled);
        set_tree(root.reborrow().init_records(), &self.records);
        set_tree(root.reborrow().init_snapshots(), &self.snapshots);
        let mut maps = root.reborrow().init_maps();
        maps.set_checksum(self.maps.checksum);
        maps.set_copy(self.maps.copy);
        maps.set_mapped(self.maps.used);
        maps.set_used(self.used);
        let words = self.beside.iter().flat_map(|(block, checksum)| [*block, *checksum]);
        let mut beside = root.reborrow().init_beside(u32::try_from(2 * self.beside.len()).unwrap_or(0));
        (0..).zip(words).for_each(|(n, word)| beside.set(n, word));
        let words = self.log.words();
        let mut log = root.init_log(u32::try_from(words.len()).unwrap_or(0));
        match log.as_slice() {
            Some(place) => place.copy_from_slice(words),
            // Only where numbers lie in memory the other way round.
            None => (0..).zip(words).for_each(|(n, word)| log.set(n, *word)),
        }
        slot(|record| write_message(record, &builder))
    }

    /// From what a slot holds.
    pub fn decode(page: &Page) -> Result<Superblock, SlotState> {
        let (magic, rest) = page.0.split_first_chunk().ok_or(SlotState::Blank)?;
        if *magic != MAGIC {
            return Err(SlotState::Blank);
        }
        let (sum, rest) = rest.split_first_chunk().ok_or(SlotState::Checksum)?;
        let (length, record) = rest.split_first_chunk().ok_or(SlotState::Checksum)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let record = record.get(..length).ok_or(SlotState::Checksum)?;
        let summed = rest.get(..length + size_of::<u64>()).ok_or(SlotState::Checksum)?;
        if u64::from_le_bytes(*sum) != checksum(summed) {
            return Err(SlotState::Checksum);
        }
        read(record)?.ok_or(SlotState::Malformed)
    }
}

/// A slot with a record, which fits: a superblock has at most [`LOG_MAX`] entries of the log and [`BESIDE_MAX`] blocks beside it, and the
/// rest has one size.
fn slot(write: impl FnOnce(&mut &mut [u8]) -> capnp::Result<()>) -> Rc<Page> {
    let mut slot = Rc::new(Page::zeroed());
    let page = Rc::make_mut(&mut slot);
    if let Some((magic, rest)) = page.0.split_first_chunk_mut()
        && let Some((sum, rest)) = rest.split_first_chunk_mut()
    {
        let length = rest.get_mut(size_of::<u64>()..).and_then(|mut record| {
            let room = record.len();
            write(&mut record).ok().map(|()| room - record.len())
        });
        let length = length.unwrap_or(0);
        if let Some(place) = rest.first_chunk_mut() {
            *place = (length as u64).to_le_bytes();
        }
        *magic = MAGIC;
        *sum = checksum(rest.get(..size_of::<u64>() + length).unwrap_or_default()).to_le_bytes();
    }
    slot
}

/// A record. `None` if it could be of this version and is nothing.
fn read(record: &[u8]) -> Result<Option<Superblock>, SlotState> {
    let mut words = Word::allocate_zeroed_vec(record.len().div_ceil(size_of::<Word>()));
    Word::words_to_bytes_mut(&mut words).iter_mut().zip(record).for_each(|(to, from)| *to = *from);
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(words.len() + 1)).nesting_limit(4);
    let mut bytes = Word::words_to_bytes(&words);
    let malformed = |_| SlotState::Malformed;
    let reader = read_message_from_flat_slice(&mut bytes, options).map_err(malformed)?;
    let root = reader.get_root::<message::superblock::Reader<'_>>().map_err(malformed)?;
    if root.get_version() != VERSION {
        return Err(SlotState::Version(root.get_version()));
    }
    if root.get_incompatible() & !FEATURES != 0 {
        return Err(SlotState::Features(root.get_incompatible() & !FEATURES));
    }
    fields(root).map_err(malformed)
}

fn fields(root: message::superblock::Reader<'_>) -> capnp::Result<Option<Superblock>> {
    let blocks = root.get_blocks();
    let Some(layout) = Layout::new(blocks).filter(|layout| layout.blocks() == blocks) else {
        return Ok(None);
    };
    let (maps, log) = (root.get_maps()?, root.get_log()?);
    let entry = Entry { checksum: maps.get_checksum(), used: maps.get_mapped(), copy: maps.get_copy() };
    let Some(log) = Log::new(log.iter(), blocks) else { return Ok(None) };
    let Some(beside) = beside(root.get_beside()?.iter(), &layout) else { return Ok(None) };
    let superblock = Superblock {
        uuid: u128::from(root.get_uuid_high()) << 64 | u128::from(root.get_uuid_low()),
        layout,
        commit: root.get_commit(),
        records: tree(root.get_records()?),
        snapshots: tree(root.get_snapshots()?),
        used: maps.get_used(),
        held: root.get_held(),
        maps: entry,
        log,
        settled: root.get_settled(),
        beside,
    };
    let sound = superblock.records.is_sound(blocks)
        && superblock.snapshots.is_sound(blocks)
        && superblock.settled <= superblock.commit
        && superblock.used <= layout.total()
        && superblock.held <= superblock.used
        && entry.used <= layout.total()
        && entry.is_sound()
        && (1..COMMIT_MAX).contains(&superblock.commit);
    Ok(sound.then_some(superblock))
}

/// The blocks beside a superblock; `None` if they make no sense.
fn beside(mut words: impl ExactSizeIterator<Item = u64>, layout: &Layout) -> Option<Vec<Beside>> {
    let pairs = (words.len() <= 2 * BESIDE_MAX).then(|| words.len() / 2)?;
    let pairs: Option<Vec<Beside>> = (0..pairs).map(|_| words.next().zip(words.next())).collect();
    pairs.filter(|pairs| pairs.iter().all(|(block, _)| *block < layout.blocks() && !layout.is_fixed(*block)))
}

/// A root in a record.
pub fn tree(from: message::tree::Reader<'_>) -> Root {
    let (address, birth) = (from.get_address(), from.get_birth());
    let pointer = Pointer { address, birth, checksum: from.get_checksum(), twin: from.get_twin() };
    Root { pointer, level: from.get_level() }
}

/// Writes a root to a record.
pub fn set_tree(mut to: message::tree::Builder<'_>, root: &Root) {
    to.set_address(root.pointer.address);
    to.set_birth(root.pointer.birth);
    to.set_checksum(root.pointer.checksum);
    to.set_twin(root.pointer.twin);
    to.set_level(root.level);
}

impl From<[SlotState; Slots::COUNT]> for StoreError {
    fn from(slots: [SlotState; Slots::COUNT]) -> StoreError {
        StoreError::NoVolume(slots)
    }
}
