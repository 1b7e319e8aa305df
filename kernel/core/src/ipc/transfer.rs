//! What travels beside a message: capabilities, from one process's table to another's, all of them or none.

use crate::cap::Object;
use crate::cap::families::Sending;
use crate::ipc::ops::Buffers;
use crate::task::process::Process;
use crate::task::thread::Thread;
use capos_abi::{CapId, MAX_CAPS, TransferMode, TransferSlot, TransportError};
use capos_cap::{Mobility, Table, TransferError, transfer, transfer_within};
use capos_mem::Resource;
use kernel_hal::sync::Ref;

/// Whose fault it was that nothing was transferred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TransferFault {
    /// The sender named something that it cannot send.
    Sender(TransportError),
    /// The receiver has no room.
    Receiver,
}

/// Transfers the capabilities that `sender` lists in `from` and leaves their new ids in the array of `to` in `receiver`'s arena.
/// Answers how many.
#[inline]
pub(crate) fn send(
    sender: &Ref<Thread>,
    from: &Buffers,
    receiver: &Ref<Thread>,
    to: &Buffers,
) -> Result<u8, TransferFault> {
    if from.kind.caps_send() == 0 { Ok(0) } else { send_some(sender, from, receiver, to) }
}

#[inline(never)]
fn send_some(
    sender: &Ref<Thread>,
    from: &Buffers,
    receiver: &Ref<Thread>,
    to: &Buffers,
) -> Result<u8, TransferFault> {
    let (count, room) = (from.kind.caps_send(), to.kind.caps_recv());
    if count > room {
        return Err(TransferFault::Receiver);
    }
    let mut list = [TransferSlot::default(); MAX_CAPS];
    let mut ids = [CapId::NULL; MAX_CAPS];
    let slots = read_list(sender, from.caps_off(), count, &mut list)?;
    exchange(&sender.process, &receiver.process, slots, &mut ids)?;
    for (id, n) in ids.iter().zip(0..u32::from(count)) {
        // The array was checked against the arena when the receiver's operation was taken.
        let _ = receiver.ring.arena_store(to.caps_off().wrapping_add(n * 8), id.raw());
    }
    Ok(count)
}

/// Each word is read once: what is checked is what is used.
fn read_list<'l>(
    sender: &Ref<Thread>,
    from: u32,
    count: u8,
    list: &'l mut [TransferSlot; MAX_CAPS],
) -> Result<&'l [TransferSlot], TransferFault> {
    let bad = TransferFault::Sender(TransportError::InvalidArgument);
    for (slot, n) in list.iter_mut().zip(0..u32::from(count)) {
        *slot = sender.ring.arena_load(from.wrapping_add(n * 8)).map(TransferSlot).map_err(|_| bad)?;
    }
    list.get(..usize::from(count)).ok_or(bad)
}

/// The transaction, with the receiver's budget around it.
fn exchange(
    source: &Ref<Process>,
    destination: &Ref<Process>,
    slots: &[TransferSlot],
    ids: &mut [CapId],
) -> Result<(), TransferFault> {
    let count = slots.len() as u64;
    let moved = slots.iter().filter(|slot| slot.mode() == Some(TransferMode::Move)).count() as u64;
    destination.account.charge(Resource::CapSlots, count).map_err(|_| TransferFault::Receiver)?;
    match with_tables(source, destination, slots, ids) {
        Ok(_) => {
            source.account.refund(Resource::CapSlots, moved);
            Ok(())
        }
        Err(error) => {
            destination.account.refund(Resource::CapSlots, count);
            Err(blame(error))
        }
    }
}

/// Two tables are locked in the order of their processes' ids.
fn with_tables(
    source: &Ref<Process>,
    destination: &Ref<Process>,
    slots: &[TransferSlot],
    ids: &mut [CapId],
) -> Result<usize, TransferError> {
    let mut lines = Sending::to(destination.id);
    let mut run =
        |from: &mut Table<Object>, to: &mut Table<Object>, ids| transfer(from, to, slots, &mut lines, ids);
    if source.id == destination.id {
        transfer_within(&mut source.table.lock(), slots, &mut lines, ids)
    } else if source.id < destination.id {
        let mut from = source.table.lock();
        let mut to = destination.table.lock();
        run(&mut from, &mut to, ids)
    } else {
        let mut to = destination.table.lock();
        let mut from = source.table.lock();
        run(&mut from, &mut to, ids)
    }
}

fn blame(error: TransferError) -> TransferFault {
    match error {
        TransferError::DestinationFull => TransferFault::Receiver,
        other => TransferFault::Sender(refusal(other)),
    }
}

/// What somebody hears whose own table or list was the reason.
pub(crate) fn refusal(error: TransferError) -> TransportError {
    match error {
        TransferError::BadSlot | TransferError::TooMany => TransportError::InvalidArgument,
        TransferError::InvalidCap | TransferError::Duplicate => TransportError::InvalidCap,
        TransferError::Revoking => TransportError::Revoked,
        TransferError::NotTransferable => TransportError::NotTransferable,
        TransferError::DestinationFull => TransportError::BudgetExhausted,
        TransferError::OutOfMemory => TransportError::OutOfMemory,
    }
}

/// Gives one capability of `source` to `destination`, copied or moved as `slot` says. One that is to be copied only may be sent away here all
/// the same: it is copied, and the caller gives it up in order afterwards.
pub(crate) fn grant(
    source: &Ref<Process>,
    destination: &Ref<Process>,
    slot: TransferSlot,
) -> Result<CapId, TransportError> {
    let copy_only = {
        let table = source.table.lock();
        table.lookup(slot.id()).is_ok_and(|entry| entry.mobility == Mobility::CopyOnly)
    };
    let sent = if copy_only { TransferSlot::copy(slot.id()) } else { slot };
    let mut ids = [CapId::NULL];
    exchange(source, destination, &[sent], &mut ids).map_err(|fault| match fault {
        TransferFault::Sender(error) => error,
        TransferFault::Receiver => TransportError::PeerBudgetExhausted,
    })?;
    Ok(ids[0])
}
