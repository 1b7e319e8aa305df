//! The capability table of one process.
//!
//! A slot has a generation that goes up whenever the slot is emptied, so an id that outlived its capability is refused instead of
//! naming the slot's next tenant. A slot whose generations are used up is retired.

mod slots;
#[cfg(test)]
mod tests;

use crate::derivation::NodeId;
use capos_abi::{CapId, MAX_CAP_SLOTS};
use slots::Slots;

/// How a capability may leave its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mobility {
    /// Not at all: what a process has of itself.
    Fixed,
    /// By moving only: there is never a second one.
    MoveOnly,
    /// By copying only: giving it up sets off what must not happen in the middle of a transfer.
    CopyOnly,
    /// By copying and by moving.
    Free,
}

/// One capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<O> {
    /// What it stands for.
    pub object: O,
    /// The interface that its holder may call; calls name theirs, and a difference is refused.
    pub interface: u64,
    /// How it may leave the table.
    pub mobility: Mobility,
    /// Its place in the derivation tree, if it has one.
    pub node: Option<NodeId>,
}

/// Why a table refused. Nothing was changed. All of them are the fault of the table's owner, but the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableError {
    /// The id names nothing, or something that is gone.
    InvalidCap,
    /// The capability may not be copied, or may not leave.
    NotTransferable,
    /// The next free slot is not the one expected.
    UnexpectedSlot,
    /// The table has as many capabilities as it may have.
    Full,
    /// The kernel heap has no room for the table to grow.
    OutOfMemory,
}

/// An entry that was not inserted, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused<O> {
    /// Why.
    pub error: TableError,
    /// The entry, for the caller to let go of.
    pub entry: Entry<O>,
}

/// The capabilities of one process.
pub struct Table<O> {
    slots: Slots<O>,
    limit: usize,
}

impl<O: Clone> Table<O> {
    /// An empty table for at most `limit` capabilities, which is what its process's budget allows.
    pub const fn new(limit: usize) -> Self {
        let limit = if limit < MAX_CAP_SLOTS { limit } else { MAX_CAP_SLOTS };
        Table { slots: Slots::new(), limit }
    }

    /// What `id` names.
    ///
    /// # Errors
    /// [`TableError::InvalidCap`].
    #[inline]
    pub fn lookup(&self, id: CapId) -> Result<&Entry<O>, TableError> {
        self.slots.get(id).ok_or(TableError::InvalidCap)
    }

    /// What a word names that somebody else wrote. Only an id names anything: its top byte is zero.
    ///
    /// # Errors
    /// [`TableError::InvalidCap`].
    #[inline]
    pub fn lookup_word(&self, word: u64) -> Result<&Entry<O>, TableError> {
        self.slots.get_word(word).ok_or(TableError::InvalidCap)
    }

    /// How many capabilities are in the table.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.live()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slots.live() == 0
    }

    /// How many there may be at most.
    #[inline]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Every capability with its id, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (CapId, &Entry<O>)> {
        self.slots.iter()
    }

    /// The first capability in slot `from` or behind it, and its id. For walks that let go of the table from step to step.
    pub fn at_or_after(&self, from: u32) -> Option<(CapId, &Entry<O>)> {
        self.slots.at_or_after(from)
    }

    /// The capabilities in `count` slots from number `from` on. For walks that look at a bounded number of slots at a time.
    pub fn some(&self, from: u32, count: usize) -> impl Iterator<Item = (CapId, &Entry<O>)> {
        self.slots.some(from, count)
    }

    /// How many slots there are, empty ones included. Never less than before, until the table is taken apart.
    pub fn span(&self) -> usize {
        self.slots.span()
    }

    /// How often a capability came or went: who finds the same number again finds the same capabilities.
    pub fn changes(&self) -> u64 {
        self.slots.changes()
    }

    /// Makes sure that the next `more` insertions succeed.
    ///
    /// # Errors
    /// [`TableError::Full`] or [`TableError::OutOfMemory`].
    #[inline]
    pub fn reserve(&mut self, more: usize) -> Result<(), TableError> {
        if more > self.limit.saturating_sub(self.slots.live()) {
            return Err(TableError::Full);
        }
        self.slots.reserve(more)
    }

    /// Puts a capability into any free slot.
    ///
    /// # Errors
    /// [`TableError::Full`] or [`TableError::OutOfMemory`], with the entry.
    pub fn insert(&mut self, entry: Entry<O>) -> Result<CapId, Refused<O>> {
        match self.reserve(1) {
            Ok(()) => self.put(entry),
            Err(error) => Err(Refused { error, entry }),
        }
    }

    /// Puts a capability where its holder expects it: under the id `expected`, which must be the next free one.
    ///
    /// # Errors
    /// [`TableError::UnexpectedSlot`] and those of [`Table::insert`], with the entry.
    pub fn insert_next(&mut self, expected: CapId, entry: Entry<O>) -> Result<(), Refused<O>> {
        if let Err(error) = self.reserve(1) {
            return Err(Refused { error, entry });
        }
        if self.slots.next() != expected {
            return Err(Refused { error: TableError::UnexpectedSlot, entry });
        }
        self.put(entry).map(|_| ())
    }

    /// Takes a capability out.
    ///
    /// # Errors
    /// [`TableError::InvalidCap`].
    #[inline]
    pub fn release(&mut self, id: CapId) -> Result<Entry<O>, TableError> {
        self.slots.take(id).ok_or(TableError::InvalidCap)
    }

    /// Takes a capability out if it is still the one with that node: what revocation does to its victims.
    pub fn release_node(&mut self, id: CapId, node: NodeId) -> Option<Entry<O>> {
        if self.slots.get(id)?.node == Some(node) { self.slots.take(id) } else { None }
    }

    /// Gives a capability its place in the derivation tree.
    #[inline]
    pub fn set_node(&mut self, id: CapId, node: Option<NodeId>) {
        if let Some(entry) = self.slots.get_mut(id) {
            entry.node = node;
        }
    }

    /// How many of the next `count` insertions will be without a spare node.
    #[inline]
    pub fn without_spare(&self, count: usize) -> usize {
        self.slots.without_spare(count)
    }

    /// Takes the spare node that the next insertion would find.
    #[inline]
    pub fn next_spare(&mut self) -> Option<NodeId> {
        self.slots.take_spare(self.slots.next().index())
    }

    /// Leaves a node that is not in use for who comes where `id` was, so that neither has to look for one. Gives it back when there is one
    /// already or nobody will come.
    #[inline]
    pub fn leave_spare(&mut self, id: CapId, node: NodeId) -> Option<NodeId> {
        self.slots.leave_spare(id.index(), node)
    }

    /// Takes out some capability; for the end of a process, who does it bit by bit. The ids given out before mean nothing then. Spare nodes
    /// go to `unused`.
    pub fn dismantle(&mut self, unused: impl FnMut(NodeId)) -> Option<Entry<O>> {
        self.slots.pop(unused)
    }

    /// The id that the next insertion will give.
    #[inline]
    pub(crate) fn next(&self) -> CapId {
        self.slots.next()
    }

    /// Inserts into room that was reserved.
    #[inline]
    pub(crate) fn put(&mut self, entry: Entry<O>) -> Result<CapId, Refused<O>> {
        self.slots.put(entry).map_err(|entry| Refused { error: TableError::Full, entry })
    }
}
