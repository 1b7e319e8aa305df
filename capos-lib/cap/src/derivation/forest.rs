//! For tests: an arena with a list of what is unused, as the kernel has one, and transfers that keep it in step.

use super::{Gone, Next, Node, NodeId, Place, Tree, TreeError};
use crate::table::Table;
use crate::transfer::Lineage;
use capos_abi::CapId;
use std::vec::Vec;

pub(crate) struct Forest {
    nodes: Vec<Node>,
    unused: Vec<NodeId>,
    /// Nodes that tables keep to spare.
    spare: usize,
    /// Marks of revocations in progress.
    pub revoking: usize,
}

impl Forest {
    pub fn new(room: u32) -> Self {
        let nodes = (0..=room).map(|_| Node::unused()).collect();
        Forest { nodes, unused: (1..=room).rev().filter_map(NodeId::new).collect(), spare: 0, revoking: 0 }
    }

    pub fn tree(&self) -> Tree<'_, [Node]> {
        Tree::of(&self.nodes)
    }

    /// Nodes in use, dead ones included.
    pub fn len(&self) -> usize {
        self.nodes.len() - 1 - self.unused.len() - self.spare
    }

    pub fn root(&mut self, place: Place) -> NodeId {
        let node = self.unused.pop().expect("room");
        self.tree().plant(node, place);
        node
    }

    pub fn derive(&mut self, parent: NodeId, place: Place) -> Result<NodeId, TreeError> {
        self.check(parent)?;
        let node = self.unused.pop().ok_or(TreeError::OutOfMemory)?;
        self.tree().derive(node, parent, place);
        Ok(node)
    }

    /// As the kernel does it: nobody is asked while nothing is being revoked.
    pub fn check(&self, node: NodeId) -> Result<(), TreeError> {
        if self.revoking == 0 { Ok(()) } else { self.tree().check(node) }
    }

    pub fn released(&mut self, node: NodeId) {
        let own = self.gone(node);
        self.unused.extend(own.then_some(node));
    }

    /// The same for a capability that was taken out of `table`, which keeps the node if it can.
    pub fn left<O: Clone>(&mut self, table: &mut Table<O>, id: CapId, node: NodeId) {
        if self.gone(node) {
            let back = table.leave_spare(id, node);
            self.spare += usize::from(back.is_none());
            self.unused.extend(back);
        }
    }

    /// A node that a table kept to spare is unused again.
    pub fn spared(&mut self, node: NodeId) {
        self.spare -= 1;
        self.unused.push(node);
    }

    fn gone(&mut self, node: NodeId) -> bool {
        let Gone { own, other, revoking } = self.tree().released(node);
        self.unused.extend(other);
        self.revoking -= usize::from(revoking);
        own
    }

    pub fn moved(&mut self, node: NodeId, place: Place) {
        self.revoking -= usize::from(self.tree().moved(node, place));
    }

    pub fn begin(&mut self, node: NodeId) -> bool {
        let begun = self.tree().begin_revoke(node);
        self.revoking += usize::from(begun);
        begun
    }

    pub fn end(&mut self, node: NodeId) {
        self.revoking -= usize::from(self.tree().end_revoke(node));
    }

    /// One step of a revocation.
    pub fn revoke(&mut self, root: NodeId) -> Next {
        let next = self.tree().revoke(root);
        if let Next::Look(unused) = next {
            self.unused.extend(unused);
        }
        next
    }

    /// Takes a victim out of the table that it is in.
    pub fn kill<O: Clone>(&mut self, table: &mut Table<O>, place: Place, node: NodeId) -> bool {
        let found = table.release_node(place.cap, node).is_some();
        if found {
            self.left(table, place.cap, node);
        }
        found
    }
}

/// The forest during a transfer into one table.
pub(crate) struct Sending<'f> {
    forest: &'f mut Forest,
    table: u64,
    fresh: Vec<NodeId>,
}

impl<'f> Sending<'f> {
    pub fn to(forest: &'f mut Forest, table: u64) -> Self {
        Sending { forest, table, fresh: Vec::new() }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.forest.unused.append(&mut self.fresh);
    }
}

impl Lineage for Sending<'_> {
    fn check(&self, node: NodeId) -> Result<(), TreeError> {
        self.forest.check(node)
    }

    fn reserve(&mut self, copies: usize) -> Result<(), TreeError> {
        let left = self.forest.unused.len().checked_sub(copies).ok_or(TreeError::OutOfMemory)?;
        self.fresh = self.forest.unused.split_off(left);
        Ok(())
    }

    fn copied(&mut self, parent: NodeId, id: CapId, spare: Option<NodeId>) -> Option<NodeId> {
        self.forest.spare -= usize::from(spare.is_some());
        let node = spare.unwrap_or_else(|| self.fresh.pop().expect("reserved"));
        self.forest.tree().derive(node, parent, Place { table: self.table, cap: id });
        Some(node)
    }

    fn moved(&mut self, node: NodeId, id: CapId) {
        self.forest.moved(node, Place { table: self.table, cap: id });
    }
}
