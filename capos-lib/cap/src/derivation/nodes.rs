//! The nodes of a tree and the links between them.
//!
//! All fields are atomics so that nodes can lie beside each other in one arena while different processors work at different families:
//! it is the family's lock that orders what is done to its nodes, so every access is relaxed.

use super::Place;
use capos_abi::CapId;
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Names a node of an arena. It has no generation: whoever has the capability has the node, and nobody else keeps its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(NonZeroU32);

impl NodeId {
    /// Number `index` of the arena. `None` for number 0, which is no node's.
    pub const fn new(index: u32) -> Option<NodeId> {
        match NonZeroU32::new(index) {
            Some(index) => Some(NodeId(index)),
            None => None,
        }
    }

    /// Its number.
    pub const fn index(self) -> u32 {
        self.0.get()
    }
}

/// Where nodes lie.
pub trait Nodes {
    /// The node of that number, if there is one.
    fn get(&self, index: u32) -> Option<&Node>;
}

impl Nodes for [Node] {
    fn get(&self, index: u32) -> Option<&Node> {
        <[Node]>::get(self, index as usize)
    }
}

/// One node. Links are numbers of nodes, 0 for none.
#[derive(Default, Debug)]
pub struct Node {
    table: AtomicU64,
    /// The null id: the capability is gone.
    cap: AtomicU64,
    family: AtomicU32,
    parent: AtomicU32,
    first_child: AtomicU32,
    previous: AtomicU32,
    next: AtomicU32,
    revoking: AtomicBool,
}

impl Node {
    /// A node that is not in use.
    pub const fn unused() -> Node {
        Node {
            table: AtomicU64::new(0),
            cap: AtomicU64::new(0),
            family: AtomicU32::new(0),
            parent: AtomicU32::new(0),
            first_child: AtomicU32::new(0),
            previous: AtomicU32::new(0),
            next: AtomicU32::new(0),
            revoking: AtomicBool::new(false),
        }
    }

    /// For lists of nodes that are not in use: the next of them.
    #[inline]
    pub fn next_unused(&self) -> Option<NodeId> {
        link(&self.next)
    }

    /// Puts an unused node before another one.
    #[inline]
    pub fn put_before(&self, next: Option<NodeId>) {
        set(&self.next, next);
    }

    /// Its family's number: what its lock is found by.
    #[inline]
    pub fn family(&self) -> u32 {
        self.family.load(Ordering::Relaxed)
    }

    /// Takes it into use. One that is not has no relations, but for the next in its list.
    #[inline]
    pub(super) fn begin(&self, place: Place, family: u32) {
        set(&self.next, None);
        self.set_place(Some(place));
        self.family.store(family, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn parent(&self) -> Option<NodeId> {
        link(&self.parent)
    }

    #[inline]
    pub(super) fn is_leaf(&self) -> bool {
        self.first_child.load(Ordering::Relaxed) == 0
    }

    pub(super) fn place(&self) -> Option<Place> {
        let cap = CapId::from_raw(self.cap.load(Ordering::Relaxed));
        (cap != CapId::NULL).then(|| Place { table: self.table.load(Ordering::Relaxed), cap })
    }

    pub(super) fn set_place(&self, place: Option<Place>) {
        let (table, cap) = place.map_or((0, 0), |place| (place.table, place.cap.raw()));
        self.table.store(table, Ordering::Relaxed);
        self.cap.store(cap, Ordering::Relaxed);
    }

    pub(super) fn is_alive(&self) -> bool {
        self.cap.load(Ordering::Relaxed) != 0
    }

    pub(super) fn is_revoking(&self) -> bool {
        self.revoking.load(Ordering::Relaxed)
    }

    /// Sets the mark and tells what it was.
    pub(super) fn set_revoking(&self, revoking: bool) -> bool {
        let before = self.revoking.load(Ordering::Relaxed);
        self.revoking.store(revoking, Ordering::Relaxed);
        before
    }
}

#[inline]
fn link(field: &AtomicU32) -> Option<NodeId> {
    NodeId::new(field.load(Ordering::Relaxed))
}

#[inline]
fn set(field: &AtomicU32, to: Option<NodeId>) {
    field.store(to.map_or(0, NodeId::index), Ordering::Relaxed);
}

/// The links of an arena's nodes. A number that names no node has no links, and nothing can be linked to it.
pub(super) struct Links<'n, N: ?Sized>(pub &'n N);

// Derived, these would ask for nodes that can be copied.
impl<N: ?Sized> Copy for Links<'_, N> {}
impl<N: ?Sized> Clone for Links<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'n, N: Nodes + ?Sized> Links<'n, N> {
    #[inline]
    pub fn node(self, id: NodeId) -> Option<&'n Node> {
        self.0.get(id.index())
    }

    pub fn parent(self, id: NodeId) -> Option<NodeId> {
        self.node(id)?.parent()
    }

    pub fn first_child(self, id: NodeId) -> Option<NodeId> {
        link(&self.node(id)?.first_child)
    }

    pub fn next(self, id: NodeId) -> Option<NodeId> {
        link(&self.node(id)?.next)
    }

    pub fn previous(self, id: NodeId) -> Option<NodeId> {
        link(&self.node(id)?.previous)
    }

    /// The child of a node that has exactly one.
    pub fn only_child(self, id: NodeId) -> Option<NodeId> {
        self.first_child(id).filter(|child| self.next(*child).is_none())
    }

    /// Makes a node without relations upward or sideways the first child of another.
    pub fn attach(self, child: NodeId, parent: NodeId) {
        let (Some(node), Some(above)) = (self.node(child), self.node(parent)) else { return };
        self.attach_node((child, node), (parent, above));
    }

    /// The same when both were looked up.
    #[inline]
    pub fn attach_node(self, (child, node): (NodeId, &Node), (parent, above): (NodeId, &Node)) {
        let second = link(&above.first_child);
        set(&node.parent, Some(parent));
        set(&node.previous, None);
        set(&node.next, second);
        set(&above.first_child, Some(child));
        if let Some(second) = second.and_then(|second| self.node(second)) {
            set(&second.previous, Some(child));
        }
    }

    /// Takes a node (and what is below it) away from its parent and siblings.
    pub fn detach(self, id: NodeId) {
        if let Some(node) = self.node(id) {
            self.detach_node(node);
        }
    }

    /// The same when it was looked up. Gives the parent if that had to be, too.
    #[inline]
    pub fn detach_node(self, node: &Node) -> Option<&'n Node> {
        let (parent, previous, next) = (link(&node.parent), link(&node.previous), link(&node.next));
        for field in [&node.parent, &node.previous, &node.next] {
            set(field, None);
        }
        self.join(parent, previous, next)
    }

    /// Puts `heir`, which has no relations upward or sideways, where `id` is, which then has none.
    pub fn replace(self, id: NodeId, heir: NodeId) {
        let (Some(node), Some(new)) = (self.node(id), self.node(heir)) else { return };
        let (parent, previous, next) = (link(&node.parent), link(&node.previous), link(&node.next));
        for field in [&node.parent, &node.previous, &node.next] {
            set(field, None);
        }
        set(&new.parent, parent);
        self.join(parent, previous, Some(heir));
        self.join(None, Some(heir), next);
    }

    /// Makes `next` follow `previous`, or follow `parent` directly when there is no previous. Gives the parent in that case.
    #[inline]
    fn join(
        self,
        parent: Option<NodeId>,
        previous: Option<NodeId>,
        next: Option<NodeId>,
    ) -> Option<&'n Node> {
        if let Some(node) = next.and_then(|id| self.node(id)) {
            set(&node.previous, previous);
        }
        if let Some(node) = previous.and_then(|id| self.node(id)) {
            set(&node.next, next);
            return None;
        }
        let above = self.node(parent?)?;
        set(&above.first_child, next);
        Some(above)
    }
}
