//! Revocation in bounded steps.
//!
//! The state of a revocation lies in the tree itself, so it can be left at any step, and other changes may come in between. Each
//! step looks at the first child of the revoked node. A live one is killed: the caller takes it out of its table. A dead one hands
//! its children up, one by one, and is then taken out. So every node below is killed once and handed up at most once, and no step
//! depends on how many there are. Meanwhile nothing can be derived anywhere below (see [`Tree::check_derive`]), or a holder who
//! copies as fast as we kill could keep us busy for ever.

use super::nodes::Index;
use super::{MOST_REVOCATIONS, NodeId, Place, Tree, TreeError};

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// This capability is dead: take it out of its table (if it is still there, see [`crate::Table::release_node`]), and go on.
    Victim {
        /// Where it is.
        place: Place,
        /// Its node, which names nothing any more.
        node: NodeId,
    },
    /// Out of steps; go on when convenient.
    More,
    /// Nothing is left below the node.
    Done,
}

impl Tree {
    /// Begins to revoke everything that was derived from a capability; the capability itself stays.
    ///
    /// # Errors
    /// [`TreeError::Stale`], or [`TreeError::Revoking`] when that has begun before, or too many others have.
    pub fn begin_revoke(&mut self, node: NodeId) -> Result<(), TreeError> {
        let index = self.live(node)?;
        if self.nodes.is_revoking(index) || self.revoking >= MOST_REVOCATIONS {
            return Err(TreeError::Revoking);
        }
        self.nodes.set_revoking(index, true);
        self.revoking += 1;
        Ok(())
    }

    /// Goes on with a revocation until there is a victim, for at most `steps` steps.
    ///
    /// [`Progress::Done`] also when the node is gone: then a revocation above it has done its work, too.
    pub fn revoke(&mut self, node: NodeId, steps: usize) -> Progress {
        let Some(root) = self.nodes.find(node).filter(|index| self.nodes.is_revoking(*index)) else {
            return Progress::Done;
        };
        for _ in 0..steps {
            let root = self.innermost(root);
            let Some(child) = self.nodes.first_child(root) else {
                self.end_revoke(root);
                return Progress::Done;
            };
            if let Some(place) = self.nodes.place(child) {
                self.nodes.set_place(child, None);
                return Progress::Victim { place, node: self.nodes.id(child) };
            }
            self.dissolve(child, root);
        }
        Progress::More
    }

    /// The node to work at: a dead one below with a revocation of its own must not go before what is below it, or that revocation
    /// would seem done too early.
    fn innermost(&self, root: Index) -> Index {
        let inner = |index: &Index| {
            let child = self.nodes.first_child(*index)?;
            let busy = self.nodes.is_revoking(child) && self.nodes.first_child(child).is_some();
            if busy && self.nodes.place(child).is_none() { Some(child) } else { None }
        };
        core::iter::successors(Some(root), inner).last().unwrap_or(root)
    }

    /// One step towards taking a dead node out: hands one child up, or takes it out if there is none.
    fn dissolve(&mut self, dead: Index, root: Index) {
        if let Some(child) = self.nodes.first_child(dead) {
            self.nodes.detach(child);
            self.nodes.attach(child, root);
            return;
        }
        if self.nodes.is_revoking(dead) {
            self.revoking -= 1; // somebody else's revocation, whose work is done
        }
        self.nodes.detach(dead);
        self.nodes.remove(dead);
    }

    fn end_revoke(&mut self, root: Index) {
        self.nodes.set_revoking(root, false);
        self.revoking -= 1;
        // Its capability may have been released meanwhile.
        self.tidy(root);
    }
}
