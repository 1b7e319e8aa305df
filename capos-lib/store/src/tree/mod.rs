//! Trees: from keys to records, one node a block. Nodes that the open transaction changed are in memory and have no address yet; all
//! others are as they were written, and never change.

mod change;
mod dirty;
mod freeze;

pub use change::Change;
pub use change::{fit, is_sparse};
pub use dirty::Dirty;
pub use freeze::Written;

use crate::node::LEVEL_MAX;
use crate::pointer::Pointer;

/// The root of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Root {
    /// Where it is; none for an empty tree.
    pub pointer: Pointer,
    /// Its level.
    pub level: u8,
}

impl Root {
    /// Of a tree without entries.
    pub const EMPTY: Root = Root { pointer: Pointer::NONE, level: 0 };

    /// Whether it can be one, of a volume with so many blocks.
    pub fn is_sound(&self, blocks: u64) -> bool {
        self.level <= LEVEL_MAX && (self.pointer == Pointer::NONE || self.pointer.is_node(blocks))
    }
}

/// Which tree of a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tree {
    /// What the layer above put there. Snapshots share its nodes.
    Records,
    /// Snapshots, and what died since. Nobody shares its nodes.
    Snapshots,
}
