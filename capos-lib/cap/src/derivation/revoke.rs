//! Revocation in bounded steps.
//!
//! Its state lies in the tree itself, so it can be left at any step, and other changes may come in between. Each step looks at the
//! first child of the revoked node. A live one is to be killed: the caller takes it out of its table, wherever that is, and says so with
//! [`Tree::released`]. A dead one hands one of its children up. So every node below is killed once and handed up at most once, and no
//! step depends on how many there are. Meanwhile nothing below can be derived from or move (see [`Tree::check`]), or a holder who
//! copies as fast as we kill could keep us busy for ever.

use super::{Node, NodeId, Nodes, Place, Tree};

/// What a revocation is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Take this capability out of its table, if it is still there.
    Kill {
        /// Where it is.
        place: Place,
        /// Its node.
        node: NodeId,
    },
    /// Nothing for now: a dead node has handed a child up. It may be unused now.
    Look(Option<NodeId>),
    /// Nothing is left below the node.
    Done,
}

impl<N: Nodes + ?Sized> Tree<'_, N> {
    /// Marks a node as one below which everything is to die; the capability itself stays. False when it was marked before.
    pub fn begin_revoke(self, node: NodeId) -> bool {
        self.0.node(node).is_some_and(|node| !node.set_revoking(true))
    }

    /// Takes the mark away. False when there was none.
    pub fn end_revoke(self, node: NodeId) -> bool {
        self.0.node(node).is_some_and(|node| node.set_revoking(false))
    }

    /// The next step of the revocation of what is below `root`.
    pub fn revoke(self, root: NodeId) -> Next {
        let Some(child) = self.0.first_child(root) else { return Next::Done };
        match self.0.node(child).and_then(Node::place) {
            Some(place) => Next::Kill { place, node: child },
            None => Next::Look(self.hand_up(child, root)),
        }
    }

    /// A dead child of `root` gives its first child to `root`, and goes when one is left, which takes its place.
    fn hand_up(self, dead: NodeId, root: NodeId) -> Option<NodeId> {
        if let Some(child) = self.0.first_child(dead) {
            self.0.detach(child);
            self.0.attach(child, root);
        }
        self.tidy(dead)
    }
}
