//! A ring used by hand and honestly: submissions as the ABI has them, one thread, no runtime. What such a thread finds it writes
//! down as notes; the probe's first thread reports them.

use crate::Report;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rt::abi::ring::header;
use rt::abi::{Cqe, Op, RingShape, Sqe, TransferSlot};
use rt::raw::{self, RawRing, words};
use rt::schema::{Decode, Encode, endpoint, endpoint_factory};
use rt::{CallError, CapId};
use spin::Mutex;

/// Where outgoing messages lie.
pub const MESSAGE: u32 = 0;
/// Where answers come.
pub const REPLY: u32 = 0x1000;
/// Where capability arrays of calls lie.
pub const CAPS: u32 = 0x2000;
/// Where received messages come.
pub const INBOX: u32 = 0x3000;
/// Where their capabilities come.
pub const INBOX_CAPS: u32 = 0x4000;
/// From here on the arena is the probe's.
pub const SPARE: u32 = 0x5000;

/// How long to wait for what must come.
const PATIENCE_NS: u64 = 2_000_000_000;
/// What a completion that never came counts as.
pub const NEVER: i32 = i32::MIN;

/// How many notes one bare thread may write: it must not make the heap grow, so they have their room before it begins.
pub const MAX_NOTES: usize = 512;

/// One thing found.
#[derive(Clone, Copy)]
struct Note {
    name: &'static str,
    found: i64,
    wanted: i64,
}

/// Things found, and how many more there was no room for.
struct Found {
    notes: Vec<Note>,
    lost: i64,
}

/// Where a bare thread writes down what it finds.
#[derive(Clone)]
pub struct Notes(Arc<Mutex<Found>>);

impl Notes {
    fn new() -> Notes {
        Notes(Arc::new(Mutex::new(Found { notes: Vec::with_capacity(MAX_NOTES), lost: 0 })))
    }

    /// Writes down what was found and what ought to be.
    pub fn note(&self, name: &'static str, found: impl Into<i64>, wanted: impl Into<i64>) {
        let mut all = self.0.lock();
        if all.notes.len() < MAX_NOTES {
            all.notes.push(Note { name, found: found.into(), wanted: wanted.into() });
        } else {
            all.lost += 1;
        }
    }

    /// All that was written. What had no room may have been a failure, so it is one.
    fn take(&self) -> Vec<Note> {
        let mut all = self.0.lock();
        let mut notes = core::mem::take(&mut all.notes);
        if all.lost > 0 {
            notes.push(Note { name: "notes without room", found: all.lost, wanted: 0 });
        }
        notes
    }
}

/// Runs `work` on a bare thread and reports its notes as checks; gives how many there were.
pub fn run(
    report: &Report,
    priority: u8,
    work: impl FnOnce(&mut Bare<'_>, &Notes) + Send + 'static,
) -> Result<usize, CallError> {
    let notes = Notes::new();
    let theirs = notes.clone();
    raw::spawn(RingShape::DEFAULT, priority, move |ring| work(&mut Bare::new(ring), &theirs))?.join()?;
    let found = notes.take();
    for note in &found {
        report.equal(note.name, note.found, note.wanted);
    }
    Ok(found.len())
}

/// Completions that came while another one was waited for.
const STASH: usize = 160;

/// A ring and our own indices.
pub struct Bare<'r> {
    /// The ring itself, for what is not honest.
    pub ring: &'r RawRing,
    tail: u32,
    head: u32,
    stash: [Option<Cqe>; STASH],
    number: u64,
}

impl<'r> Bare<'r> {
    /// On a fresh ring.
    pub fn new(ring: &'r RawRing) -> Bare<'r> {
        let (tail, head) = (ring.header(header::SQ_TAIL), ring.header(header::CQ_HEAD));
        Bare { ring, tail, head, stash: [None; STASH], number: 1 }
    }

    /// A fresh `user_data`.
    pub fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Queues a submission.
    #[inline]
    pub fn submit(&mut self, sqe: &Sqe) {
        self.submit_all(core::iter::once(*sqe));
    }

    /// Queues several, and tells the kernel of all at once.
    #[inline]
    pub fn submit_all(&mut self, sqes: impl Iterator<Item = Sqe>) {
        let mut tail = self.tail;
        for sqe in sqes {
            self.ring.write_sqe(tail, &words(&sqe));
            tail = tail.wrapping_add(1);
        }
        self.tail = tail;
        self.ring.set_header(header::SQ_TAIL, tail);
    }

    /// Writes the same submission to every slot of the queue, which must be empty: for [`Bare::again`] and [`Bare::again_for`].
    pub fn prepare(&mut self, sqe: &Sqe) {
        for index in 0..self.ring.shape().sq_entries {
            self.ring.write_sqe(index, &words(sqe));
        }
    }

    /// Queues what was prepared. The kernel leaves the slots as they are.
    #[inline]
    pub fn again(&mut self) {
        self.tail = self.tail.wrapping_add(1);
        self.ring.set_header(header::SQ_TAIL, self.tail);
    }

    /// The same for another `cap`.
    #[inline]
    pub fn again_for(&mut self, cap: u64) {
        self.ring.set_target(self.tail, cap);
        self.again();
    }

    /// Queues one with a fresh `user_data`, and gives that.
    pub fn start(&mut self, sqe: &Sqe) -> u64 {
        let user_data = self.number();
        self.submit(&Sqe { user_data, ..*sqe });
        user_data
    }

    /// The next completion.
    #[inline]
    pub fn pop(&mut self) -> Option<Cqe> {
        if self.ring.header(header::CQ_TAIL) == self.head {
            return None;
        }
        let cqe = self.ring.published_cqe(self.head);
        self.head = self.head.wrapping_add(1);
        self.ring.set_header(header::CQ_HEAD, self.head);
        Some(cqe)
    }

    /// Hands all completions that are there to `look`, and tells the kernel once that they are taken.
    #[inline]
    pub fn take_all(&mut self, mut look: impl FnMut(&Cqe)) {
        let (tail, mut head) = (self.ring.header(header::CQ_TAIL), self.head);
        while head != tail {
            look(&self.ring.published_cqe(head));
            head = head.wrapping_add(1);
        }
        self.head = head;
        self.ring.set_header(header::CQ_HEAD, head);
    }

    /// Hands the queue over without waiting.
    pub fn flush(&mut self) {
        self.ring.enter(0, 0);
        self.sort();
    }

    /// The completion with that `user_data`, if it has come.
    pub fn poll(&mut self, user_data: u64) -> Option<Cqe> {
        self.sort();
        self.stash.iter_mut().find(|place| place.is_some_and(|cqe| cqe.user_data == user_data))?.take()
    }

    /// Waits for it; a result of [`NEVER`] when it does not come.
    pub fn wait(&mut self, user_data: u64) -> Cqe {
        self.ring.enter(0, 0);
        for _ in 0..64 {
            if let Some(cqe) = self.poll(user_data) {
                return cqe;
            }
            self.ring.enter(1, PATIENCE_NS / 64);
        }
        Cqe { user_data, result: NEVER, ..Cqe::default() }
    }

    /// Submits and waits.
    pub fn run(&mut self, sqe: &Sqe) -> Cqe {
        let user_data = self.start(sqe);
        self.wait(user_data)
    }

    fn sort(&mut self) {
        while let Some(cqe) = self.pop() {
            if let Some(place) = self.stash.iter_mut().find(|place| place.is_none()) {
                *place = Some(cqe);
            }
        }
    }

    /// Writes words into the arena.
    pub fn put(&self, offset: u32, values: &[u64]) {
        for (n, value) in (0u32..).zip(values) {
            self.ring.set_arena(offset + 8 * n, *value);
        }
    }

    /// Encodes a message at [`MESSAGE`]; gives its length.
    pub fn encode(&self, params: &impl Encode) -> u32 {
        let mut buffer = [0; 1024];
        let len = params.encode(&mut buffer).unwrap_or(0);
        for (n, word) in (0u32..).zip(buffer.as_chunks::<8>().0.iter().take(len.div_ceil(8))) {
            self.ring.set_arena(MESSAGE + 8 * n, u64::from_le_bytes(*word));
        }
        len as u32
    }

    /// Hands a copy of the answer that lies at [`REPLY`] to `look`; no bytes when there is none.
    pub fn with_reply<T>(&self, cqe: &Cqe, look: impl FnOnce(&[u8]) -> T) -> T {
        let mut buffer = [0; 1024];
        for (n, word) in (0u32..).zip(buffer.as_chunks_mut::<8>().0) {
            *word = self.ring.arena(REPLY + 8 * n).to_le_bytes();
        }
        let len = usize::try_from(cqe.result).unwrap_or(0);
        look(buffer.get(..len).unwrap_or_default())
    }

    /// Decodes the answer that lies at [`REPLY`].
    pub fn decode<T: for<'a> Decode<'a>>(&self, cqe: &Cqe) -> Option<T> {
        self.with_reply(cqe, |bytes| T::decode(bytes).ok())
    }

    /// A call with `params`, `send` beside it and room for `room` capabilities; not yet submitted.
    pub fn call(
        &self,
        target: (CapId, u64),
        method: u16,
        params: &impl Encode,
        send: &[TransferSlot],
        room: u8,
    ) -> Sqe {
        for (n, slot) in (0u32..).zip(send) {
            self.ring.set_arena(CAPS + 8 * n, slot.0);
        }
        Sqe {
            op: Op::Call as u8,
            method,
            caps_send: send.len() as u8,
            caps_recv: room,
            cap: target.0.raw(),
            interface: target.1,
            msg_off: MESSAGE,
            msg_len: self.encode(params),
            reply_off: REPLY,
            reply_len: 0x1000,
            caps_off: CAPS,
            ..Sqe::default()
        }
    }

    /// The `n`th capability of the last answer.
    pub fn given(&self, n: u32) -> CapId {
        CapId::from_raw(self.ring.arena(CAPS + 8 * n))
    }

    /// A new endpoint.
    pub fn endpoint(&mut self, depth: u32) -> CapId {
        let target = (CapId::SELF_ENDPOINTS, endpoint_factory::INTERFACE_ID);
        let params = endpoint_factory::CreateParams { depth };
        let call = self.call(target, endpoint_factory::CREATE, &params, &[], 1);
        self.taken(&call)
    }

    /// A facet of an endpoint with that badge, for the probes' own interface.
    pub fn mint(&mut self, right: CapId, badge: u64) -> CapId {
        let params = endpoint::MintParams { badge, interface: crate::echo::INTERFACE };
        let call = self.call((right, endpoint::INTERFACE_ID), endpoint::MINT, &params, &[], 1);
        self.taken(&call)
    }

    /// Makes a call that answers with one capability.
    pub fn taken(&mut self, call: &Sqe) -> CapId {
        let cqe = self.run(call);
        if cqe.result >= 0 && cqe.caps == 1 { self.given(0) } else { CapId::NULL }
    }

    /// Gives a capability up.
    pub fn release(&mut self, id: CapId) -> Cqe {
        self.run(&Sqe { op: Op::Release as u8, cap: id.raw(), ..Sqe::default() })
    }
}

/// A receive on `right` into the inbox, with room for `caps` capabilities.
pub fn recv(right: CapId, caps: u8) -> Sqe {
    Sqe {
        op: Op::Recv as u8,
        caps_recv: caps,
        cap: right.raw(),
        msg_off: INBOX,
        msg_len: 0x1000,
        caps_off: INBOX_CAPS,
        ..Sqe::default()
    }
}

/// An answer to `token`, a call that came through `right`, with `len` bytes from [`MESSAGE`].
pub fn answer(right: CapId, token: u64, len: u32) -> Sqe {
    let interface = right.raw();
    Sqe { op: Op::Return as u8, cap: token, interface, msg_off: MESSAGE, msg_len: len, ..Sqe::default() }
}

/// The same, and the wait for the next call, as [`recv`] without capabilities.
pub fn answer_recv(right: CapId, token: u64, len: u32) -> Sqe {
    let next = recv(right, 0);
    Sqe {
        op: Op::ReturnRecv as u8,
        reply_off: next.msg_off,
        reply_len: next.msg_len,
        caps_off: next.caps_off,
        ..answer(right, token, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(written: usize) -> (usize, Vec<i64>) {
        let notes = Notes::new();
        (0..written).for_each(|_| notes.note("as it should be", 1, 1));
        let all = notes.take();
        let failed = all.iter().filter(|note| note.found != note.wanted);
        (all.len(), failed.map(|note| note.found).collect())
    }

    #[test]
    fn a_note_without_room_is_a_failure() {
        assert_eq!(failures(0), (0, Vec::new()));
        assert_eq!(failures(MAX_NOTES), (MAX_NOTES, Vec::new()));
        assert_eq!(failures(MAX_NOTES + 3), (MAX_NOTES + 1, Vec::from([3])));
    }
}
