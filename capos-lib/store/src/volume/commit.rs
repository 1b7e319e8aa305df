//! Making changes durable, all of them or none.
//!
//! New nodes, and data that is not on the disk yet, go to free blocks in one go. When they are durable, the superblock is written. Until that is durable,
//! too, the commit before counts, and nothing that it needs was written over.

use super::Volume;
use super::core::{DEAD_OF_RECORD, Dead, Need, Stage};
use crate::disk::{BLOCK, Disk, DiskError, Write};
use crate::error::{Fault, StoreError};
use crate::node::Page;
use crate::space::{LOG_MAX, Span};
use crate::superblock::{Slots, Superblock};
use crate::tree::{Change, Tree};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The shortest span of freed blocks that the disk is told of: a command to discard costs more than it is worth for a few blocks that
/// will soon be written again.
const DISCARDED: u64 = 64;

impl<D: Disk> Volume<D> {
    /// Makes all changes since the last commit durable. If the disk fails before the superblock is written, they are dropped
    /// ([`Volume::epoch`] tells); if it fails then, nothing more can be changed until the volume is mounted again.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        let clean = self.state.borrow().is_clean();
        match clean {
            true => Ok(()),
            false => self.commit_with(None).await,
        }
    }

    /// The same, and takes a snapshot of it if there is a note.
    pub(super) async fn commit_with(&self, note: Option<&[u8]>) -> Result<(), StoreError> {
        self.state.borrow_mut().stage = Stage::Writing;
        let written = self.write_all(note).await;
        let freed = match written {
            Ok(freed) => freed,
            Err(error) => {
                self.state.borrow_mut().revert();
                return Err(error);
            }
        };
        self.count().await?;
        for span in freed.iter().filter(|span| span.count >= DISCARDED) {
            // The disk may do it or not.
            let _ = self.disk.discard(span.start, span.count).await;
        }
        Ok(())
    }

    /// Writes everything but the superblock, and says what is free when that is written.
    async fn write_all(&self, note: Option<&[u8]>) -> Result<Vec<Span>, StoreError> {
        self.bury().await?;
        self.freeze(Tree::Records).await?;
        if let Some(note) = note {
            self.record_snapshot(note).await?;
        }
        self.freeze(Tree::Snapshots).await?;
        let freed = self.state.borrow_mut().space.settle();
        if self.state.borrow().space.log.len() > LOG_MAX {
            self.write_maps().await?;
        }
        self.write_blocks().await?;
        Ok(freed)
    }

    /// Makes records of the blocks that only snapshots need now.
    async fn bury(&self) -> Result<(), StoreError> {
        let (number, mut dead) = {
            let mut state = self.state.borrow_mut();
            state.held = state.held_now();
            (state.number(), core::mem::take(&mut state.dead))
        };
        dead.sort_unstable_by_key(|(address, birth)| (*birth, *address));
        let records: Vec<_> =
            (0u32..).zip(dead.chunks(DEAD_OF_RECORD)).map(|(n, dead)| record(number, n, dead)).collect();
        for (key, value) in &records {
            self.change(Tree::Snapshots, &[Change::put(key, value)], Need::Upkeep).await?;
        }
        Ok(())
    }

    /// Gives the changed nodes of a tree their addresses.
    async fn freeze(&self, tree: Tree) -> Result<(), StoreError> {
        let count = self.state.borrow().dirty_of(tree).count() as u64;
        self.look_for(count).await?;
        let spans = self.take(count)?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let (birth, mut written) = (state.number(), core::mem::take(&mut state.writing));
        let mut addresses = spans.iter().flat_map(|span| span.start..span.end());
        let (root, dirty) = state.tree_mut(tree);
        let done = dirty.freeze(root, birth, &mut addresses, &mut written);
        state.changes += 1;
        for (pointer, page) in &written {
            state.nodes.insert(*pointer, page.clone());
        }
        state.writing = written;
        match done {
            Some(()) if addresses.next().is_none() => Ok(()),
            // A changed node that nothing leads to: cannot be, and must not go unnoticed.
            _ => Err(StoreError::Corrupt { block: 0, fault: Fault::Count }),
        }
    }

    /// Writes data and nodes, those that lie together with one request, and has all that was written before durable with them.
    async fn write_blocks(&self) -> Result<(), StoreError> {
        let mut blocks: Vec<(u64, Rc<Page>)> = {
            let state = self.state.borrow();
            let nodes = state.writing.iter().map(|(pointer, page)| (pointer.address, page));
            nodes.chain(state.fresh.iter().map(|(block, page)| (*block, page))).map(owned).collect()
        };
        blocks.sort_unstable_by_key(|(block, _)| *block);
        let runs = blocks.chunk_by(|(block, _), (next, _)| block + 1 == *next);
        let writes: Vec<Write<'_>> = runs.map(together).collect();
        self.disk.write_durable(&writes).await.map_err(failed)?;
        self.state.borrow_mut().fresh.clear();
        Ok(())
    }

    /// Writes the superblock, and has the commit behind it.
    async fn count(&self) -> Result<(), StoreError> {
        let (superblock, taken) = {
            let mut state = self.state.borrow_mut();
            state.stage = Stage::Counting;
            let superblock = Superblock {
                commit: state.number(),
                layout: state.space.layout,
                records: state.records,
                snapshots: state.tree,
                used: state.space.used,
                held: state.held,
                maps: state.space.root,
                log: state.space.log.clone(),
                uuid: state.durable.uuid,
            };
            (superblock, state.slot)
        };
        let slot = self.write_superblock(&superblock, taken).await?;
        let mut state = self.state.borrow_mut();
        state.durable = superblock;
        state.slot = slot;
        state.durable_snapshots = state.snapshots.clone();
        state.stage = Stage::Open;
        state.writing.clear();
        state.space.forget();
        Ok(())
    }

    /// Writes it to the first slot that takes it, of those whose superblock is not the last commit's. If one did not take all of it,
    /// or not for ever, what it has is either spoiled, what was there before, or the same.
    async fn write_superblock(&self, superblock: &Superblock, taken: u64) -> Result<u64, StoreError> {
        let page = superblock.encode();
        let mut why = StoreError::Doubtful;
        for slot in Slots::choices(superblock.commit, superblock.layout.blocks(), taken) {
            match self
                .disk
                .write_durable(&[Write { first: slot, pieces: Vec::from([page.0.as_slice()]) }])
                .await
            {
                Ok(()) => return Ok(slot),
                Err((_, error)) => why = StoreError::Disk { block: slot, error },
            }
        }
        Err(why)
    }

    /// Lets the volume use more of its disk: so many blocks, or a few less, or all there are. Durable when this is done.
    pub async fn grow(&self, blocks: Option<u64>) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        let most = self.disk.blocks();
        let layout =
            crate::space::Layout::new(blocks.unwrap_or(most)).filter(|layout| layout.blocks() <= most);
        let layout = layout.ok_or(StoreError::Size)?;
        let now = self.state.borrow().space.layout;
        if layout.blocks() < now.blocks() {
            return Err(StoreError::Size);
        }
        {
            // The last group may become larger, so its bitmap is read anew.
            let space = &mut self.state.borrow_mut().space;
            space.layout = layout;
            space.maps.clear();
        }
        match layout == now {
            true => Ok(()),
            false => self.commit_with(None).await,
        }
    }
}

/// One write of blocks that lie together.
fn together(run: &[(u64, Rc<Page>)]) -> Write<'_> {
    let first = run.first().map_or(0, |(block, _)| *block);
    Write { first, pieces: run.iter().map(|(_, page)| page.0.as_slice()).collect() }
}

fn owned((block, page): (u64, &Rc<Page>)) -> (u64, Rc<Page>) {
    (block, Rc::clone(page))
}

fn failed((block, error): (u64, DiskError)) -> StoreError {
    StoreError::Disk { block, error }
}

/// Key and value of a record of dead blocks: a byte 1, the commit that they died in, a number; addresses and births.
fn record(commit: u64, n: u32, dead: &[Dead]) -> (Vec<u8>, Vec<u8>) {
    let mut key = Vec::from([super::snapshot::DEAD]);
    key.extend(commit.to_be_bytes());
    key.extend(n.to_be_bytes());
    (key, super::snapshot::dead_value(dead))
}

const _: () = assert!(DEAD_OF_RECORD * 16 <= crate::node::VALUE_MAX && BLOCK == 4096);
