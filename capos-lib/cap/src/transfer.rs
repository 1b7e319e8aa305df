//! Transfers: capabilities go from one table to another, all of them or none.
//!
//! Three phases. *Check* every slot of the list against the source. *Reserve* room in the destination and in the derivation tree:
//! these are the only steps that allocate. *Commit*, which cannot fail any more.

use crate::derivation::{NodeId, TreeError};
use crate::table::{Entry, Mobility, Table, TableError};
use capos_abi::{CapId, TransferMode, TransferSlot};

/// Why a transfer did not happen. Neither table was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferError {
    /// A slot's top byte is no transfer mode.
    BadSlot,
    /// More slots than there is room for ids.
    TooMany,
    /// An id names nothing in the source, or something that is being revoked.
    InvalidCap,
    /// A capability may not leave in that way.
    NotTransferable,
    /// A capability that moves is named a second time.
    Duplicate,
    /// The destination has no room: its owner's budget, or its own limit.
    DestinationFull,
    /// The kernel heap has no room.
    OutOfMemory,
}

/// Keeps the derivation tree in step with a transfer. `()` keeps none.
pub trait Lineage {
    /// Whether a copy of this node may be made or the node may be moved now.
    ///
    /// # Errors
    /// Says why not.
    fn check(&self, node: NodeId, mode: TransferMode) -> Result<(), TreeError>;

    /// Makes room for that many copies.
    ///
    /// # Errors
    /// [`TreeError::OutOfMemory`].
    fn reserve(&mut self, copies: usize) -> Result<(), TreeError>;

    /// Makes the node of a copy. Checked and reserved before.
    fn copied(&mut self, parent: NodeId) -> Option<NodeId>;

    /// Notes where a node's capability is now.
    fn placed(&mut self, node: NodeId, id: CapId);
}

impl Lineage for () {
    fn check(&self, _: NodeId, _: TransferMode) -> Result<(), TreeError> {
        Ok(())
    }

    fn reserve(&mut self, _: usize) -> Result<(), TreeError> {
        Ok(())
    }

    fn copied(&mut self, _: NodeId) -> Option<NodeId> {
        None
    }

    fn placed(&mut self, _: NodeId, _: CapId) {}
}

/// Transfers capabilities between two tables and writes their new ids to `ids`. Gives their number.
///
/// # Errors
/// A [`TransferError`], and then nothing has changed.
#[inline]
pub fn transfer<O: Clone>(
    source: &mut Table<O>,
    destination: &mut Table<O>,
    slots: &[TransferSlot],
    lineage: &mut impl Lineage,
    ids: &mut [CapId],
) -> Result<usize, TransferError> {
    let ids = prepare(source, slots, lineage, ids)?;
    destination.reserve(slots.len())?;
    for (slot, id) in slots.iter().zip(ids) {
        let Some(entry) = hand_over(source, *slot, lineage) else { continue };
        *id = receive(destination, entry, lineage);
    }
    Ok(slots.len())
}

/// Transfers capabilities within one table: a process that sends to itself.
///
/// # Errors
/// As [`transfer`].
pub fn transfer_within<O: Clone>(
    table: &mut Table<O>,
    slots: &[TransferSlot],
    lineage: &mut impl Lineage,
    ids: &mut [CapId],
) -> Result<usize, TransferError> {
    let ids = prepare(table, slots, lineage, ids)?;
    table.reserve(slots.len())?;
    for (slot, id) in slots.iter().zip(ids) {
        let Some(entry) = hand_over(table, *slot, lineage) else { continue };
        *id = receive(table, entry, lineage);
    }
    Ok(slots.len())
}

/// Checks everything that does not concern the destination, and makes room in the tree.
#[inline]
fn prepare<'i, O: Clone>(
    source: &Table<O>,
    slots: &[TransferSlot],
    lineage: &mut impl Lineage,
    ids: &'i mut [CapId],
) -> Result<&'i mut [CapId], TransferError> {
    let ids = ids.get_mut(..slots.len()).ok_or(TransferError::TooMany)?;
    let mut copies = 0;
    for (n, slot) in slots.iter().enumerate() {
        let mode = slot.mode().ok_or(TransferError::BadSlot)?;
        let entry = source.lookup(slot.id())?;
        check_mobility(entry.mobility, mode)?;
        let earlier = slots.iter().take(n).filter(|other| other.id() == slot.id());
        if earlier
            .into_iter()
            .any(|other| mode == TransferMode::Move || other.mode() == Some(TransferMode::Move))
        {
            return Err(TransferError::Duplicate);
        }
        if let Some(node) = entry.node {
            lineage.check(node, mode)?;
        }
        copies += usize::from(mode == TransferMode::Copy);
    }
    lineage.reserve(copies)?;
    Ok(ids)
}

#[inline]
fn check_mobility(mobility: Mobility, mode: TransferMode) -> Result<(), TransferError> {
    match (mobility, mode) {
        (Mobility::Free, _)
        | (Mobility::MoveOnly, TransferMode::Move)
        | (Mobility::CopyOnly, TransferMode::Copy) => Ok(()),
        _ => Err(TransferError::NotTransferable),
    }
}

/// The entry that goes to the destination. There is one: `prepare` looked it up.
#[inline]
fn hand_over<O: Clone>(
    source: &mut Table<O>,
    slot: TransferSlot,
    lineage: &mut impl Lineage,
) -> Option<Entry<O>> {
    if slot.mode() == Some(TransferMode::Move) {
        return source.release(slot.id()).ok();
    }
    let mut entry = source.lookup(slot.id()).ok()?.clone();
    entry.node = entry.node.and_then(|parent| lineage.copied(parent));
    Some(entry)
}

/// Puts an entry into room that was reserved.
#[inline]
fn receive<O: Clone>(destination: &mut Table<O>, entry: Entry<O>, lineage: &mut impl Lineage) -> CapId {
    let node = entry.node;
    let id = destination.put(entry).unwrap_or(CapId::NULL);
    debug_assert!(id != CapId::NULL, "room was reserved");
    if let Some(node) = node {
        lineage.placed(node, id);
    }
    id
}

impl From<TableError> for TransferError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::InvalidCap => TransferError::InvalidCap,
            TableError::NotTransferable => TransferError::NotTransferable,
            TableError::Full | TableError::UnexpectedSlot => TransferError::DestinationFull,
            TableError::OutOfMemory => TransferError::OutOfMemory,
        }
    }
}

impl From<TreeError> for TransferError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Stale | TreeError::Revoking => TransferError::InvalidCap,
            TreeError::OutOfMemory => TransferError::OutOfMemory,
        }
    }
}

#[cfg(test)]
mod tests;
