//! Who derives from whom among all capabilities of the system: the nodes, what locks them, and where unused ones come from.
//!
//! Every capability in a table has a node. A table's owner locks the table before it makes or takes out what is in there, and the family
//! inside that; so whoever has a table locked can rely on what is in it to have its node. There is one lock for each family (families
//! share them by their numbers, which costs time and never order), and none is held while another is taken.
//!
//! A node that goes out of use stays with the slot where its capability was, for the next one that is made there. So whoever receives a
//! copy and gives it up again allocates nothing, and takes no lock for it but those of the table and the family.
//!
//! Nodes are not charged by themselves: a slot has one and at most one to spare, slots are charged, and there are never more dead nodes
//! than live ones.

use crate::cap::leases;
use capos_abi::{CapId, MAX_CAPS};
use capos_cap::{Gone, Inspection, Lineage, Next, Node, NodeId, Nodes, Origin, Place, Tree, TreeError};
use core::sync::atomic::{AtomicU32, Ordering};
use kernel_hal::arena::Arena;
use kernel_hal::cpu::{self, MAX_CPUS};
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Guard, Lock, OutOfMemory};

struct All(Arena<Node>);

impl Nodes for All {
    #[inline]
    fn get(&self, index: u32) -> Option<&Node> {
        self.0.get(index)
    }
}

static NODES: All = All(Arena::new());

#[inline]
fn tree() -> Tree<'static, All> {
    Tree::of(&NODES)
}

/// How many locks families share.
const LOCKS: usize = 256;

/// What some families share. Each on a cache line of its own.
#[repr(align(64))]
struct Shared {
    lock: Lock<()>,
    /// Revocations in progress. Changes under the lock; while it is zero nobody's ancestors are asked whether he may copy.
    revoking: AtomicU32,
}

/// Revocations in progress anywhere, at least: while it is zero nobody looks into his family.
static REVOKING: AtomicU32 = AtomicU32::new(0);

static SHARED: [Shared; LOCKS] =
    [const { Shared { lock: Lock::new(LockRank::Family, ()), revoking: AtomicU32::new(0) } }; LOCKS];

#[inline]
fn shared(node: NodeId) -> &'static Shared {
    shared_of(tree().family(node))
}

#[inline]
fn shared_of(family: u32) -> &'static Shared {
    &SHARED[family as usize % LOCKS]
}

impl Shared {
    fn began(&self) {
        REVOKING.fetch_add(1, Ordering::Relaxed);
        self.revoking.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&self) {
        self.revoking.fetch_sub(1, Ordering::Relaxed);
        REVOKING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A list of unused nodes, linked by themselves.
struct Unused {
    first: Option<NodeId>,
    count: u32,
}

impl Unused {
    const fn none() -> Self {
        Unused { first: None, count: 0 }
    }

    #[inline]
    fn push(&mut self, id: NodeId) {
        if let Some(node) = NODES.get(id.index()) {
            node.put_before(self.first);
            self.first = Some(id);
            self.count += 1;
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<NodeId> {
        let id = self.first?;
        self.first = NODES.get(id.index())?.next_unused();
        self.count -= 1;
        Some(id)
    }
}

/// What nobody has at hand.
struct Common {
    unused: Unused,
    /// Pieces of the arena made so far.
    pieces: u32,
}

static COMMON: Lock<Common> = Lock::new(LockRank::Nodes, Common { unused: Unused::none(), pieces: 0 });

/// What each processor has at hand.
static AT_HAND: [Lock<Unused>; MAX_CPUS] = [const { Lock::new(LockRank::AtHand, Unused::none()) }; MAX_CPUS];

/// How many go between a processor and the common list in one go.
const BUNDLE: u32 = 2 * MAX_CAPS as u32;

fn at_hand() -> Guard<'static, Unused> {
    AT_HAND[cpu::id() % MAX_CPUS].lock()
}

/// Takes an unused node.
#[inline]
pub(crate) fn take() -> Result<NodeId, OutOfMemory> {
    let mut unused = at_hand();
    if let Some(id) = unused.pop() {
        return Ok(id);
    }
    fetch(&mut unused)?;
    unused.pop().ok_or(OutOfMemory)
}

/// Gives a node back that is not in use.
#[inline]
pub(crate) fn give(id: NodeId) {
    let mut unused = at_hand();
    unused.push(id);
    if unused.count > 2 * BUNDLE {
        return_some(&mut unused);
    }
}

#[cold]
fn fetch(unused: &mut Unused) -> Result<(), OutOfMemory> {
    let mut common = COMMON.lock();
    if common.unused.first.is_none() {
        let piece = NODES.0.make(common.pieces)?;
        common.pieces += 1;
        piece.filter_map(NodeId::new).for_each(|id| common.unused.push(id));
    }
    for _ in 0..BUNDLE {
        let Some(id) = common.unused.pop() else { break };
        unused.push(id);
    }
    Ok(())
}

#[cold]
fn return_some(unused: &mut Unused) {
    let mut common = COMMON.lock();
    for _ in 0..BUNDLE {
        let Some(id) = unused.pop() else { break };
        common.unused.push(id);
    }
}

/// A capability that derives from no other is at `place`.
pub(crate) fn plant(node: NodeId, place: Place) {
    tree().plant(node, place);
}

/// A capability made from that of `parent` is at `place`. The table of `parent` is locked.
#[inline]
pub(crate) fn derive(node: NodeId, parent: NodeId, place: Place) {
    let (Some(made), Some(above)) = (NODES.get(node.index()), NODES.get(parent.index())) else { return };
    let _family = shared_of(above.family()).lock.lock();
    tree().derive_node((node, made), (parent, above), place);
}

/// The same for a lease through the capability of `through`: it derives from what that does. False when that derives from nothing.
pub(crate) fn derive_beside(node: NodeId, through: NodeId, place: Place) -> bool {
    let _family = shared(through).lock.lock();
    let parent = tree().parent(through);
    parent.map(|parent| tree().derive(node, parent, place)).is_some()
}

/// Whether a capability derives from nothing. Its table is locked.
pub(crate) fn is_first(node: NodeId) -> bool {
    tree().parent(node).is_none()
}

/// Marks a lease that is to be taken away. False when it has ended: the node may be another's by now.
pub(crate) fn mark(node: NodeId, place: Place) -> bool {
    let shared = shared(node);
    let _family = shared.lock.lock();
    let there = tree().place(node) == Some(place);
    if there && tree().begin_revoke(node) {
        shared.began();
    }
    there
}

/// Whether a lease that has not ended was marked. Takes no lock: for interrupts, too.
#[inline]
pub(crate) fn is_marked(node: NodeId) -> bool {
    tree().is_revoking(node)
}

/// Nothing is left of what was marked: it derives from nothing now.
pub(crate) fn cut_off(node: NodeId, place: Place) {
    let unused = {
        let _family = shared(node).lock.lock();
        if tree().place(node) == Some(place) { tree().cut_off(node) } else { None }
    };
    unused.into_iter().for_each(give);
}

/// Whether a capability may be copied, attenuated or moved now. Its table is locked.
#[inline]
pub(crate) fn check(node: NodeId) -> Result<(), TreeError> {
    // One that begins just now finds what is derived meanwhile among its victims.
    if REVOKING.load(Ordering::Relaxed) == 0 { Ok(()) } else { check_above(node) }
}

#[cold]
fn check_above(node: NodeId) -> Result<(), TreeError> {
    if shared(node).revoking.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let _family = shared(node).lock.lock();
    tree().check(node)
}

#[inline]
fn moved(node: NodeId, place: Place) {
    let shared = shared(node);
    let _family = shared.lock.lock();
    if tree().moved(node, place) {
        shared.ended();
    }
}

/// A capability was taken out of its table, which is locked still. True when its node is not in use any more: it is for the caller to
/// keep or to [`give`] back.
#[inline]
pub(crate) fn released(node: NodeId) -> bool {
    let Some(left) = NODES.get(node.index()) else { return false };
    let Gone { own, other, .. } = {
        let shared = shared_of(left.family());
        let _family = shared.lock.lock();
        let gone = tree().released_node(node, left);
        if gone.revoking {
            shared.ended();
        }
        gone
    };
    other.into_iter().for_each(give);
    own
}

/// From now on nothing below can be copied or moved. The table of `root` is locked.
pub(crate) fn begin_revoke(root: NodeId) {
    let shared = shared(root);
    let _family = shared.lock.lock();
    if tree().begin_revoke(root) {
        shared.began();
    }
}

/// The revocation is done or given up. The table of `root` is locked.
pub(crate) fn end_revoke(root: NodeId) {
    let shared = shared(root);
    let _family = shared.lock.lock();
    if tree().end_revoke(root) {
        shared.ended();
    }
}

/// The next step of a revocation. The table of `root` is locked.
pub(crate) fn revoke(root: NodeId) -> Next {
    let next = {
        let _family = shared(root).lock.lock();
        tree().revoke(root)
    };
    if let Next::Look(Some(unused)) = next {
        give(unused);
    }
    next
}

/// What there is of nodes; for audits.
#[derive(Clone, Copy, Default)]
pub(crate) struct Census {
    /// Of capabilities.
    pub alive: u64,
    /// Of what is mapped or bound.
    pub leases: u64,
    pub dead: u64,
    /// With links that do not lead back.
    pub bad: u64,
}

/// Counts nodes, so many from number `first` on; for audits. `None` when there are none there.
pub(crate) fn count(first: u32, nodes: usize) -> Option<Census> {
    NODES.get(first)?;
    let mut found = Census::default();
    let nodes = (first..).map_while(|index| Some((NodeId::new(index)?, NODES.get(index)?))).take(nodes);
    for (id, _) in nodes {
        let _family = shared(id).lock.lock();
        match tree().inspect(id) {
            Inspection::Unused => {}
            Inspection::Alive if tree().place(id).is_some_and(leases::is_of_lease) => found.leases += 1,
            Inspection::Alive => found.alive += 1,
            Inspection::Dead => found.dead += 1,
            Inspection::Broken => found.bad += 1,
        }
    }
    Some(found)
}

/// Where the capability of a node is; for audits.
pub(crate) fn place(node: NodeId) -> Option<Place> {
    let _family = shared(node).lock.lock();
    tree().place(node)
}

/// Most capabilities that are gone and that [`origin`] passes.
const MOST_GONE: usize = 16;

/// What a capability derives from, and the number of its family. Its table is locked.
pub(crate) fn origin(node: NodeId) -> (Origin, u32) {
    let _family = shared(node).lock.lock();
    (tree().origin(node, MOST_GONE), tree().family(node))
}

/// The families during a transfer into the table of one process; both tables are locked.
pub(crate) struct Sending {
    process: u64,
    /// Set aside for copies.
    fresh: Unused,
}

impl Sending {
    /// Into the table of process number `process`.
    #[inline]
    pub fn to(process: u64) -> Self {
        Sending { process, fresh: Unused::none() }
    }
}

impl Drop for Sending {
    #[inline]
    fn drop(&mut self) {
        while let Some(node) = self.fresh.pop() {
            give(node);
        }
    }
}

impl Lineage for Sending {
    #[inline]
    fn check(&self, node: NodeId) -> Result<(), TreeError> {
        check(node)
    }

    #[inline]
    fn reserve(&mut self, copies: usize) -> Result<(), TreeError> {
        for _ in 0..copies {
            self.fresh.push(take().map_err(|OutOfMemory| TreeError::OutOfMemory)?);
        }
        Ok(())
    }

    #[inline]
    fn copied(&mut self, parent: NodeId, id: CapId, spare: Option<NodeId>) -> Option<NodeId> {
        let node = spare.or_else(|| self.fresh.pop())?;
        derive(node, parent, Place { table: self.process, cap: id });
        Some(node)
    }

    #[inline]
    fn moved(&mut self, node: NodeId, id: CapId) {
        moved(node, Place { table: self.process, cap: id });
    }
}
