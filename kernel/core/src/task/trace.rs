//! What a process did last: a ring of records, readable as long as somebody holds its handle.
//!
//! Most processes do little that is recorded, and room for that comes with them. Who does more, or is traced, gets room for more. That takes a page
//! of the kernel's heap, and is charged to the process from the beginning, so that it is not the one without memory of whom nobody can tell
//! what it did.
//!
//! What happens seldom is always recorded. Submissions and completions are only while the process is traced: its threads then enter the
//! kernel another way (`ring/traced.rs`), so the others pay nothing. The last of theirs are found in their rings when they end (`task/recall.rs`).

use crate::task::thread::Thread;
use alloc::vec::Vec;
use capos_abi::{Cqe, PAGE_SIZE};
use capos_mem::Resource;
use capos_ring::{Kind, Queued};
use capos_schema::process_handle::TraceKind;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::account::Account;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::{MemError, time};

/// A record as it is kept: time, thread with kind and operation and method, two arguments.
type Words = [u64; 4];

/// Records kept at most.
const MOST: usize = PAGE_SIZE / size_of::<Words>();
/// Records for which there is room from the beginning.
const FEW: usize = 16;

/// The records of one process.
pub(crate) struct Trace {
    account: Ref<Account>,
    records: Lock<Records>,
    on: AtomicBool,
    /// What its rings held at the end is in it.
    recalled: AtomicBool,
}

struct Records {
    /// The last ones, each at its number less `base`, by the remainder.
    list: Vec<Words>,
    /// How many are kept before the oldest makes room.
    room: usize,
    /// How many there ever were.
    written: u64,
    /// Number of the first in the list when there was room for more.
    base: u64,
    /// A page is charged for them.
    charged: bool,
}

/// One thing that happened.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub kind: TraceKind,
    pub op: u8,
    pub method: u16,
    pub arguments: [u64; 2],
}

impl Record {
    /// Something with two arguments.
    pub fn new(kind: TraceKind, first: u64, second: u64) -> Self {
        Record { kind, op: 0, method: 0, arguments: [first, second] }
    }

    /// Of a submission.
    pub fn of_submission(kind: Kind, submission: &Queued<'_>) -> Self {
        let arguments = [submission.interface(), submission.cap()];
        Record { kind: TraceKind::Submitted, op: kind.op(), method: kind.method(), arguments }
    }

    /// Of a completion.
    pub fn of_completion(cqe: &Cqe) -> Self {
        let result = i64::from(cqe.result).cast_unsigned();
        let arguments = [cqe.user_data, result];
        Record { kind: TraceKind::Completed, op: cqe.flags, method: cqe.method, arguments }
    }
}

impl Trace {
    /// Without records; a page for them is charged to `account`.
    pub fn new(account: &Ref<Account>) -> Result<Self, MemError> {
        let mut list = Vec::new();
        list.try_reserve_exact(FEW).map_err(|_| MemError::OutOfMemory)?;
        account.charge(Resource::MemoryPages, 1).map_err(|_| MemError::BudgetExhausted)?;
        let records = Records { list, room: FEW, written: 0, base: 0, charged: true };
        let records = Lock::new(LockRank::Own, records);
        Ok(Trace {
            account: account.clone(),
            records,
            on: AtomicBool::new(false),
            recalled: AtomicBool::new(false),
        })
    }

    /// Whether submissions and completions are recorded, too.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// From now on they are, or not. The caller tells the threads, and somebody has [prepared](Trace::prepare) it.
    pub fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Release);
    }

    /// Makes sure that adding allocates nothing, and that nothing is lost before it has to.
    pub fn prepare(&self) -> Result<(), OutOfMemory> {
        self.records.lock().grow()
    }

    /// Adds a record; the oldest makes room for it. `thread` is 0 where it is none of the process's own.
    pub fn add(&self, thread: u64, record: &Record) {
        self.add_at(time::ticks(), thread, record);
    }

    /// The same for something of which nobody knows when it was.
    pub fn add_untimed(&self, thread: u64, record: &Record) {
        self.add_at(0, thread, record);
    }

    /// True for the first who asks: it is to add what the rings hold.
    pub fn begin_to_recall(&self) -> bool {
        !self.recalled.swap(true, Ordering::Relaxed)
    }

    #[inline]
    fn add_at(&self, ticks: u64, thread: u64, record: &Record) {
        let [first, second] = record.arguments;
        let head = u64::from(record.method) << 48
            | u64::from(record.op) << 40
            | u64::from(record.kind.to_wire() & 0xff) << 32
            | thread & 0xffff_ffff;
        self.records.lock().put([ticks, head, first, second]);
    }

    /// Record number `cursor`, or the oldest that is left; `None` when there is none yet. With its number.
    pub fn read(&self, cursor: u64) -> Option<(u64, Kept)> {
        let (number, [ticks, head, first, second]) = self.records.lock().get(cursor)?;
        let record = Record {
            kind: TraceKind::from_wire((head >> 32) as u16 & 0xff).unwrap_or_default(),
            op: (head >> 40) as u8,
            method: (head >> 48) as u16,
            arguments: [first, second],
        };
        Some((number, Kept { time_ns: time::ticks_to_ns(ticks), thread: head & 0xffff_ffff, record }))
    }

    /// The process has ended: there will be no more, and what was not needed is given back.
    pub fn close(&self) {
        let mut records = self.records.lock();
        if records.room == FEW {
            records.refund(&self.account);
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.records.lock().refund(&self.account);
    }
}

impl Records {
    #[inline]
    fn put(&mut self, record: Words) {
        if let Some(place) = self.oldest_of_most() {
            *place = record;
        } else if self.list.len() < self.room {
            // There is room: nothing is allocated.
            self.list.push(record);
        } else {
            self.put_further(record);
        }
        self.written += 1;
    }

    /// What makes room when there are as many as are ever kept.
    #[inline]
    fn oldest_of_most(&mut self) -> Option<&mut Words> {
        let place = (self.written.wrapping_sub(self.base)) as usize % MOST;
        if self.list.len() == MOST { self.list.get_mut(place) } else { None }
    }

    #[inline(never)]
    fn put_further(&mut self, record: Words) {
        // Without memory for more there are only as many as there is room for.
        if self.charged && self.room < MOST && self.grow().is_ok() {
            return self.list.push(record);
        }
        let place = self.place(self.written);
        if let Some(oldest) = self.list.get_mut(place) {
            *oldest = record;
        }
    }

    fn get(&self, cursor: u64) -> Option<(u64, Words)> {
        let number = cursor.max(self.written - self.list.len() as u64);
        let record = self.list.get(self.place(number)).filter(|_| number < self.written)?;
        Some((number, *record))
    }

    fn place(&self, number: u64) -> usize {
        ((number - self.base) % self.room as u64) as usize
    }

    #[cold]
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        if self.room == MOST || !self.charged {
            return Ok(());
        }
        self.list.try_reserve_exact(MOST - self.list.len()).map_err(|_| OutOfMemory)?;
        // It may be full and more have come since: the oldest first.
        let oldest = self.written - self.list.len() as u64;
        let place = self.place(oldest).min(self.list.len());
        self.list.rotate_left(place);
        (self.base, self.room) = (oldest, MOST);
        Ok(())
    }

    fn refund(&mut self, account: &Account) {
        if core::mem::replace(&mut self.charged, false) {
            account.refund(Resource::MemoryPages, 1);
        }
    }
}

/// A record that was kept.
pub(crate) struct Kept {
    /// Since boot; 0 where nobody knows.
    pub time_ns: u64,
    pub thread: u64,
    pub record: Record,
}

/// Records what happened to `thread`.
pub(crate) fn add(thread: &Thread, kind: TraceKind, first: u64, second: u64) {
    thread.process.trace.add(thread.id, &Record::new(kind, first, second));
}

/// Records a submission. It is read here and again where it is carried out: a program that changes it in between deceives whoever reads
/// its trace, and nobody else.
pub(crate) fn submitted(thread: &Thread, kind: Kind, submission: &Queued<'_>) {
    thread.process.trace.add(thread.id, &Record::of_submission(kind, submission));
}

/// Records all completions that were not recorded yet. They are read back from the ring: a program that changes them meanwhile deceives
/// whoever reads its trace, and nobody else.
pub(crate) fn completions(thread: &Thread) {
    let end = thread.completed();
    let begun = thread.traced.swap(end, Ordering::Relaxed);
    let missing = end.wrapping_sub(begun).min(thread.shape.cq_entries);
    for back in (1..=missing).rev() {
        let cqe = thread.ring.read_cqe(end.wrapping_sub(back));
        thread.process.trace.add(thread.id, &Record::of_completion(&cqe));
    }
}

/// A thread that slept is woken; if it is traced, that is recorded.
#[cold]
pub(crate) fn woken(thread: &Thread, waiting: u32) {
    if thread.process.trace.is_on() {
        completions(thread);
        add(thread, TraceKind::Returned, u64::from(waiting), 0);
    }
}
