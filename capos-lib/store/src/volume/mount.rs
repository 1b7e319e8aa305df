//! Making and mounting.

use super::core::{Core, Limits};
use super::{Volume, snapshot};
use crate::disk::{Disk, DiskError};
use crate::error::{Fault, StoreError};
use crate::node::Page;
use crate::pointer::checksum;
use crate::space::{Entry, Layout, Log};
use crate::superblock::{SlotState, Slots, Superblock};
use crate::tree::{Root, Tree};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::cmp::Reverse;

/// How often a block is read on which it depends which commit counts, or what is free, and one that is to be at two places, before it is given up.
pub(super) const TRIES: usize = 3;

/// What a mount found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mounted {
    /// The slot whose commit it is.
    pub slot: u64,
    /// Its number.
    pub commit: u64,
    /// What was in each slot.
    pub slots: [SlotState; Slots::COUNT],
}

impl Mounted {
    /// Slots with which the last commit may have been lost, and what is in them.
    pub fn losses(&self) -> impl Iterator<Item = (u64, &SlotState)> {
        Slots::ALL.into_iter().zip(&self.slots).filter(|(_, state)| state.is_loss())
    }
}

/// Makes an empty volume of all of a disk, or of so many blocks of it. What the disk held is lost.
pub async fn format<D: Disk>(disk: &D, uuid: u128, blocks: Option<u64>) -> Result<(), StoreError> {
    let blocks = blocks.unwrap_or(disk.blocks());
    let layout = Layout::new(blocks).filter(|_| blocks <= disk.blocks()).ok_or(StoreError::Size)?;
    // Whatever volume was there is none any more before the new one begins.
    let nothing = Rc::new(Page::zeroed());
    for slot in Slots::of(disk.blocks()) {
        disk.write(slot, &[&nothing.0]).await.map_err(StoreError::disk(slot))?;
    }
    disk.flush().await.map_err(StoreError::disk(0))?;
    let mut superblock = Superblock {
        uuid,
        layout,
        commit: 1,
        records: Root::EMPTY,
        snapshots: Root::EMPTY,
        used: 0,
        held: 0,
        maps: Entry::default(),
        log: Log::default(),
        settled: 0,
        beside: Vec::new(),
    };
    for slot in Slots::of(layout.blocks()).rev() {
        disk.write(slot, &[&superblock.encode().0]).await.map_err(StoreError::disk(slot))?;
        superblock.commit += 1;
    }
    disk.flush().await.map_err(StoreError::disk(0))
}

impl<D: Disk> Volume<D> {
    /// Mounts a disk's volume: its newest commit. One that is not complete is passed over for the one before it, and so is one whose
    /// roots the medium does not give back; what is older than that was written over since, and does not count. Nothing is written.
    /// A disk that fails otherwise says nothing about what it holds, so nothing is passed over then: the mount fails.
    pub async fn mount(disk: D, limits: Limits) -> Result<(Volume<D>, Mounted), StoreError> {
        let (mut slots, mut found) = look(&disk).await?;
        if slots.iter().any(SlotState::is_foreign) {
            return Err(slots.into());
        }
        // Of two that are the same commit first the one that needs nothing beside it, and that knows of more nodes that are twice.
        let order = |superblock: &Superblock| {
            (Reverse(superblock.commit), superblock.beside.len(), Reverse(superblock.settled))
        };
        found.sort_unstable_by_key(|(_, superblock)| order(superblock));
        let newest = found.first().map_or(0, |(_, superblock)| superblock.commit);
        find_wiped(&mut slots, &found);
        found.retain(|(_, superblock)| superblock.commit + 1 >= newest);
        let mut disk = disk;
        let mut why = StoreError::from(slots);
        let (mut stale, mut left) = (Vec::new(), found.len());
        for (slot, superblock) in found {
            left -= 1;
            let (blocks, commit) = (superblock.layout.blocks(), superblock.commit);
            if blocks > disk.blocks() {
                return Err(StoreError::Cut { blocks });
            }
            // The next commit is begun when one is durable. So only the newest one may be incomplete, and only if the one before it is
            // there: its superblock is what the next one takes the place of.
            let missing =
                if commit == newest && left > 0 { missing(&disk, &superblock).await? } else { None };
            let passed_over = match missing {
                Some(block) => SlotState::Incomplete { commit, block },
                None => {
                    let state = RefCell::new(Core::new(limits, superblock, slot, stale.clone()));
                    let volume = Volume { disk, state, taken: Cell::new(false) };
                    match volume.begin().await {
                        Ok(()) => return Ok((volume, Mounted { slot, commit, slots })),
                        Err(StoreError::Disk { block, error }) if error != DiskError::Media => {
                            return Err(StoreError::Disk { block, error });
                        }
                        Err(error) => why = error,
                    }
                    disk = volume.disk;
                    SlotState::Root(commit)
                }
            };
            stale.push(slot);
            let place = Slots::ALL.iter().position(|other| *other == slot);
            if let Some(state) = place.and_then(|place| slots.get_mut(place)) {
                *state = passed_over;
            }
        }
        Err(why)
    }

    /// Reads what every commit has to know; more than once, if the disk fails.
    async fn begin(&self) -> Result<(), StoreError> {
        let mut done = self.begin_once().await;
        for _ in 1..TRIES {
            let Err(StoreError::Disk { .. }) = done else { break };
            done = self.begin_once().await;
        }
        done
    }

    async fn begin_once(&self) -> Result<(), StoreError> {
        for tree in [Tree::Records, Tree::Snapshots] {
            let root = self.state.borrow().root(tree);
            self.root_node(&root).await?;
        }
        let snapshots = self.read_snapshots().await?;
        let mut state = self.state.borrow_mut();
        let last = snapshots.last().map_or(0, |snapshot: &snapshot::Snapshot| snapshot.id);
        if last > state.durable.commit {
            return Err(StoreError::Corrupt { block: state.tree.pointer.address, fault: Fault::Record });
        }
        state.durable_snapshots.clone_from(&snapshots);
        state.snapshots = snapshots;
        Ok(())
    }
}

/// Tells slots from which a superblock was taken away from those that never had one: a volume has one in each of its slots, but in one that it does not have
/// for longer than the last commit since it grew.
fn find_wiped(slots: &mut [SlotState; Slots::COUNT], found: &[(u64, Superblock)]) {
    let sizes = found.iter().map(|(_, superblock)| superblock.layout.blocks());
    let smallest = sizes.min().unwrap_or(0);
    for (slot, state) in Slots::ALL.into_iter().zip(slots) {
        if *state == SlotState::Blank && slot < smallest {
            *state = SlotState::Wiped;
        }
    }
}

/// The first block that should be beside a superblock and is not there.
async fn missing<D: Disk>(disk: &D, superblock: &Superblock) -> Result<Option<u64>, StoreError> {
    let mut page = Rc::new(Page::zeroed());
    for (block, sum) in &superblock.beside {
        let is_read = read(disk, *block, &mut page).await?;
        if !is_read || checksum(&page.0) != *sum {
            return Ok(Some(*block));
        }
    }
    Ok(None)
}

/// Reads all slots.
async fn look<D: Disk>(disk: &D) -> Result<Found, StoreError> {
    let mut states = [SlotState::Absent; Slots::COUNT];
    let mut found = Vec::new();
    let mut page = Rc::new(Page::zeroed());
    for (slot, state) in Slots::of(disk.blocks()).zip(&mut states) {
        let decoded = match read(disk, slot, &mut page).await? {
            true => Superblock::decode(&page),
            false => Err(SlotState::Unreadable(DiskError::Media)),
        };
        *state = match decoded {
            Ok(superblock) => {
                let commit = superblock.commit;
                found.push((slot, superblock));
                SlotState::Sound(commit)
            }
            Err(state) => state,
        };
    }
    Ok((states, found))
}

type Found = ([SlotState; Slots::COUNT], Vec<(u64, Superblock)>);

/// Reads a block on which it depends which commit counts, or what is free: false if the medium does not give it back, however often it is asked.
pub(super) async fn read<D: Disk>(disk: &D, block: u64, page: &mut Rc<Page>) -> Result<bool, StoreError> {
    let mut done = Ok(());
    for _ in 0..TRIES {
        done = disk.read(block, &mut Rc::make_mut(page).0).await;
        if done.is_ok() {
            break;
        }
    }
    match done {
        Ok(()) => Ok(true),
        Err(DiskError::Media) => Ok(false),
        Err(error) => Err(StoreError::Disk { block, error }),
    }
}
