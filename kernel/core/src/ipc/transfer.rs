//! What travels beside a message: capabilities, from one process's table to another's, all of them or none.

use crate::cap::families::Sending;
use crate::ipc::ops::Buffers;
use crate::task::process::Process;
use crate::task::thread::Thread;
use capos_abi::{CapId, MAX_CAPS, TransferMode, TransferSlot, TransportError};
use capos_cap::{Mobility, TransferError, transfer, transfer_within};
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
    match from.kind.caps_send() {
        0 => Ok(0),
        1 => send_one(sender, from, receiver, to),
        _ => send_some(sender, from, receiver, to),
    }
}

/// What is sent is mostly one.
#[inline(never)]
fn send_one(
    sender: &Ref<Thread>,
    from: &Buffers,
    receiver: &Ref<Thread>,
    to: &Buffers,
) -> Result<u8, TransferFault> {
    if to.kind.caps_recv() == 0 {
        return Err(TransferFault::Receiver);
    }
    let slot = read_slot(sender, from.caps_off())?;
    let mut ids = [CapId::NULL];
    exchange(&sender.process, &receiver.process, &[slot], &mut ids)?;
    let _ = receiver.ring.arena_store(to.caps_off(), ids[0].raw());
    Ok(1)
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
    for (slot, n) in list.iter_mut().zip(0..u32::from(count)) {
        *slot = read_slot(sender, from.wrapping_add(n * 8))?;
    }
    list.get(..usize::from(count)).ok_or(BAD_LIST)
}

const BAD_LIST: TransferFault = TransferFault::Sender(TransportError::InvalidArgument);

#[inline]
fn read_slot(sender: &Thread, at: u32) -> Result<TransferSlot, TransferFault> {
    sender.ring.arena_load(at).map(TransferSlot).map_err(|_| BAD_LIST)
}

/// The transaction, with the receiver's budget around it. Where it is known how many are sent, it is made for so many.
#[inline(always)]
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
            if moved > 0 {
                source.account.refund(Resource::CapSlots, moved);
            }
            Ok(())
        }
        Err(error) => {
            destination.account.refund(Resource::CapSlots, count);
            Err(blame(error))
        }
    }
}

/// Two tables are locked in the order of their processes' ids.
#[inline(always)]
fn with_tables(
    source: &Ref<Process>,
    destination: &Ref<Process>,
    slots: &[TransferSlot],
    ids: &mut [CapId],
) -> Result<usize, TransferError> {
    let mut lines = Sending::to(destination.id);
    if source.id == destination.id {
        return transfer_within(&mut source.table.lock(), slots, &mut lines, ids);
    }
    let (mut from, mut to);
    if source.id < destination.id {
        from = source.table.lock();
        to = destination.table.lock();
    } else {
        to = destination.table.lock();
        from = source.table.lock();
    }
    transfer(&mut from, &mut to, slots, &mut lines, ids)
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
