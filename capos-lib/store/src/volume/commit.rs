//! Making changes durable, all of them or none.
//!
//! New nodes, and data that is not on the disk yet, go to free blocks. A few of them are written side by side with the superblock, which lists them with
//! their checksums: it counts if they are there. Of many, or if something else is not durable yet, the superblock is written when they are. Until all is
//! durable the commit before counts, and nothing that it needs was written over.

use super::Volume;
use super::core::{DEAD_OF_RECORD, Dead, Need, Stage};
use crate::disk::{BLOCK, Disk, DiskError, Write};
use crate::error::{Fault, StoreError};
use crate::space::{LOG_MAX, Span};
use crate::superblock::{BESIDE_MAX, Beside, Slots, Superblock};
use crate::tree::{Change, Tree, Written};
use alloc::vec::Vec;

/// The shortest span of freed blocks that the disk is told of: a command to discard costs more than it is worth for a few blocks that
/// will soon be written again.
const DISCARDED: u64 = 64;

impl<D: Disk> Volume<D> {
    /// Makes all changes since the last commit durable. If the disk fails, they are dropped ([`Volume::epoch`] tells); if nobody can know
    /// then which commit counts, nothing more can be changed until the volume is mounted again.
    ///
    /// Where nothing was changed, the last commit is settled: it counts from then on, whatever is spoiled later.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        let clean = self.state.borrow().is_clean();
        match clean {
            true => self.settle_last().await,
            false => self.commit_with(None).await,
        }
    }

    /// The same, and takes a snapshot of it if there is a note.
    pub(super) async fn commit_with(&self, note: Option<&[u8]>) -> Result<(), StoreError> {
        self.state.borrow_mut().stage = Stage::Writing;
        let freed = match self.prepare(note).await {
            Ok(freed) => freed,
            Err(error) => {
                self.state.borrow_mut().revert();
                return Err(error);
            }
        };
        let discarded = freed.iter().filter(|span| span.count >= DISCARDED);
        let blocks = self.blocks();
        // What is discarded is gone for good, so then the commit must not be one that a mount may pass over.
        let at_once =
            discarded.clone().next().is_none() && blocks.len() <= BESIDE_MAX && !self.state.borrow().is_loose;
        match at_once {
            true => self.write_at_once(&blocks).await?,
            false => self.write_in_turn(&blocks).await?,
        }
        for (n, span) in discarded.enumerate() {
            if n == 0 {
                self.settle_once().await?;
            }
            // The disk may do it or not.
            let _ = self.disk.discard(span.start, span.count).await;
        }
        Ok(())
    }

    /// Gives everything its place, and says what is free when the commit counts.
    async fn prepare(&self, note: Option<&[u8]>) -> Result<Vec<Span>, StoreError> {
        self.make_sure().await?;
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
        self.look_for(2 * count).await?;
        // Those that are written now lie together, and their twins behind them.
        let (spans, twins) = (self.take(count)?, self.take(count)?);
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let (birth, mut written) = (state.number(), core::mem::take(&mut state.writing));
        let all = |spans: Vec<Span>| spans.into_iter().flat_map(|span| span.start..span.end());
        let mut places = all(spans).zip(all(twins));
        let (root, dirty) = state.tree_mut(tree);
        let done = dirty.freeze(root, birth, &mut places, &mut written);
        state.changes += 1;
        for (pointer, page) in &written {
            state.nodes.insert(*pointer, page.clone());
        }
        state.writing = written;
        match done {
            Some(()) if places.next().is_none() => Ok(()),
            // A changed node that nothing leads to: cannot be, and must not go unnoticed.
            _ => Err(StoreError::Corrupt { block: 0, fault: Fault::Count }),
        }
    }

    /// The nodes and the data that the commit writes, in the order of their places.
    fn blocks(&self) -> Vec<Written> {
        let state = self.state.borrow();
        let mut blocks: Vec<Written> = state.writing.iter().chain(state.fresh.values()).cloned().collect();
        blocks.sort_unstable_by_key(|(pointer, _)| pointer.address);
        blocks
    }

    /// Writes everything side by side. The superblock says what must be beside it.
    async fn write_at_once(&self, blocks: &[Written]) -> Result<(), StoreError> {
        let beside = blocks.iter().map(|(pointer, _)| (pointer.address, pointer.checksum)).collect();
        let superblock = self.superblock(beside);
        let slot = self.slots().first().copied().ok_or(StoreError::Doubtful)?;
        self.state.borrow_mut().stage = Stage::Counting;
        let page = superblock.encode();
        let mut writes = runs(blocks);
        writes.push(Write { first: slot, pieces: Vec::from([page.0.as_slice()]) });
        if self.disk.write_durable(&writes).await.is_ok() {
            self.counts(superblock, slot);
            return Ok(());
        }
        // Whatever of it is there now: it is the same commit if all blocks get there after all.
        {
            let mut state = self.state.borrow_mut();
            (state.is_loose, state.is_sure) = (true, false);
            state.stale.push(slot);
        }
        self.write_in_turn(blocks).await
    }

    /// Makes all blocks durable, and then the superblock: once that is begun, it stands for a commit that is complete.
    async fn write_in_turn(&self, blocks: &[Written]) -> Result<(), StoreError> {
        if let Err(error) = self.disk.write_durable(&runs(blocks)).await {
            // If a superblock of this commit may be there, the one before it takes its place, or nobody knows which one counts.
            if self.state.borrow().stage == Stage::Writing || self.make_sure().await.is_ok() {
                self.state.borrow_mut().revert();
            }
            return Err(failed(error));
        }
        self.state.borrow_mut().stage = Stage::Counting;
        let superblock = self.superblock(Vec::new());
        let slot = self.write_superblock(&superblock).await?;
        self.counts(superblock, slot);
        Ok(())
    }

    /// The superblock of the commit that is being made.
    fn superblock(&self, beside: Vec<Beside>) -> Superblock {
        let state = self.state.borrow();
        Superblock {
            commit: state.number(),
            layout: state.space.layout,
            records: state.records,
            snapshots: state.tree,
            used: state.space.used,
            held: state.held,
            maps: state.space.root,
            log: state.space.log.clone(),
            uuid: state.durable.uuid,
            settled: state.durable.settled,
            beside,
        }
    }

    /// Where it can go.
    pub(super) fn slots(&self) -> Vec<u64> {
        let state = self.state.borrow();
        Slots::choices(state.number(), state.space.layout.blocks(), state.slot)
    }

    /// Writes it to the first slot that takes it, of those whose superblock is not the last commit's. If one did not take all of it,
    /// or not for ever, what it has is either spoiled, what was there before, or the same.
    async fn write_superblock(&self, superblock: &Superblock) -> Result<u64, StoreError> {
        let page = superblock.encode();
        let mut why = StoreError::Doubtful;
        for slot in self.slots() {
            let write = Write { first: slot, pieces: Vec::from([page.0.as_slice()]) };
            match self.disk.write_durable(&[write]).await {
                Ok(()) => return Ok(slot),
                Err((_, error)) => why = StoreError::Disk { block: slot, error },
            }
        }
        Err(why)
    }

    /// A commit is durable.
    fn counts(&self, superblock: Superblock, slot: u64) {
        let mut state = self.state.borrow_mut();
        state.durable = superblock;
        state.slot = slot;
        state.durable_snapshots = state.snapshots.clone();
        state.stage = Stage::Open;
        (state.is_loose, state.is_sure) = (false, true);
        state.stale.clear();
        state.fresh.clear();
        state.writing.clear();
        state.space.forget();
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

/// One write for all blocks that lie together.
pub(super) fn runs(blocks: &[Written]) -> Vec<Write<'_>> {
    let runs = blocks.chunk_by(|(pointer, _), (next, _)| pointer.address + 1 == next.address);
    runs.map(together).collect()
}

fn together(run: &[Written]) -> Write<'_> {
    let first = run.first().map_or(0, |(pointer, _)| pointer.address);
    Write { first, pieces: run.iter().map(|(_, page)| page.0.as_slice()).collect() }
}

pub(super) fn failed((block, error): (u64, DiskError)) -> StoreError {
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
