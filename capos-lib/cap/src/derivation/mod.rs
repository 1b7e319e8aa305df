//! Who was derived from whom, across all tables.
//!
//! Every tracked capability has a node. A copy or an attenuated facet is a child of what it was made from; a move keeps its node.
//! Revoking a node kills everything below it, one bounded step after the other.
//!
//! A capability that is released while others derive from it must not cut them off from *its* ancestors. If it has one child, the
//! child takes its place. If it has more, it stays as a dead node. So every dead node has at least two children, and there are
//! always fewer dead nodes than live ones: no sequence of copies and releases grows the tree beyond twice what is alive.

mod nodes;
mod revoke;
#[cfg(test)]
mod tests;

pub use revoke::Progress;

use crate::transfer::Lineage;
use capos_abi::{CapId, TransferMode};
use nodes::{Index, Nodes};

/// Names a node; stale when the node is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NodeId {
    index: u32,
    generation: u32,
}

/// Where a capability is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// Which table: a number of the caller's, such as the process id.
    pub table: u64,
    /// Which entry.
    pub cap: CapId,
}

/// Why the tree refused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// The node is gone, or its capability is.
    Stale,
    /// The node, or one above it, is being revoked, so what would be derived now would die at once; or too much else is being
    /// revoked. Try again later.
    Revoking,
    /// The kernel heap has no room.
    OutOfMemory,
}

/// How far up a derivation looks for a revocation in progress. Only while there is one; deeper families have to wait for its end.
const MOST_ANCESTORS: usize = 64;

/// How many revocations there may be in progress. Bounds the work of one step, which may have to look through all of them.
const MOST_REVOCATIONS: usize = 8;

/// The derivation tree (a forest: one root for each object handed out).
pub struct Tree {
    nodes: Nodes,
    /// Revocations in progress.
    revoking: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// No families.
    pub const fn new() -> Self {
        Tree { nodes: Nodes::new(), revoking: 0 }
    }

    /// Makes sure that the next `more` roots or children find room.
    ///
    /// # Errors
    /// [`TreeError::OutOfMemory`].
    pub fn reserve(&mut self, more: usize) -> Result<(), TreeError> {
        self.nodes.reserve(more)
    }

    /// A capability that derives from no other.
    ///
    /// # Errors
    /// [`TreeError::OutOfMemory`].
    pub fn root(&mut self, place: Place) -> Result<NodeId, TreeError> {
        self.nodes.reserve(1)?;
        self.nodes.add(place).map(|index| self.nodes.id(index)).ok_or(TreeError::OutOfMemory)
    }

    /// A capability made from the one of `parent`.
    ///
    /// # Errors
    /// Any [`TreeError`].
    pub fn derive(&mut self, parent: NodeId, place: Place) -> Result<NodeId, TreeError> {
        self.check_derive(parent)?;
        self.nodes.reserve(1)?;
        let parent = self.nodes.find(parent).ok_or(TreeError::Stale)?;
        let child = self.nodes.add(place).ok_or(TreeError::OutOfMemory)?;
        self.nodes.attach(child, parent);
        Ok(self.nodes.id(child))
    }

    /// Whether a capability may be made from the one of `parent` now.
    ///
    /// # Errors
    /// [`TreeError::Stale`] or [`TreeError::Revoking`].
    pub fn check_derive(&self, parent: NodeId) -> Result<(), TreeError> {
        let index = self.live(parent)?;
        if self.revoking == 0 {
            return Ok(());
        }
        let mut above = core::iter::successors(Some(index), |index| self.nodes.parent(*index));
        let clear = above.by_ref().take(MOST_ANCESTORS).all(|index| !self.nodes.is_revoking(index));
        if clear && above.next().is_none() { Ok(()) } else { Err(TreeError::Revoking) }
    }

    /// Where the capability of a node is. `None` when it is gone.
    pub fn place(&self, node: NodeId) -> Option<Place> {
        self.nodes.place(self.nodes.find(node)?)
    }

    /// Notes that a capability has moved.
    ///
    /// # Errors
    /// [`TreeError::Stale`].
    pub fn moved(&mut self, node: NodeId, place: Place) -> Result<(), TreeError> {
        let index = self.live(node)?;
        self.nodes.set_place(index, Some(place));
        Ok(())
    }

    /// Notes that a capability was released. What derives from it lives on, as descendants of its ancestors.
    ///
    /// # Errors
    /// [`TreeError::Stale`].
    pub fn released(&mut self, node: NodeId) -> Result<(), TreeError> {
        let index = self.live(node)?;
        self.nodes.set_place(index, None);
        self.tidy(index);
        Ok(())
    }

    /// Nodes in use, dead ones included; for audits.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 0
    }

    fn live(&self, node: NodeId) -> Result<Index, TreeError> {
        let index = self.nodes.find(node).ok_or(TreeError::Stale)?;
        if self.nodes.place(index).is_some() { Ok(index) } else { Err(TreeError::Stale) }
    }

    /// Takes a dead node out if fewer than two others hang on it, and then looks at the one above.
    fn tidy(&mut self, index: Index) {
        let mut next = Some(index);
        while let Some(index) = next {
            if self.nodes.place(index).is_some() || self.nodes.is_revoking(index) {
                return;
            }
            let parent = self.nodes.parent(index);
            match (self.nodes.first_child(index), self.nodes.only_child(index)) {
                (None, _) => {
                    self.nodes.detach(index);
                    self.nodes.remove(index);
                    next = parent;
                }
                (Some(_), Some(heir)) => {
                    self.nodes.detach(heir);
                    self.nodes.replace(index, heir);
                    self.nodes.remove(index);
                    return;
                }
                (Some(_), None) => return,
            }
        }
    }
}

/// The tree during a transfer into one table.
pub struct Family<'t> {
    /// The tree.
    pub tree: &'t mut Tree,
    /// The destination.
    pub table: u64,
}

impl Lineage for Family<'_> {
    fn check(&self, node: NodeId, mode: TransferMode) -> Result<(), TreeError> {
        match mode {
            TransferMode::Copy => self.tree.check_derive(node),
            TransferMode::Move => self.tree.live(node).map(|_| ()),
        }
    }

    fn reserve(&mut self, copies: usize) -> Result<(), TreeError> {
        self.tree.reserve(copies)
    }

    fn copied(&mut self, parent: NodeId) -> Option<NodeId> {
        // The place follows at once, by `placed`.
        self.tree.derive(parent, Place { table: self.table, cap: CapId::NULL }).ok()
    }

    fn placed(&mut self, node: NodeId, id: CapId) {
        // Cannot be stale: checked when the transfer began, and the tree is ours since.
        let moved = self.tree.moved(node, Place { table: self.table, cap: id });
        debug_assert!(moved.is_ok(), "a node died during a transfer");
    }
}
