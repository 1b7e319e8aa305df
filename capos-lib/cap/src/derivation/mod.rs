//! Who was derived from whom, across all tables.
//!
//! Every capability has a node. A copy or an attenuated facet is a child of what it was made from; a move keeps its node.
//! Revoking a node kills everything below it, one bounded step after the other.
//!
//! A capability that is released while others derive from it must not cut them off from *its* ancestors. If it has one child, the
//! child takes its place. If it has more, it stays as a dead node. So every dead node has at least two children, and there are
//! always fewer dead nodes than live ones: no sequence of copies and releases takes more than two nodes for each that is alive.
//!
//! A family is what hangs together, and what once did. Nothing here locks: whoever works at a node has the lock of its family.

#[cfg(test)]
pub(crate) mod forest;
mod nodes;
mod revoke;
#[cfg(test)]
mod tests;

pub use nodes::{Node, NodeId, Nodes};
pub use revoke::Next;

use capos_abi::CapId;
use nodes::Links;

/// Where a capability is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// Which table: a number of the caller's, such as the process id.
    pub table: u64,
    /// Which entry. Never the null id.
    pub cap: CapId,
}

/// Why a capability may not be derived from, nor move. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// It, or one that it derives from, is being revoked; or too many are above it to find that out at once while somebody in its
    /// family is being revoked.
    Revoking,
    /// There is no room for another node.
    OutOfMemory,
}

/// How far up a derivation looks for a revocation in progress. Only while there is one in the family; what lies deeper has to wait for
/// its end.
pub const MOST_ANCESTORS: usize = 64;

/// What became of nodes when a capability went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Gone {
    /// Its own node is not in use any more. Otherwise it holds others together.
    pub own: bool,
    /// Another one that is not in use any more: a dead one that held it and one other together.
    pub other: Option<NodeId>,
    /// What derives from it was being revoked. That is over: it is for those above it now.
    pub revoking: bool,
}

/// What a capability derives from, for who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// From nothing.
    Nothing,
    /// From the capability there, itself or by way of some that are gone.
    From(Place),
    /// From some that are gone, as far as was looked.
    Gone,
}

/// What an audit finds at a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inspection {
    /// Not in use.
    Unused,
    /// Its capability is there.
    Alive,
    /// Its capability is gone; it holds two others or more together.
    Dead,
    /// It is none of these: a defect.
    Broken,
}

/// The derivation tree, or rather the forest in one arena.
pub struct Tree<'n, N: ?Sized>(Links<'n, N>);

impl<N: ?Sized> Copy for Tree<'_, N> {}
impl<N: ?Sized> Clone for Tree<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'n, N: Nodes + ?Sized> Tree<'n, N> {
    /// The forest of those nodes.
    pub const fn of(nodes: &'n N) -> Self {
        Tree(Links(nodes))
    }

    /// Takes an unused node for a capability that derives from no other: the first of its family. Nobody else can reach it yet, so this
    /// needs no lock.
    pub fn plant(self, id: NodeId, place: Place) {
        if let Some(node) = self.0.node(id) {
            node.begin(place, id.index());
        }
    }

    /// Takes an unused node for a capability made from that of `parent`, into the same family.
    #[inline]
    pub fn derive(self, id: NodeId, parent: NodeId, place: Place) {
        let (Some(node), Some(above)) = (self.0.node(id), self.0.node(parent)) else { return };
        self.derive_node((id, node), (parent, above), place);
    }

    /// The same when both were looked up.
    #[inline]
    pub fn derive_node(self, (id, node): (NodeId, &Node), (parent, above): (NodeId, &Node), place: Place) {
        node.begin(place, above.family());
        self.0.attach_node((id, node), (parent, above));
    }

    /// The number of a node's family.
    #[inline]
    pub fn family(self, id: NodeId) -> u32 {
        self.0.node(id).map_or(0, Node::family)
    }

    /// Where the capability of a node is. `None` when it is gone.
    pub fn place(self, id: NodeId) -> Option<Place> {
        self.0.node(id)?.place()
    }

    /// Whether a capability may be made from the one of `node`, or that one may move, while something in its family is being revoked.
    ///
    /// # Errors
    /// [`TreeError::Revoking`].
    pub fn check(self, node: NodeId) -> Result<(), TreeError> {
        let mut above = core::iter::successors(Some(node), |id| self.0.parent(*id));
        let clear = above.by_ref().take(MOST_ANCESTORS).all(|id| !self.is_revoking(id));
        if clear && above.next().is_none() { Ok(()) } else { Err(TreeError::Revoking) }
    }

    /// Notes that a capability has moved. A revocation of what derives from it does not go along: true when there was one.
    pub fn moved(self, id: NodeId, place: Place) -> bool {
        let Some(node) = self.0.node(id) else { return false };
        node.set_place(Some(place));
        node.set_revoking(false)
    }

    /// Notes that a capability is gone. What derives from it lives on, as descendants of its ancestors.
    pub fn released(self, id: NodeId) -> Gone {
        self.0.node(id).map_or_else(Gone::default, |node| self.released_node(id, node))
    }

    /// The same when the node was looked up.
    #[inline]
    pub fn released_node(self, id: NodeId, node: &Node) -> Gone {
        node.set_place(None);
        let revoking = node.set_revoking(false);
        // Most have no children.
        if node.is_leaf() {
            return Gone { own: true, other: self.take_out(node), revoking };
        }
        Gone { own: self.tidy(id).is_some(), other: None, revoking }
    }

    /// Takes a leaf out, and the one above if that is dead and has one child left.
    #[inline]
    fn take_out(self, node: &Node) -> Option<NodeId> {
        let parent = node.parent();
        if let Some(above) = self.0.detach_node(node)
            && above.is_alive()
        {
            return None;
        }
        self.tidy(parent?)
    }

    /// What a node derives from.
    #[inline]
    pub fn parent(self, id: NodeId) -> Option<NodeId> {
        self.0.parent(id)
    }

    /// What a node derives from, past at most `most` that are gone.
    pub fn origin(self, id: NodeId, most: usize) -> Origin {
        let mut above = core::iter::successors(self.parent(id), |id| self.parent(*id)).peekable();
        if above.peek().is_none() {
            return Origin::Nothing;
        }
        above.take(most + 1).find_map(|id| self.place(id)).map_or(Origin::Gone, Origin::From)
    }

    /// Has a leaf derive from nothing. Gives a node that is not in use any more: a dead one that held it and one other together.
    pub fn cut_off(self, id: NodeId) -> Option<NodeId> {
        self.take_out(self.0.node(id)?)
    }

    /// Takes a dead node with one child out, which takes its place.
    #[cold]
    fn tidy(self, id: NodeId) -> Option<NodeId> {
        if self.is_alive(id) {
            return None;
        }
        let heir = self.0.only_child(id)?;
        self.0.detach(heir);
        self.0.replace(id, heir);
        Some(id)
    }

    /// What a node is, and whether its links lead back to it.
    pub fn inspect(self, id: NodeId) -> Inspection {
        let links = self.0;
        let child = links.first_child(id);
        let in_order = links.parent(id).is_none_or(|parent| {
            let place = match links.previous(id) {
                Some(previous) => links.next(previous),
                None => links.first_child(parent),
            };
            place == Some(id)
        });
        let known_below = child.is_none_or(|child| links.parent(child) == Some(id));
        match (self.is_alive(id), child) {
            (false, None) => Inspection::Unused,
            _ if !in_order || !known_below => Inspection::Broken,
            (true, _) => Inspection::Alive,
            (false, Some(child)) if links.next(child).is_none() => Inspection::Broken,
            (false, Some(_)) => Inspection::Dead,
        }
    }

    fn is_alive(self, id: NodeId) -> bool {
        self.0.node(id).is_some_and(Node::is_alive)
    }

    /// Whether what derives from a node is being revoked.
    pub fn is_revoking(self, id: NodeId) -> bool {
        self.0.node(id).is_some_and(Node::is_revoking)
    }
}
