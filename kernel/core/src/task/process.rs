//! A process: address space, capability table, budget, threads.

use crate::audit::census::{Counted, Kind};
use crate::cap::binding::Binding;
use crate::cap::{Object, families, interface_id};
use crate::ipc::ops::Ticket;
use crate::task::debug::Debug;
use crate::task::fifo::Linked;
use crate::task::rest::Rest;
use crate::task::share::Share;
use crate::task::thread::Thread;
use crate::task::trace::Trace;
use alloc::vec::Vec;
use capos_abi::{CapId, PAGE_SIZE, layout};
use capos_cap::{Entry, Mobility, NodeId, Place, Table, TableError, TransferError};
use capos_mem::Resource;
use capos_schema::process_handle::CrashLog;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref, RefSlot};
use kernel_hal::vm::AddressSpace;
use kernel_hal::{Fault, Registers};

/// Longest process name, bytes.
pub(crate) const NAME_MAX: usize = 31;

/// A name for people.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl Name {
    /// `None` when it is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; NAME_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).ok()?;
        (len > 0).then_some(Name { bytes, len })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("?")
    }
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// By itself.
    Exited(i64),
    /// By somebody with its handle.
    Killed,
    /// By a processor exception.
    Faulted(u8),
}

/// Return addresses kept in a crash record.
pub(crate) const BACKTRACE_MAX: usize = 32;

/// What a fault left behind.
#[derive(Clone, Copy)]
pub(crate) struct Crash {
    pub fault: Fault,
    pub registers: Registers,
    pub thread: u64,
    pub backtrace: [u64; BACKTRACE_MAX],
    pub depth: usize,
    /// What the log has of it.
    pub log: CrashLog,
}

/// The end of a process and who waits for it.
pub(crate) struct Exit {
    /// Set when it begins to end.
    pub status: Option<Status>,
    /// Set when all is taken back.
    pub done: bool,
    pub crash: Option<Crash>,
    pub waiters: Vec<(Ticket, Wants)>,
    /// Whom its end signals.
    pub bound: Vec<Binding>,
}

/// What a waiter is to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wants {
    /// How it ended.
    Status,
    /// That it has.
    End,
}

/// The threads that have not ended.
pub(crate) struct Threads {
    /// In the order of their ids.
    pub list: Vec<Ref<Thread>>,
    /// Whether the first was ever started.
    pub started: bool,
    /// No more threads: the process is ending.
    pub closed: bool,
    /// Somebody takes back what the dead among them, or all, have had; see task/reap.rs.
    reaped: bool,
    /// How often one came or went.
    pub changes: u64,
    /// Id of the newest thread there ever was.
    pub newest: u64,
    /// Waits for the end of single threads: thread id, who waits.
    pub joiners: Vec<(u64, Ticket)>,
    /// The thread that ended last, of whose end not all may have heard.
    left: u64,
    pub rings: RingPlaces,
}

impl Threads {
    /// True when nobody is at it: then the caller is from now on.
    pub fn begin_to_reap(&mut self) -> bool {
        !core::mem::replace(&mut self.reaped, true)
    }

    /// Whether somebody is at it.
    pub fn is_reaped(&self) -> bool {
        self.reaped
    }

    /// Somebody who waits for the end of the thread that ended last, and how many were looked at to find that one.
    pub fn next_joiner(&mut self) -> (Option<Ticket>, usize) {
        match self.joiners.iter().position(|(thread, _)| *thread == self.left) {
            Some(at) => (Some(self.joiners.swap_remove(at).1), at),
            None => (None, self.joiners.len()),
        }
    }

    /// What there is to take back, and how many threads were looked at. Who is told that there is nothing yet is at it no more.
    ///
    /// From the end: of a process that was killed that is the first one looked at, and nothing has to move when it is struck out.
    pub fn next_corpse(&mut self) -> (Corpse, usize) {
        let mut from_the_end = self.list.iter().rev().enumerate();
        if let Some((behind, thread)) = from_the_end.find(|(_, thread)| thread.is_corpse()) {
            return (Corpse::Of(thread.clone()), behind + 1);
        }
        self.reaped = self.closed && self.list.is_empty();
        (if self.reaped { Corpse::AllGone } else { Corpse::NoneYet }, self.list.len())
    }

    /// Nothing is left of a thread. The process of the last one takes no more.
    pub fn strike_out(&mut self, thread: &Ref<Thread>) {
        if let Some(at) = self.list.iter().rposition(|other| Ref::ptr_eq(other, thread)) {
            self.list.remove(at);
        }
        self.left = thread.id;
        self.changes += 1;
        self.rings.give_back(thread.ring_address);
        self.closed |= self.list.is_empty();
    }
}

/// What of a process is to be taken back.
pub(crate) enum Corpse {
    /// What that thread had.
    Of(Ref<Thread>),
    /// Nothing: all its threads live, or run and are to end.
    NoneYet,
    /// The rest: it has no threads, and takes none.
    AllGone,
}

/// Where ring blocks lie: each has a place of its own, which is used again when its thread has ended.
pub(crate) struct RingPlaces {
    /// Places used at least once.
    used: u64,
    free: Vec<u64>,
}

impl RingPlaces {
    const fn new() -> Self {
        RingPlaces { used: 0, free: Vec::new() }
    }

    /// The address of a free place.
    pub fn take(&mut self) -> Result<u64, OutOfMemory> {
        if let Some(address) = self.free.pop() {
            return Ok(address);
        }
        // Room for all of them to be free at once: giving one back must not allocate.
        let used = usize::try_from(self.used).map_err(|_| OutOfMemory)?;
        self.free.try_reserve(used + 1).map_err(|_| OutOfMemory)?;
        let address = layout::RING_BASE + self.used * layout::RING_STRIDE;
        self.used += 1;
        Ok(address)
    }

    /// Nothing lies at the place at `address` any more.
    pub fn give_back(&mut self, address: u64) {
        self.free.push(address);
    }
}

/// What there may be too much of to take it back at once.
pub(crate) enum Remains {
    /// Memory that nobody else has.
    Memory(Frames),
    /// What went on through a capability.
    Rest(Rest),
}

/// One process.
pub(crate) struct Process {
    pub id: u64,
    pub name: Name,
    pub account: Ref<Account>,
    /// What its threads' time is taken from; `None` when it has ended.
    pub share: Lock<Option<Ref<Share>>>,
    pub space: Ref<AddressSpace>,
    pub table: Lock<Table<Object>>,
    pub threads: Lock<Threads>,
    pub exit: Lock<Exit>,
    /// First instruction of the first thread.
    pub entry: u64,
    /// Highest priority of its threads.
    pub priority: u8,
    /// Processor time, in ticks of the clock.
    pub cpu_ticks: AtomicU64,
    /// The next process that the same CPU reaps.
    next_dying: RefSlot<Process>,
    /// Whether a capability was ever revoked from it.
    bereaved: AtomicBool,
    /// What of an ended process goes piece by piece.
    pub remains: Lock<Option<Remains>>,
    /// How much it may still write to the log.
    pub log: Lock<capos_log::LogBudget>,
    /// What it did last.
    pub trace: Trace,
    /// Who debugs it.
    pub debug: Debug,
    _counted: Counted,
}

impl Process {
    /// Puts a process together. It is not in the registry yet and has no capabilities.
    // It is large, and made in one place: so it is not copied on the way.
    #[inline(always)]
    pub fn new(parts: Parts) -> Result<Ref<Process>, OutOfMemory> {
        let Parts { id, name, account, share, space, table, entry, priority, log, trace } = parts;
        Ref::try_new(Process {
            id,
            name,
            account,
            share: Lock::new(LockRank::Own, Some(share)),
            space,
            table: Lock::new(LockRank::Table, table),
            threads: Lock::new(
                LockRank::Threads,
                Threads {
                    list: Vec::new(),
                    started: false,
                    closed: false,
                    reaped: false,
                    changes: 0,
                    newest: 0,
                    joiners: Vec::new(),
                    left: 0,
                    rings: RingPlaces::new(),
                },
            ),
            exit: Lock::new(
                LockRank::Exit,
                Exit { status: None, done: false, crash: None, waiters: Vec::new(), bound: Vec::new() },
            ),
            entry,
            priority,
            cpu_ticks: AtomicU64::new(0),
            next_dying: RefSlot::empty(),
            bereaved: AtomicBool::new(false),
            remains: Lock::new(LockRank::Own, None),
            log: Lock::new(LockRank::Own, log),
            trace,
            debug: Debug::new(),
            _counted: Counted::new(Kind::Process),
        })
    }
}

impl Linked for Process {
    fn behind(&self) -> &RefSlot<Process> {
        &self.next_dying
    }
}

impl Process {
    /// Puts a capability for `object` into the table, charged to the process.
    pub fn insert(&self, object: Object) -> Result<CapId, TransferError> {
        let mobility = object.mobility();
        self.insert_as(object, mobility)
    }

    /// The same for one that leaves the table in ways of its own.
    pub fn insert_as(&self, object: Object, mobility: Mobility) -> Result<CapId, TransferError> {
        self.enter(object, mobility, None)
    }

    /// The same for a facet that was made from the capability `parent`.
    pub fn insert_derived(&self, object: Object, parent: CapId) -> Result<CapId, TransferError> {
        let mobility = object.mobility();
        self.enter(object, mobility, Some(parent))
    }

    fn enter(
        &self,
        object: Object,
        mobility: Mobility,
        parent: Option<CapId>,
    ) -> Result<CapId, TransferError> {
        self.account.charge(Resource::CapSlots, 1).map_err(|_| TransferError::DestinationFull)?;
        let entry = Entry { interface: interface_id(&object), object, mobility, node: None };
        // What was refused is dropped here, outside of the table's lock: that may set off a lot.
        self.put(entry, parent).map_err(|(error, _refused)| {
            self.account.refund(Resource::CapSlots, 1);
            error
        })
    }

    fn put(
        &self,
        entry: Entry<Object>,
        parent: Option<CapId>,
    ) -> Result<CapId, (TransferError, Entry<Object>)> {
        let mut table = self.table.lock();
        let Ok(node) = table.next_spare().map_or_else(families::take, Ok) else {
            drop(table);
            return Err((TransferError::OutOfMemory, entry));
        };
        let result = match parent.map(|parent| derivable(&table, parent)).transpose() {
            Ok(above) => match table.insert(Entry { node: Some(node), ..entry }) {
                Ok(id) => {
                    let place = Place { table: self.id, cap: id };
                    match above {
                        Some(above) => families::derive(node, above, place),
                        None => families::plant(node, place),
                    }
                    return Ok(id);
                }
                Err(refused) => Err((refused.error.into(), refused.entry)),
            },
            Err(error) => Err((error, entry)),
        };
        drop(table);
        families::give(node);
        result
    }

    /// Takes a capability out of the table. The caller drops it, outside of any lock, and sees to its [`crate::task::rest`].
    pub fn release(&self, id: CapId) -> Result<Entry<Object>, TableError> {
        let entry = {
            let mut table = self.table.lock();
            let entry = table.release(id)?;
            leave(&mut table, id, &entry);
            entry
        };
        self.given_up(&entry.object);
        Ok(entry)
    }

    /// Takes some capability out of the table of a process that has ended. Its [`crate::task::rest`] is the caller's.
    pub fn release_any(&self) -> Option<Object> {
        let entry = {
            let mut table = self.table.lock();
            let entry = table.dismantle(families::give)?;
            entry.node.into_iter().filter(|node| families::released(*node)).for_each(families::give);
            entry
        };
        self.given_up(&entry.object);
        Some(entry.object)
    }

    /// A capability is being revoked from it; its table is locked.
    pub fn loses_one(&self) {
        self.bereaved.store(true, Ordering::Relaxed);
    }

    /// Whether a capability that was there a moment ago may have been revoked. For who began something on the strength of it: if it was
    /// revoked before that became visible to the revoker, this says so, by the lock that made it visible.
    #[inline]
    pub fn has_lost(&self) -> bool {
        self.bereaved.load(Ordering::Relaxed)
    }

    /// What follows at once from having taken a capability out of the table for good.
    pub fn given_up(&self, object: &Object) {
        self.account.refund(Resource::CapSlots, 1);
        if let Object::Endpoint(right) = object {
            right.endpoint.note_given_up();
        }
        if let Object::ProcessHandle(handle) = object {
            handle.unbind_for(self.id);
        }
    }
}

/// A capability was taken out of the table: its node goes out of the tree, and stays with the slot if nobody else needs it.
#[inline]
pub(crate) fn leave(table: &mut Table<Object>, id: CapId, entry: &Entry<Object>) {
    let unused = entry.node.filter(|node| families::released(*node));
    unused.and_then(|node| table.leave_spare(id, node)).into_iter().for_each(families::give);
}

/// The node of a capability that something may be made from.
fn derivable(table: &Table<Object>, parent: CapId) -> Result<NodeId, TransferError> {
    let node = table.lookup(parent)?.node.ok_or(TransferError::InvalidCap)?;
    families::check(node)?;
    Ok(node)
}

/// What a new process consists of.
pub(crate) struct Parts {
    pub id: u64,
    pub name: Name,
    pub account: Ref<Account>,
    pub share: Ref<Share>,
    pub space: Ref<AddressSpace>,
    pub table: Table<Object>,
    pub entry: u64,
    pub priority: u8,
    pub log: capos_log::LogBudget,
    pub trace: Trace,
}

/// Bytes as whole pages; `None` when they are not.
pub(crate) fn whole_pages(bytes: u64) -> Option<usize> {
    let page = PAGE_SIZE as u64;
    if bytes == 0 || !bytes.is_multiple_of(page) { None } else { usize::try_from(bytes / page).ok() }
}
