//! The state of a mounted volume.

use super::snapshot::Snapshot;
use crate::cache::Cache;
use crate::node::Page;
use crate::pointer::Pointer;
use crate::space::{Space, Span};
use crate::superblock::Superblock;
use crate::tree::{Dirty, Root, Tree, Written};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// How much memory a mounted volume takes, in blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Nodes that are kept since they may be wanted again.
    pub nodes: usize,
    /// The same for blocks of data.
    pub data: usize,
    /// Changed nodes. More than this is refused; half of it is a good time for a commit.
    pub dirty: usize,
}

impl Default for Limits {
    /// 4 MiB of nodes, 4 MiB of data, 4 MiB of changes.
    fn default() -> Limits {
        Limits { nodes: 1024, data: 1024, dirty: 1024 }
    }
}

/// What space is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Anything.
    Ordinary,
    /// To give back more than it takes. It may use some blocks that are kept from others.
    Removal,
    /// For what a commit, a snapshot's end or the volume itself needs: any block.
    Upkeep,
}

/// How far a commit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// There is none.
    Open,
    /// Blocks are written that do not count yet.
    Writing,
    /// The superblock is written, alone or side by side with the rest.
    Counting,
}

/// A block that snapshots need and the volume does not: where, and its birth.
pub type Dead = (u64, u64);

/// All but the disk.
pub struct Core {
    pub limits: Limits,
    pub stage: Stage,
    /// The last commit, its slot and its snapshots.
    pub durable: Superblock,
    pub slot: u64,
    pub durable_snapshots: Vec<Snapshot>,
    /// Something was written that is not durable. So it may be right after a mount: nobody knows what came before.
    pub is_loose: bool,
    /// The last commit is durable, and none that failed or was passed over can come back.
    pub is_sure: bool,
    /// The last commit that was to be settled.
    pub tried: u64,
    /// Slots that may have a superblock which is not to count.
    pub stale: Vec<u64>,
    /// The open transaction.
    pub records: Root,
    pub tree: Root,
    pub snapshots: Vec<Snapshot>,
    pub dirty: [Dirty; 2],
    pub dead: Vec<Dead>,
    /// Blocks that only snapshots need, as records say; beside them there are the dead ones of the open transaction.
    pub held: u64,
    pub space: Space,
    /// Places of nodes that the disk spoiled, and the nodes, to be written there again if they are still in a tree.
    pub spoiled: Vec<(u64, Pointer)>,
    /// How many such places were found.
    pub spoils: u64,
    /// Blocks of data that are written with the commit, by their addresses, and must not be read from the disk before.
    pub fresh: BTreeMap<u64, Written>,
    /// Nodes that a commit is writing, and that must not be read from the disk before.
    pub writing: Vec<Written>,
    pub nodes: Cache,
    pub data: Cache,
    /// Counts what changes pointers: who finds something wrong looks whether this changed meanwhile.
    pub changes: u64,
    pub epoch: u64,
}

/// Blocks that are kept from ordinary changes: enough for some removals, and not much of a small volume.
const FEWEST_KEPT: u64 = 40;
const MOST_KEPT: u64 = 4096;
const KEPT_SHARE: u64 = 64;
/// Dead blocks of one record.
pub const DEAD_OF_RECORD: usize = 64;
/// Spoiled places that are remembered: whatever is more is found again when it is read.
const SPOILED_MOST: usize = 64;
/// Words of bookkeeping in a block of memory, for what is neither node nor data.
const NOTES_OF_BLOCK: usize = 128;

impl Core {
    /// As a mount finds it.
    pub fn new(limits: Limits, durable: Superblock, slot: u64, stale: Vec<u64>) -> Core {
        let space = Space::new(durable.layout, durable.maps, durable.used, durable.log.clone());
        Core {
            limits,
            stage: Stage::Open,
            slot,
            durable_snapshots: Vec::new(),
            is_loose: true,
            is_sure: false,
            tried: 0,
            stale,
            records: durable.records,
            tree: durable.snapshots,
            snapshots: Vec::new(),
            dirty: [Dirty::new(Tree::Records), Dirty::new(Tree::Snapshots)],
            dead: Vec::new(),
            held: durable.held,
            space,
            spoiled: Vec::new(),
            spoils: 0,
            fresh: BTreeMap::new(),
            writing: Vec::new(),
            nodes: Cache::new(limits.nodes),
            data: Cache::new(limits.data),
            changes: 0,
            epoch: 0,
            durable,
        }
    }

    /// Goes back to the last commit.
    pub fn revert(&mut self) {
        let durable = &self.durable;
        let space = Space::new(durable.layout, durable.maps, durable.used, durable.log.clone());
        self.space = space.go_on(&self.space);
        (self.records, self.tree) = (durable.records, durable.snapshots);
        self.snapshots = self.durable_snapshots.clone();
        self.dirty.iter_mut().for_each(Dirty::clear);
        self.dead.clear();
        self.held = durable.held;
        self.fresh.clear();
        self.writing.clear();
        self.nodes.clear();
        self.data.clear();
        self.stage = Stage::Open;
        self.changes += 1;
        self.epoch += 1;
    }

    /// The number of the open transaction.
    pub fn number(&self) -> u64 {
        self.durable.commit + 1
    }

    pub fn root(&self, tree: Tree) -> Root {
        match tree {
            Tree::Records => self.records,
            Tree::Snapshots => self.tree,
        }
    }

    /// The root of a tree, and its nodes in memory, to be changed.
    pub fn tree_mut(&mut self, tree: Tree) -> (&mut Root, &mut Dirty) {
        let [records, snapshots] = &mut self.dirty;
        match tree {
            Tree::Records => (&mut self.records, records),
            Tree::Snapshots => (&mut self.tree, snapshots),
        }
    }

    pub fn dirty_of(&self, tree: Tree) -> &Dirty {
        let [records, snapshots] = &self.dirty;
        match tree {
            Tree::Records => records,
            Tree::Snapshots => snapshots,
        }
    }

    fn dirty_nodes(&self) -> usize {
        self.dirty.iter().map(Dirty::count).sum()
    }

    /// Blocks of memory of the open transaction.
    pub fn dirty(&self) -> usize {
        let notes = self.space.pending() + self.space.log.len() + self.dead.len();
        self.dirty_nodes() + self.fresh.len() + notes / NOTES_OF_BLOCK
    }

    /// Whether it is time for a commit.
    pub fn is_due(&self) -> bool {
        self.dirty() >= self.limits.dirty / 2
    }

    /// A block of data that is here.
    pub fn block(&self, pointer: &Pointer) -> Option<&Rc<Page>> {
        let fresh = || self.fresh.get(&pointer.address).filter(|(written, _)| written == pointer);
        self.data.get(pointer).or_else(|| fresh().map(|(_, page)| page))
    }

    /// Whether there is nothing to commit.
    pub fn is_clean(&self) -> bool {
        self.records == self.durable.records
            && self.tree == self.durable.snapshots
            && self.dead.is_empty()
            && self.space.pending() == 0
            && self.space.layout == self.durable.layout
            && self.space.log == self.durable.log
    }

    /// Blocks that only snapshots need.
    pub fn held_now(&self) -> u64 {
        self.held.saturating_add(self.dead.len() as u64)
    }

    /// Blocks that are kept from some need.
    pub fn reserve(&self, need: Need) -> u64 {
        let all = (self.space.layout.total() / KEPT_SHARE).clamp(FEWEST_KEPT, MOST_KEPT);
        match need {
            Need::Ordinary => all,
            Need::Removal => all / 2,
            Need::Upkeep => 0,
        }
    }

    /// Blocks that can still be taken for some need, beside those that the commit will take.
    pub fn room(&self, need: Need) -> u64 {
        let records = self.dead.len().div_ceil(DEAD_OF_RECORD) as u64;
        let burial = if records == 0 { 0 } else { records + 2 * (u64::from(self.tree.level) + 2) };
        // Each node goes to two places.
        let commit = 2 * (self.dirty_nodes() as u64 + burial);
        self.space.free().saturating_sub(commit + self.reserve(need))
    }

    /// A node that is here.
    pub fn node(&self, pointer: &Pointer) -> Option<&Rc<Page>> {
        if let Some(tree) = Dirty::tree(pointer) {
            return self.dirty_of(tree).get(pointer);
        }
        self.nodes.get(pointer).or_else(|| {
            let written = self.writing.iter().find(|(written, _)| written == pointer)?;
            Some(&written.1)
        })
    }

    /// A place of a node is not what it should be, and the other one is: it is to be written again.
    pub fn spoil(&mut self, place: u64, pointer: &Pointer) {
        self.spoils += 1;
        self.write_again(place, pointer);
    }

    /// A node is to be written to one of its places when a commit is settled.
    pub fn write_again(&mut self, place: u64, pointer: &Pointer) {
        if self.spoiled.len() < SPOILED_MOST && !self.spoiled.iter().any(|(other, _)| *other == place) {
            self.spoiled.push((place, *pointer));
        }
    }

    /// A tree does not need a block any more, or a node, which has two.
    pub fn release(&mut self, tree: Tree, pointer: &Pointer) {
        self.release_one(tree, pointer);
        if pointer.twin != 0 {
            self.release_one(tree, &pointer.by_twin());
        }
    }

    fn release_one(&mut self, tree: Tree, pointer: &Pointer) {
        if self.space.layout.is_fixed(pointer.address) {
            return;
        }
        let newest = self.snapshots.last().map_or(0, |snapshot| snapshot.id);
        if pointer.birth == self.number() {
            self.space.give_back(Span { start: pointer.address, count: 1 });
        } else if tree == Tree::Records && pointer.birth <= newest {
            self.dead.push((pointer.address, pointer.birth));
        } else {
            self.space.give_back_later(pointer.address);
        }
    }
}
