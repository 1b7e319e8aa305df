//! `REVOKE`: whatever was derived from a capability goes, in whatever process it is.
//!
//! A submission that is not done after some steps is left in its queue and its system call is made anew, so between two slices interrupts get
//! in and others run; the time is that of the thread that revokes, at its priority. What it has come to lies in the families: see
//! [`crate::cap::families`].
//!
//! A victim is taken out of its table under the table's lock and the family's at once, so no transfer ever sees half of it. Its holder's
//! operations that went through it end after that ([`crate::task::rest`]); one that is about to begin on another processor finds out by
//! [`Process::has_lost`] and looks again.

use crate::cap::{Object, families, leases};
use crate::task::process::{Process, leave};
use crate::task::registry;
use crate::task::rest::{self, Rest};
use crate::task::slice::{self, STEP};
use crate::task::thread::Thread;
use capos_abi::{CapId, TransportError};
use capos_cap::{Entry, Next, NodeId, Place};
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;

/// How far a revocation has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    Done,
    More,
}

/// One slice of the revocation of what derives from `cap`, by the current thread.
pub(crate) fn slice(thread: &Ref<Thread>, cap: CapId) -> Result<Progress, TransportError> {
    let before = thread.revoking.swap(cap.raw(), Ordering::Relaxed);
    if before != cap.raw() {
        give_up(&thread.process, CapId::from_raw(before));
    }
    with_node(&thread.process, cap, families::begin_revoke)?;
    let mut left = STEP;
    // Each takes at most one capability out. What went on through it may take longer than a slice.
    while slice::take(&mut left) && !thread.busy.load(Ordering::Relaxed) {
        match with_node(&thread.process, cap, families::revoke)? {
            Next::Kill { place, node } if leases::is_of_lease(place) => leases::revoke(place, node),
            Next::Kill { place, node } => kill(thread, place, node, &mut left),
            Next::Look(_) => {}
            Next::Done => {
                abandon(thread);
                return Ok(Progress::Done);
            }
        }
        // It may have taken its own handle away.
        if thread.is_doomed() {
            break;
        }
    }
    Ok(Progress::More)
}

/// The thread does not go on with what it was revoking.
pub(crate) fn abandon(thread: &Thread) {
    let cap = thread.revoking.swap(CapId::NULL.raw(), Ordering::Relaxed);
    give_up(&thread.process, CapId::from_raw(cap));
}

fn give_up(process: &Process, cap: CapId) {
    if cap != CapId::NULL {
        // It may have gone by now, and its mark with it.
        let _ = with_node(process, cap, families::end_revoke);
    }
}

/// Does something with the node of a capability while it cannot go.
fn with_node<R>(process: &Process, cap: CapId, act: impl FnOnce(NodeId) -> R) -> Result<R, TransportError> {
    let table = process.table.lock();
    let node = table.lookup(cap).ok().and_then(|entry| entry.node);
    node.map(act).ok_or(TransportError::InvalidCap)
}

/// Takes a victim away from who holds it, and ends what went on through it.
fn kill(thread: &Ref<Thread>, place: Place, node: NodeId, left: &mut u32) {
    // Not there: the process has just been taken apart, and what it held went.
    let Some(process) = registry::find(place.table) else { return };
    let taken = {
        let mut table = process.table.lock();
        let taken = table.release_node(place.cap, node);
        if let Some(entry) = &taken {
            leave(&mut table, place.cap, entry);
            process.loses_one();
        }
        taken
    };
    let Some(Entry { object, .. }) = taken else { return };
    process.given_up(&object);
    if let Object::Interrupt(line) = &object {
        line.unbind_for(process.id);
    }
    rest::begin(thread, Rest::revoked(&process, Some(object), place.cap), left);
}

/// The current thread may have begun to wait for a kernel object. If what it called that through went in the middle of it, the wait
/// ends. With no lock held.
#[inline]
pub(crate) fn catch_up(thread: &Ref<Thread>) {
    let cap = thread.deferred.load(Ordering::Relaxed);
    thread.deferred.store(CapId::NULL.raw(), Ordering::Relaxed);
    catch_up_with(thread, cap);
}

/// The same for a wait through `cap`.
#[inline]
pub(crate) fn catch_up_with(thread: &Ref<Thread>, cap: u64) {
    if cap != CapId::NULL.raw() && thread.process.has_lost() {
        end_if_lost(thread, cap);
    }
}

#[cold]
fn end_if_lost(thread: &Ref<Thread>, cap: u64) {
    if !holds(&thread.process, cap) {
        rest::begin(thread, Rest::revoked(&thread.process, None, CapId::from_raw(cap)), &mut { STEP });
    }
}

/// Whether a process that may have lost capabilities still has that one.
#[cold]
pub(crate) fn holds(process: &Process, cap: u64) -> bool {
    process.table.lock().lookup_word(cap).is_ok()
}
