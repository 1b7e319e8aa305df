//! The nodes of the tree: a slab with generations, linked by indices.

use super::{NodeId, Place, TreeError};
use alloc::vec::Vec;

/// Index of a node that is in use.
pub(super) type Index = u32;

/// Link that leads nowhere.
const NONE: u32 = u32::MAX;

struct Node {
    generation: u32,
    /// Where the capability is; `None` for dead and for free nodes.
    place: Option<Place>,
    revoking: bool,
    parent: u32,
    first_child: u32,
    previous: u32,
    /// Next sibling, or the next free node.
    next: u32,
}

pub(super) struct Nodes {
    all: Vec<Node>,
    first_free: u32,
    free: usize,
    used: usize,
}

const fn link(raw: u32) -> Option<Index> {
    if raw == NONE { None } else { Some(raw) }
}

impl Nodes {
    pub(super) const fn new() -> Self {
        Nodes { all: Vec::new(), first_free: NONE, free: 0, used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Makes room for `more` nodes.
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), TreeError> {
        let new = more.saturating_sub(self.free);
        if new > (NONE as usize).saturating_sub(self.all.len()) {
            return Err(TreeError::OutOfMemory);
        }
        self.all.try_reserve(new).map_err(|_| TreeError::OutOfMemory)
    }

    /// A node without relations, in room that was reserved.
    pub(super) fn add(&mut self, place: Place) -> Option<Index> {
        let index = if let Some(index) = link(self.first_free) {
            let node = self.all.get_mut(index as usize)?;
            self.first_free = node.next;
            self.free -= 1;
            (node.place, node.next) = (Some(place), NONE);
            index
        } else if self.all.len() < self.all.capacity() {
            let index = u32::try_from(self.all.len()).ok()?;
            let relations = Node {
                generation: 1,
                place: Some(place),
                revoking: false,
                parent: NONE,
                first_child: NONE,
                previous: NONE,
                next: NONE,
            };
            self.all.push(relations);
            index
        } else {
            return None;
        };
        self.used += 1;
        Some(index)
    }

    /// Frees a node that has no relations left. A node whose generations are used up is never used again.
    pub(super) fn remove(&mut self, index: Index) {
        let first_free = self.first_free;
        let Some(node) = self.get_mut(index) else { return };
        (node.place, node.revoking) = (None, false);
        (node.parent, node.first_child, node.previous) = (NONE, NONE, NONE);
        self.used -= 1;
        let Some(node) = self.all.get_mut(index as usize) else { return };
        if node.generation < u32::MAX - 1 {
            node.generation += 1;
            node.next = first_free;
            self.first_free = index;
            self.free += 1;
        } else {
            node.generation = u32::MAX; // no id has it
        }
    }

    pub(super) fn find(&self, id: NodeId) -> Option<Index> {
        let node = self.all.get(id.index as usize)?;
        if node.generation == id.generation { Some(id.index) } else { None }
    }

    pub(super) fn id(&self, index: Index) -> NodeId {
        NodeId { index, generation: self.get(index).map_or(0, |node| node.generation) }
    }

    pub(super) fn place(&self, index: Index) -> Option<Place> {
        self.get(index)?.place
    }

    pub(super) fn set_place(&mut self, index: Index, place: Option<Place>) {
        if let Some(node) = self.get_mut(index) {
            node.place = place;
        }
    }

    pub(super) fn is_revoking(&self, index: Index) -> bool {
        self.get(index).is_some_and(|node| node.revoking)
    }

    pub(super) fn set_revoking(&mut self, index: Index, revoking: bool) {
        if let Some(node) = self.get_mut(index) {
            node.revoking = revoking;
        }
    }

    pub(super) fn parent(&self, index: Index) -> Option<Index> {
        link(self.get(index)?.parent)
    }

    pub(super) fn first_child(&self, index: Index) -> Option<Index> {
        link(self.get(index)?.first_child)
    }

    /// The child of a node that has exactly one.
    pub(super) fn only_child(&self, index: Index) -> Option<Index> {
        let child = self.first_child(index)?;
        if self.get(child)?.next == NONE { Some(child) } else { None }
    }

    /// Makes a node without relations upward or sideways the first child of another.
    pub(super) fn attach(&mut self, child: Index, parent: Index) {
        let second = self.get(parent).map_or(NONE, |node| node.first_child);
        if let Some(node) = self.get_mut(child) {
            node.parent = parent;
        }
        self.join(parent, NONE, child);
        self.join(NONE, child, second);
    }

    /// Takes a node (and what is below it) away from its parent and siblings.
    pub(super) fn detach(&mut self, index: Index) {
        let Some(node) = self.get_mut(index) else { return };
        let (parent, previous, next) = (node.parent, node.previous, node.next);
        (node.parent, node.previous, node.next) = (NONE, NONE, NONE);
        self.join(parent, previous, next);
    }

    /// Puts `heir`, which has no relations upward or sideways, where `index` is, which then has none. `index` has no children.
    pub(super) fn replace(&mut self, index: Index, heir: Index) {
        let Some(node) = self.get_mut(index) else { return };
        let (parent, previous, next) = (node.parent, node.previous, node.next);
        (node.parent, node.previous, node.next) = (NONE, NONE, NONE);
        if let Some(node) = self.get_mut(heir) {
            (node.parent, node.previous, node.next) = (parent, previous, next);
        }
        self.join(parent, previous, heir);
        self.join(NONE, heir, next);
    }

    /// Makes `next` follow `previous`, or follow `parent` directly when there is no previous.
    fn join(&mut self, parent: u32, previous: u32, next: u32) {
        if let Some(node) = link(previous).and_then(|index| self.get_mut(index)) {
            node.next = next;
        } else if let Some(node) = link(parent).and_then(|index| self.get_mut(index)) {
            node.first_child = next;
        }
        if let Some(node) = link(next).and_then(|index| self.get_mut(index)) {
            node.previous = previous;
        }
    }

    fn get(&self, index: Index) -> Option<&Node> {
        self.all.get(index as usize)
    }

    fn get_mut(&mut self, index: Index) -> Option<&mut Node> {
        self.all.get_mut(index as usize)
    }
}
