//! The nodes that a transaction changed.

use super::Tree;
use crate::node::Page;
use crate::pointer::Pointer;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Set in addresses that are none yet: the rest is a place here. No disk has such an address, and none is ever written.
const IN_MEMORY: u64 = 1 << 63;
/// Set beside it for nodes of the tree of snapshots.
const OF_SNAPSHOTS: u64 = 1 << 62;

/// Places for a tree's nodes that have no address yet.
pub struct Dirty {
    mark: u64,
    nodes: Vec<Option<Rc<Page>>>,
    free: Vec<usize>,
}

impl Dirty {
    /// No nodes of a tree.
    pub fn new(tree: Tree) -> Dirty {
        let mark = match tree {
            Tree::Records => IN_MEMORY,
            Tree::Snapshots => IN_MEMORY | OF_SNAPSHOTS,
        };
        Dirty { mark, nodes: Vec::new(), free: Vec::new() }
    }

    /// Whether a pointer leads to a node without address, and of which tree.
    pub fn tree(pointer: &Pointer) -> Option<Tree> {
        let tree = if pointer.address & OF_SNAPSHOTS == 0 { Tree::Records } else { Tree::Snapshots };
        (pointer.address & IN_MEMORY != 0).then_some(tree)
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Which node a pointer leads to, if it is one of these.
    fn place(&self, pointer: &Pointer) -> Option<usize> {
        let place = usize::try_from(pointer.address ^ self.mark).ok()?;
        (place < self.nodes.len()).then_some(place)
    }

    /// The node that a pointer leads to.
    pub fn get(&self, pointer: &Pointer) -> Option<&Rc<Page>> {
        self.nodes.get(self.place(pointer)?)?.as_ref()
    }

    /// The same, to be changed. Somebody who still reads it goes on reading what it was.
    pub fn get_mut(&mut self, pointer: &Pointer) -> Option<&mut Page> {
        let place = self.place(pointer)?;
        self.nodes.get_mut(place)?.as_mut().map(Rc::make_mut)
    }

    /// Takes a node in.
    pub fn add(&mut self, page: Rc<Page>) -> Pointer {
        let place = self.free.pop().unwrap_or(self.nodes.len());
        match self.nodes.get_mut(place) {
            Some(empty) => *empty = Some(page),
            None => self.nodes.push(Some(page)),
        }
        Pointer { address: self.mark | place as u64, ..Pointer::NONE }
    }

    /// Gives a node away.
    pub fn take(&mut self, pointer: &Pointer) -> Option<Rc<Page>> {
        let place = self.place(pointer)?;
        let page = self.nodes.get_mut(place)?.take()?;
        self.free.push(place);
        Some(page)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.free.clear();
    }
}
