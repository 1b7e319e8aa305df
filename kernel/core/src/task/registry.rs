//! All processes that have not ended, in the order of their ids.

use crate::task::process::Process;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};

static PROCESSES: Lock<Vec<Ref<Process>>> = Lock::new(LockRank::List, Vec::new());
/// How often one came or went. Changes under the lock.
static CHANGES: AtomicU64 = AtomicU64::new(0);
static NEXT_PROCESS: AtomicU64 = AtomicU64::new(1);
static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);
static THREADS: AtomicU64 = AtomicU64::new(0);

/// An id no other process ever had.
pub(crate) fn next_process_id() -> u64 {
    NEXT_PROCESS.fetch_add(1, Ordering::Relaxed)
}

/// An id no other thread ever had.
pub(crate) fn next_thread_id() -> u64 {
    NEXT_THREAD.fetch_add(1, Ordering::Relaxed)
}

/// Enters a process.
pub(crate) fn enter(process: &Ref<Process>) -> Result<(), OutOfMemory> {
    let mut list = PROCESSES.lock();
    list.try_reserve(1).map_err(|_| OutOfMemory)?;
    let at = list.partition_point(|other| other.id < process.id);
    list.insert(at, process.clone());
    CHANGES.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Strikes a process out.
pub(crate) fn leave(id: u64) {
    let mut list = PROCESSES.lock();
    let gone = list.binary_search_by_key(&id, |process| process.id).ok().map(|at| list.remove(at));
    CHANGES.fetch_add(1, Ordering::Relaxed);
    // It may be the last reference: let go of it outside of the lock.
    drop(list);
    drop(gone);
}

/// The process of that id.
pub(crate) fn find(id: u64) -> Option<Ref<Process>> {
    at_or_after(id).filter(|process| process.id == id)
}

/// The first process whose id is at or after `cursor`.
pub(crate) fn at_or_after(cursor: u64) -> Option<Ref<Process>> {
    let list = PROCESSES.lock();
    list.get(list.partition_point(|process| process.id < cursor)).cloned()
}

/// The first processes whose ids are at or after `cursor`, as many as there are places in `found`.
pub(crate) fn look(cursor: u64, found: &mut [Option<Ref<Process>>]) -> Look {
    let list = PROCESSES.lock();
    let mut rest = list.iter().skip(list.partition_point(|process| process.id < cursor));
    found.iter_mut().for_each(|place| *place = rest.next().cloned());
    Look { changes: CHANGES.load(Ordering::Relaxed), more: rest.next().is_some() }
}

/// What else there is to say of some processes.
pub(crate) struct Look {
    /// How often any came or went.
    pub changes: u64,
    /// Whether others follow.
    pub more: bool,
}

/// How many processes there are.
pub(crate) fn processes() -> usize {
    PROCESSES.lock().len()
}

/// How many threads there are.
pub(crate) fn threads() -> u64 {
    THREADS.load(Ordering::Relaxed)
}

/// A thread came to stay until [`thread_left`].
pub(crate) fn thread_came() {
    THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A thread ended.
pub(crate) fn thread_left() {
    THREADS.fetch_sub(1, Ordering::Relaxed);
}
