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
    /// An id names nothing in the source.
    InvalidCap,
    /// It, or what it derives from, is being revoked.
    Revoking,
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
    /// Whether a copy of this node may be made or the node may move now. From here on to the end of the transfer the node cannot go: the
    /// table that it is in is the transfer's own.
    ///
    /// # Errors
    /// [`TreeError::Revoking`].
    fn check(&self, node: NodeId) -> Result<(), TreeError>;

    /// Sets that many nodes aside. The transfer may still fail for want of room in the destination.
    ///
    /// # Errors
    /// [`TreeError::OutOfMemory`].
    fn reserve(&mut self, copies: usize) -> Result<(), TreeError>;

    /// Takes a node for a copy that is now under `id`: `spare`, or one of those set aside.
    fn copied(&mut self, parent: NodeId, id: CapId, spare: Option<NodeId>) -> Option<NodeId>;

    /// Notes that a node's capability is now under `id`.
    fn moved(&mut self, node: NodeId, id: CapId);
}

impl Lineage for () {
    fn check(&self, _: NodeId) -> Result<(), TreeError> {
        Ok(())
    }

    fn reserve(&mut self, _: usize) -> Result<(), TreeError> {
        Ok(())
    }

    fn copied(&mut self, _: NodeId, _: CapId, _: Option<NodeId>) -> Option<NodeId> {
        None
    }

    fn moved(&mut self, _: NodeId, _: CapId) {}
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
    let (ids, copies) = prepare(source, slots, lineage, ids)?;
    destination.reserve(slots.len())?;
    if copies > 0 {
        lineage.reserve(copies.min(destination.without_spare(slots.len())))?;
    }
    for (slot, id) in slots.iter().zip(ids) {
        let Some(entry) = hand_over(source, *slot) else { continue };
        *id = receive(destination, entry, *slot, lineage);
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
    let (ids, copies) = prepare(table, slots, lineage, ids)?;
    table.reserve(slots.len())?;
    if copies > 0 {
        // What moves takes the slot that it leaves, so copies come to these.
        lineage.reserve(copies.min(table.without_spare(slots.len())))?;
    }
    for (slot, id) in slots.iter().zip(ids) {
        let Some(entry) = hand_over(table, *slot) else { continue };
        *id = receive(table, entry, *slot, lineage);
    }
    Ok(slots.len())
}

/// Checks everything that does not concern the destination. Gives the number of copies that need a node, too.
#[inline]
fn prepare<'i, O: Clone>(
    source: &Table<O>,
    slots: &[TransferSlot],
    lineage: &impl Lineage,
    ids: &'i mut [CapId],
) -> Result<(&'i mut [CapId], usize), TransferError> {
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
            lineage.check(node)?;
        }
        copies += usize::from(mode == TransferMode::Copy && entry.node.is_some());
    }
    Ok((ids, copies))
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

/// The entry that goes to the destination, with the node of the source. There is one: `prepare` looked it up.
#[inline]
fn hand_over<O: Clone>(source: &mut Table<O>, slot: TransferSlot) -> Option<Entry<O>> {
    if slot.mode() == Some(TransferMode::Move) {
        return source.release(slot.id()).ok();
    }
    source.lookup(slot.id()).ok().cloned()
}

/// Puts an entry into room that was reserved.
#[inline]
fn receive<O: Clone>(
    destination: &mut Table<O>,
    mut entry: Entry<O>,
    slot: TransferSlot,
    lineage: &mut impl Lineage,
) -> CapId {
    let id = destination.next();
    if let Some(node) = entry.node {
        if slot.mode() == Some(TransferMode::Move) {
            lineage.moved(node, id);
        } else {
            let spare = destination.next_spare();
            entry.node = lineage.copied(node, id, spare);
        }
    }
    let put = destination.put(entry);
    debug_assert!(put.is_ok_and(|put| put == id), "room was reserved");
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
            TreeError::Revoking => TransferError::Revoking,
            TreeError::OutOfMemory => TransferError::OutOfMemory,
        }
    }
}

#[cfg(test)]
mod tests;
