//! What was mapped or bound through a capability, and can be revoked.
//!
//! It is as much as the capability itself: it derives from what that does, and goes with it, also when its process has given the capability
//! up meanwhile. So it has a node in the family, a leaf, unless the capability derives from nothing. It holds a lease; when that ends the node
//! goes, too.
//!
//! A revocation first marks the node. What is bound looks for the mark before it signals. What is attached to a device is looked for there; who
//! attaches looks for the mark with the device locked. Of what is mapped the revocation then takes pages away
//! until it finds none, and who maps enters the pages first and then looks for the mark: so one of both takes away what is entered in the
//! middle of a revocation. Last it lets go of the node, which the lease keeps.

use crate::cap::families;
use crate::device::registry as devices;
use crate::task::process::Process;
use crate::task::registry;
use capos_abi::CapId;
use capos_cap::{NodeId, Place, TransferError};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::lease::Lease;
use kernel_hal::sync::Ref;

/// Set in the place of a node that stands for a lease, where a capability's says whose table it is in; instead of an id there is the number
/// of the lease. No process has such a number.
const MAPPED: u64 = 1 << 63;
/// The same, for what is bound.
const BOUND: u64 = 1 << 62;
/// The same, for what is attached to a device.
const ATTACHED: u64 = 1 << 61;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Whether a node stands for a lease, and not for a capability.
pub(crate) fn is_of_lease(place: Place) -> bool {
    place.table & (MAPPED | BOUND | ATTACHED) != 0
}

/// For a mapping of `process` through its capability `cap`. `None` when nobody can take it away.
pub(crate) fn of_mapping(process: &Process, cap: CapId) -> Result<Option<Ref<Lease>>, TransferError> {
    let lease = begin(process, cap, MAPPED)?;
    // Without memory for it the lease ends at once.
    lease.map(Ref::try_new).transpose().map_err(|_| TransferError::OutOfMemory)
}

/// For what `process` binds through its capability `cap`. `None` when nobody can take it away.
pub(crate) fn of_binding(process: &Process, cap: CapId) -> Result<Option<Lease>, TransferError> {
    begin(process, cap, BOUND)
}

/// For memory that `process` attaches to a device through its capability `cap`. `None` when nobody can take it away.
pub(crate) fn of_attachment(process: &Process, cap: CapId) -> Result<Option<Lease>, TransferError> {
    begin(process, cap, ATTACHED)
}

/// For registers of a device that are mapped. They are taken away when the device is given up, whoever has a capability for what.
pub(crate) fn of_registers() -> Lease {
    Lease::new(NEXT.fetch_add(1, Ordering::Relaxed), 0, |_| {})
}

fn begin(process: &Process, cap: CapId, what: u64) -> Result<Option<Lease>, TransferError> {
    let table = process.table.lock();
    let through = table.lookup(cap)?.node.ok_or(TransferError::InvalidCap)?;
    families::check(through)?;
    if families::is_first(through) {
        return Ok(None);
    }
    let node = families::take().map_err(|_| TransferError::OutOfMemory)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let place = Place { table: process.id | what, cap: CapId::from_raw(number) };
    if families::derive_beside(node, through, place) {
        return Ok(Some(Lease::new(number, node.index(), ended)));
    }
    families::give(node);
    Ok(None)
}

/// Whether what holds the lease was revoked.
pub(crate) fn is_revoked(lease: &Lease) -> bool {
    NodeId::new(lease.word()).is_some_and(families::is_marked)
}

fn ended(node: u32) {
    let unused = NodeId::new(node).filter(|node| families::released(*node));
    unused.into_iter().for_each(families::give);
}

/// One step of a revocation that has come to a lease.
pub(crate) fn revoke(place: Place, node: NodeId) {
    if !families::mark(node, place) || (place.table & MAPPED != 0 && unmap_some(place)) {
        return;
    }
    if place.table & ATTACHED != 0 {
        devices::free_leased(place.cap.raw());
    }
    families::cut_off(node, place);
}

/// Takes a piece of what is mapped away. False when nothing is left.
fn unmap_some(place: Place) -> bool {
    // Who is not in the registry has been taken apart, its memory first.
    registry::find(place.table & !MAPPED).is_some_and(|process| process.space.withdraw(place.cap.raw()))
}
