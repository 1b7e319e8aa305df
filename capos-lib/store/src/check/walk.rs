//! Walking the trees.

use super::blocks::Blocks;
use super::{Finding, Findings};
use crate::disk::{BLOCK, Disk};
use crate::error::StoreError;
use crate::node::Page;
use crate::pointer::Pointer;
use crate::tree::{Root, Tree};
use crate::volume::{Volume, dead, death};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

/// Which blocks are in use.
#[derive(Default)]
pub struct Found {
    /// By the volume as it is.
    pub live: Blocks,
    /// By snapshots.
    pub kept: Blocks,
    /// By the tree of snapshots, and dead blocks of snapshots that are being deleted.
    pub other: Blocks,
    /// Those that are said to have died.
    pub dead: Blocks,
}

/// A node that is to be looked at: where, its level, between which keys it is.
struct Visit {
    pointer: Pointer,
    level: u8,
    low: Vec<u8>,
    high: Option<Vec<u8>>,
}

struct Walk<'w, D, F> {
    volume: &'w Volume<D>,
    findings: &'w mut F,
    data: bool,
    /// Blocks that this tree has.
    blocks: &'w mut Blocks,
    /// What is not younger than this was looked at before, in an older snapshot.
    since: u64,
    /// No block is younger.
    until: u64,
    /// Dead blocks of this tree's records.
    dead: Vec<(u64, u64, u64)>,
    tree: Tree,
}

/// Walks all trees, those of snapshots from the oldest on.
pub async fn walk<D: Disk, F: Findings>(
    volume: &Volume<D>,
    findings: &mut F,
    data: bool,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let (records, snapshots, commit) = volume.roots();
    let mut since = 0;
    for snapshot in volume.snapshots().iter().filter(|snapshot| !snapshot.deleting) {
        let blocks = &mut found.kept;
        let until = snapshot.id;
        let mut walk =
            Walk { volume, findings, data, blocks, since, until, dead: vec![], tree: Tree::Records };
        walk.tree(&snapshot.root).await;
        since = snapshot.id;
    }
    let blocks = &mut found.live;
    let mut walk =
        Walk { volume, findings, data, blocks, since: 0, until: commit, dead: vec![], tree: Tree::Records };
    walk.tree(&records).await;
    let blocks = &mut found.other;
    let mut walk =
        Walk { volume, findings, data, blocks, since: 0, until: commit, dead: vec![], tree: Tree::Snapshots };
    walk.tree(&snapshots).await;
    let dead = walk.dead;
    let (said, counted) = (volume.held(), dead.len() as u64);
    if said != counted {
        findings.found(Finding::Held { said, counted });
    }
    bury(volume, findings, &mut found, &dead);
    Ok(found)
}

/// Looks whether what is said to have died did.
fn bury<D: Disk, F: Findings>(
    volume: &Volume<D>,
    findings: &mut F,
    found: &mut Found,
    dead: &[(u64, u64, u64)],
) {
    let deleting: Vec<u64> =
        volume.snapshots().iter().filter(|snapshot| snapshot.deleting).map(|snapshot| snapshot.id).collect();
    for (block, birth, death) in dead.iter().copied() {
        if !found.dead.insert(block) {
            findings.found(Finding::Twice { block });
        }
        let held = deleting.iter().any(|id| birth <= *id && *id < death);
        if found.live.contains(block) || !found.kept.contains(block) && !held {
            findings.found(Finding::NotDead { block });
        } else if !found.kept.contains(block) && !found.other.insert(block) {
            findings.found(Finding::Twice { block });
        }
    }
    for block in
        found.kept.iter().filter(|block| !found.live.contains(*block) && !found.dead.contains(*block))
    {
        findings.found(Finding::Unburied { block });
    }
}

impl<D: Disk, F: Findings> Walk<'_, D, F> {
    /// Looks at a whole tree. Each block is visited once, so it ends, whatever the nodes say.
    async fn tree(&mut self, root: &Root) {
        if root.pointer.is_none() || !self.is_new(&root.pointer, self.until) {
            return;
        }
        let mut stack = vec![Visit { pointer: root.pointer, level: root.level, low: vec![], high: None }];
        while let Some(visit) = stack.pop() {
            match self.read(&visit).await {
                Ok(page) => self.node(&page, &visit, &mut stack).await,
                Err(error) => self.findings.found(Finding::Unreadable(error)),
            }
        }
    }

    /// Reads a node at both of its places.
    async fn read(&mut self, visit: &Visit) -> Result<Rc<Page>, StoreError> {
        let Visit { pointer, level, .. } = visit;
        let first = self.volume.visit(pointer, *level).await;
        // Where it leads was looked at with the first place.
        if !self.volume.is_twice(pointer) || !self.volume.can_have(pointer.twin) {
            return first;
        }
        let second = self.volume.visit(&pointer.by_twin(), *level).await;
        match (first, second) {
            (Ok(page), Err(error)) => {
                self.spoiled(pointer.twin, pointer, error);
                Ok(page)
            }
            (Err(error), Ok(page)) => {
                self.spoiled(pointer.address, pointer, error);
                Ok(page)
            }
            (first, _) => first,
        }
    }

    fn spoiled(&mut self, place: u64, pointer: &Pointer, error: StoreError) {
        self.volume.found_spoiled(place, pointer);
        self.findings.found(Finding::Copy(error));
    }

    /// Looks at where a pointer leads. True if that was not looked at before.
    fn is_new(&mut self, pointer: &Pointer, born_by: u64) -> bool {
        let block = pointer.address;
        if !self.volume.can_have(block) {
            self.findings.found(Finding::Outside { block });
            return false;
        }
        if pointer.birth > born_by {
            self.findings.found(Finding::Birth { block });
        }
        if pointer.birth <= self.since {
            if !self.blocks.contains(block) {
                self.findings.found(Finding::Stray { block });
            }
            return false;
        }
        let new = self.blocks.insert(block);
        if !new {
            self.findings.found(Finding::Twice { block });
        }
        if new && pointer.twin != 0 {
            self.twin(pointer.twin);
        }
        new
    }

    /// The same of a node's second place. What is wrong there does not hide what is below the node.
    fn twin(&mut self, block: u64) {
        if !self.volume.can_have(block) {
            self.findings.found(Finding::Outside { block });
        } else if !self.blocks.insert(block) {
            self.findings.found(Finding::Twice { block });
        }
    }

    async fn node(&mut self, page: &Page, visit: &Visit, stack: &mut Vec<Visit>) {
        let first = usize::from(page.level() > 0);
        let keys = (first..page.count()).map(|index| page.key(index));
        let high = visit.high.as_deref();
        let inside = |key: &[u8]| key >= visit.low.as_slice() && high.is_none_or(|high| key < high);
        if !keys.into_iter().all(inside) {
            self.findings.found(Finding::Bounds { block: visit.pointer.address });
        }
        for index in 0..page.count() {
            if page.level() == 0 {
                self.record(page.key(index), page.value(index), visit.pointer.birth).await;
                continue;
            }
            let pointer = page.pointer(index);
            if self.is_new(&pointer, visit.pointer.birth) {
                let low = if index == 0 { visit.low.clone() } else { page.key(index).to_vec() };
                let last = index + 1 == page.count();
                let high = if last { visit.high.clone() } else { Some(page.key(index + 1).to_vec()) };
                stack.push(Visit { pointer, level: visit.level.saturating_sub(1), low, high });
            }
        }
    }

    async fn record(&mut self, key: &[u8], value: &[u8], birth: u64) {
        if self.tree == Tree::Snapshots {
            if let Some(death) = death(key) {
                self.dead.extend(dead(value).map(|(block, birth)| (block, birth, death)));
            }
            return;
        }
        let (mut pointers, mut fresh) = (Vec::new(), Vec::new());
        self.findings.pointers(key, value, &mut pointers);
        for pointer in pointers.iter().filter(|pointer| !pointer.is_none()) {
            if self.is_new(pointer, birth) && self.data {
                fresh.push(*pointer);
            }
        }
        for run in fresh.chunk_by(|a, b| a.address.wrapping_add(1) == b.address) {
            self.data(run).await;
        }
    }

    /// Reads blocks of data that lie together, and when something is wrong each by itself.
    async fn data(&mut self, run: &[Pointer]) {
        let mut blocks = vec![0; run.len() * BLOCK];
        if self.volume.fetch(run, &mut blocks).await.is_ok() {
            return;
        }
        for (pointer, block) in run.chunks(1).zip(blocks.chunks_mut(BLOCK)) {
            if let Err(error) = self.volume.fetch(pointer, block).await {
                self.findings.found(Finding::Unreadable(error));
            }
        }
    }
}
