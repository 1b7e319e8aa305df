//! What a process did last: a ring of records of one page, paid by the process, readable as long as somebody holds its handle.
//!
//! What happens seldom is always recorded. Submissions and completions are only while the process is traced: its threads then enter the
//! kernel another way (`ring/traced.rs`), so the others pay nothing.

use crate::task::thread::Thread;
use capos_abi::{Cqe, PAGE_SIZE};
use capos_ring::{Kind, Queued};
use capos_schema::process_handle::TraceKind;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::account::Account;
use kernel_hal::mem::Frames;
use kernel_hal::order::LockRank;
use kernel_hal::sync::{Lock, Ref};
use kernel_hal::{MemError, time};

/// Bytes of a record: time, thread, kind, operation, method, two arguments.
const RECORD: usize = 32;
/// Records kept.
const RECORDS: u64 = (PAGE_SIZE / RECORD) as u64;

/// The records of one process.
pub(crate) struct Trace {
    page: Ref<Frames>,
    /// How many records there ever were.
    written: Lock<u64>,
    on: AtomicBool,
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

    fn of_submission(kind: Kind, submission: &Queued<'_>) -> Self {
        let arguments = [submission.interface(), submission.cap()];
        Record { kind: TraceKind::Submitted, op: kind.op(), method: kind.method(), arguments }
    }

    fn of_completion(cqe: &Cqe) -> Self {
        let result = i64::from(cqe.result).cast_unsigned();
        let arguments = [cqe.user_data, result];
        Record { kind: TraceKind::Completed, op: cqe.flags, method: cqe.method, arguments }
    }
}

impl Trace {
    /// Without records; its page is charged to `account`.
    pub fn new(account: &Ref<Account>) -> Result<Self, MemError> {
        let page = Frames::zeroed(1, account)?;
        Ok(Trace { page, written: Lock::new(LockRank::List, 0), on: AtomicBool::new(false) })
    }

    /// Whether submissions and completions are recorded, too.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// From now on they are, or not. The caller tells the threads.
    pub fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Release);
    }

    /// Adds a record; the oldest makes room for it. `thread` is 0 where it is none of the process's own.
    pub fn add(&self, thread: u64, record: &Record) {
        let mut bytes = [0; RECORD];
        let [first, second] = record.arguments;
        let head = u64::from(record.method) << 48
            | u64::from(record.op) << 40
            | u64::from(record.kind.to_wire() & 0xff) << 32
            | thread & 0xffff_ffff;
        let words = [time::ticks(), head, first, second];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let mut written = self.written.lock();
        // Inside the page by the remainder.
        let _ = self.page.write(place(*written), &bytes);
        *written += 1;
    }

    /// Record number `cursor`, or the oldest that is left; `None` when there is none yet. With its number.
    pub fn read(&self, cursor: u64) -> Option<(u64, Kept)> {
        let written = self.written.lock();
        let number = cursor.max(written.saturating_sub(RECORDS));
        if number >= *written {
            return None;
        }
        let mut bytes = [0; RECORD];
        // Inside the page by the remainder.
        let _ = self.page.read(place(number), &mut bytes);
        let [ticks, head, first, second] = words(&bytes);
        let record = Record {
            kind: TraceKind::from_wire((head >> 32) as u16 & 0xff).unwrap_or_default(),
            op: (head >> 40) as u8,
            method: (head >> 48) as u16,
            arguments: [first, second],
        };
        Some((number, Kept { time_ns: time::ticks_to_ns(ticks), thread: head & 0xffff_ffff, record }))
    }
}

/// A record that was kept.
pub(crate) struct Kept {
    pub time_ns: u64,
    pub thread: u64,
    pub record: Record,
}

fn words(bytes: &[u8; RECORD]) -> [u64; 4] {
    let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    core::array::from_fn(|_| words.next().unwrap_or(0))
}

fn place(number: u64) -> usize {
    (number % RECORDS) as usize * RECORD
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
