//! The second places of nodes.
//!
//! A node has two places from the commit on that it came with, and is written to the first. What is changed soon never needs the second: so that is
//! written when the commit is settled, for all nodes since the last one that was, which are found by their births. The superblock says up to which
//! commit all nodes are at both places. Until then the second counts as not there, so a crash leaves nothing to repair.

use super::Volume;
use super::commit::runs;
use super::mount::TRIES;
use crate::disk::{Disk, DiskError};
use crate::error::{Fault, StoreError};
use crate::node::Page;
use crate::pointer::Pointer;
use crate::tree::{Root, Written};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Nodes that are written at a time.
const BATCH: usize = 64;

impl<D: Disk> Volume<D> {
    /// Writes what the last commit has and no settled one had to its second places, and what the disk spoiled to where it was. Gives the commit up to
    /// which all is there twice then: as before if the disk fails at it, since then it only is not there twice.
    pub(super) async fn write_twins(&self) -> u64 {
        let (before, now) = {
            let durable = &self.state.borrow().durable;
            (durable.settled, durable.commit)
        };
        match self.write_missing(before).await {
            Ok(true) => now,
            Ok(false) | Err(_) => before,
        }
    }

    /// Nodes that are younger than `since`. A child is not younger than its parent. False if something cannot be read, and what is below it.
    async fn write_missing(&self, since: u64) -> Result<bool, StoreError> {
        let roots = self.roots_of_all();
        // Each root has at most all blocks: more nodes than that are made up.
        let mut left = self.state.borrow().durable.used.saturating_mul(roots.len() as u64);
        let mut stack: Vec<(Pointer, u8)> = roots.iter().map(|root| (root.pointer, root.level)).collect();
        let (mut batch, mut is_all) = (self.read_spoiled(&roots).await, true);
        while let Some((pointer, level)) = stack.pop() {
            if pointer.is_none() || pointer.birth <= since {
                continue;
            }
            let endless = StoreError::Corrupt { block: pointer.address, fault: Fault::Count };
            left = left.checked_sub(1).ok_or(endless)?;
            let Some(page) = self.read_if_any(&pointer, level).await? else {
                is_all = false;
                continue;
            };
            let below = level.saturating_sub(1);
            let children = if level > 0 { 0..page.count() } else { 0..0 };
            stack.extend(children.map(|index| (page.pointer(index), below)));
            batch.push((pointer.by_twin(), page));
            if batch.len() >= BATCH {
                self.write_batch(&mut batch).await?;
            }
        }
        self.write_batch(&mut batch).await?;
        self.disk.flush().await.map_err(StoreError::disk(0))?;
        Ok(is_all)
    }

    /// The roots of the last commit and of its snapshots.
    fn roots_of_all(&self) -> Vec<Root> {
        let state = self.state.borrow();
        let kept = state.durable_snapshots.iter().filter(|snapshot| !snapshot.deleting);
        let mut roots: Vec<Root> = kept.map(|snapshot| snapshot.root).collect();
        roots.extend([state.durable.records, state.durable.snapshots]);
        roots.dedup();
        roots
    }

    /// A node that is to be written; none if the medium does not give it back, however often it is asked.
    async fn read_if_any(&self, pointer: &Pointer, level: u8) -> Result<Option<Rc<Page>>, StoreError> {
        for _ in 0..TRIES {
            match self.node_of_commit(pointer, level).await {
                Ok(page) => return Ok(Some(page)),
                Err(error) if error.is_of_medium() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn node_of_commit(&self, pointer: &Pointer, level: u8) -> Result<Rc<Page>, StoreError> {
        let here = self.state.borrow().node(pointer).filter(|page| page.level() == level).cloned();
        match here {
            Some(page) => Ok(page),
            None => self.visit(pointer, level).await,
        }
    }

    /// What is to be written again, as it is at its other place.
    async fn read_spoiled(&self, roots: &[Root]) -> Vec<Written> {
        let spoiled = core::mem::take(&mut self.state.borrow_mut().spoiled);
        let mut found = Vec::new();
        for (place, pointer) in spoiled {
            let other = if place == pointer.twin { pointer } else { pointer.by_twin() };
            if let Ok(page) = self.read_block(&other).await
                && self.is_in_any(roots, &pointer, &page).await
            {
                found.push((other.by_twin(), page));
            }
        }
        found
    }

    /// Whether a tree of the last commit or of a snapshot has a node. Who found it spoiled may have been overtaken by a commit that gave its places to
    /// others, and not have known it yet.
    async fn is_in_any(&self, roots: &[Root], pointer: &Pointer, page: &Page) -> bool {
        // The first key of an inner node is empty, and the last one is as good.
        let key = page.key(page.count().saturating_sub(1));
        for root in roots {
            let (mut at, mut level) = (root.pointer, root.level);
            let is_it = |at: Pointer| at == *pointer || at.by_twin() == *pointer;
            while !is_it(at) && level > page.level() {
                let Ok(node) = self.node_of_commit(&at, level).await else { break };
                (at, level) = (node.pointer(node.child(key)), level - 1);
            }
            if is_it(at) {
                return true;
            }
        }
        false
    }

    /// Writes nodes where nothing else can be: each to the first place of its pointer.
    async fn write_batch(&self, batch: &mut Vec<Written>) -> Result<(), StoreError> {
        batch.retain(|(pointer, _)| self.can_have(pointer.address));
        batch.sort_unstable_by_key(|(pointer, _)| pointer.address);
        for run in runs(batch) {
            match self.disk.write(run.first, &run.pieces).await {
                Err(DiskError::Media) => {
                    let blocks = run.first..run.first.saturating_add(run.pieces.len() as u64);
                    for written in batch.iter().filter(|(pointer, _)| blocks.contains(&pointer.address)) {
                        self.write_one(written).await?;
                    }
                }
                written => written.map_err(StoreError::disk(run.first))?,
            }
        }
        batch.clear();
        Ok(())
    }

    /// Writes a node where the medium may not take it, however often it is asked: then it stays at one place, as `check` says, until it is settled again.
    async fn write_one(&self, (pointer, page): &Written) -> Result<(), StoreError> {
        let block = pointer.address;
        for _ in 0..TRIES {
            match self.disk.write(block, &[&page.0]).await {
                Ok(()) => return Ok(()),
                Err(DiskError::Media) => {}
                Err(error) => return Err(StoreError::Disk { block, error }),
            }
        }
        self.state.borrow_mut().write_again(block, pointer);
        Ok(())
    }
}
