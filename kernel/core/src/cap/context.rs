//! What a kernel object sees of the call it is to answer.

use crate::cap::Object;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::ipc::transfer;
use crate::task::process::Process;
use crate::task::rest;
use crate::task::thread::Thread;
use capos_abi::ring::cqe_flags;
use capos_abi::{CapId, Cqe, ExceptionCode, MAX_MESSAGE, TransferMode, TransferSlot, TransportError};
use capos_cap::TransferError;
use capos_schema::Encode;
use core::sync::atomic::Ordering;
use kernel_hal::sync::Ref;

/// How a call of a kernel object went: the second word of its completion, [`Cqe::outcome`]. So nothing has to be taken apart and put together again on the way to the completion queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) struct Outcome(u64);

impl Outcome {
    /// An answer without fields.
    pub const EMPTY: Outcome = Outcome(0);
    /// Will be answered through its ticket. No completion looks like this: its flags are unknown ones.
    pub const PENDING: Outcome = Outcome(u64::MAX);
    /// The same, and the caller sleeps already while another thread runs.
    pub const AWAY: Outcome = Outcome(u64::MAX - 1);

    /// Whether there is no completion to post.
    #[inline]
    pub fn is_none_yet(self) -> bool {
        self.0 >= Outcome::AWAY.0
    }

    /// Answered: bytes in the reply buffer, capabilities in the array.
    #[inline]
    pub fn done(len: usize, caps: u8) -> Outcome {
        Outcome(len as u64 & 0x7fff_ffff | u64::from(caps) << 40)
    }

    /// The object cannot do it.
    #[inline]
    pub const fn exception(code: ExceptionCode) -> Outcome {
        Outcome((cqe_flags::EXCEPTION as u64) << 32 | (code.code() as u64) << 48)
    }

    /// The call was not one.
    #[inline]
    pub const fn error(error: TransportError) -> Outcome {
        Outcome(error.code() as u32 as u64)
    }

    /// The completion that says so.
    #[inline]
    pub fn completion(self, user_data: u64) -> Cqe {
        Cqe::of_outcome(user_data, self.0)
    }
}

/// A capability beside a message. The word that named it was read once: the array is the caller's memory, and the answer's
/// capabilities come to the same place.
pub(crate) struct Sent {
    pub object: Object,
    pub slot: TransferSlot,
}

/// One call.
pub(crate) struct Call<'a> {
    thread: &'a Ref<Thread>,
    buffers: &'a Buffers,
    /// The capability that is part of the answer; the null id while there is none. No method gives more than one.
    given: CapId,
}

impl<'a> Call<'a> {
    /// The call that `thread` makes with `buffers`.
    #[inline]
    pub fn new(thread: &'a Ref<Thread>, buffers: &'a Buffers) -> Self {
        Call { thread, buffers, given: CapId::NULL }
    }

    /// The same call for somebody else to answer, as long as nothing was given.
    #[inline]
    pub fn anew(&self) -> Call<'a> {
        Call::new(self.thread, self.buffers)
    }

    /// Who calls.
    pub fn thread(&self) -> &'a Ref<Thread> {
        self.thread
    }

    /// What it called with.
    pub fn buffers(&self) -> &'a Buffers {
        self.buffers
    }

    /// Whose thread calls.
    pub fn process(&self) -> &'a Ref<Process> {
        &self.thread.process
    }

    /// Whether the caller has room for an answer of `len` bytes, rounded up to words. For methods whose answer has no fixed size, before
    /// they do what cannot be undone.
    pub fn has_room(&self, len: usize) -> bool {
        len.next_multiple_of(8) <= self.buffers.answer.len() as usize
    }

    /// Answers with a message of at most 64 bytes.
    #[inline(always)]
    pub fn reply(&mut self, message: &impl Encode) -> Outcome {
        self.reply_through(message, &mut [0; 64])
    }

    /// Answers with a message of any size.
    #[inline(never)]
    pub fn reply_large(&mut self, message: &impl Encode) -> Outcome {
        self.reply_through(message, &mut [0; MAX_MESSAGE])
    }

    #[inline(always)]
    fn reply_through(&mut self, message: &impl Encode, buffer: &mut [u8]) -> Outcome {
        let encoded = message.encode(buffer).ok().and_then(|len| buffer.get(..len));
        let Some(bytes) = encoded.filter(|bytes| bytes.len() <= self.buffers.answer.len() as usize) else {
            return self.refuse(TransportError::ReplyTooLarge);
        };
        if self.thread.ring.arena_write(self.buffers.answer.off(), bytes).is_err() {
            return self.refuse(TransportError::InvalidArgument);
        }
        Outcome::done(bytes.len(), u8::from(self.given != CapId::NULL))
    }

    #[inline]
    fn refuse(&mut self, error: TransportError) -> Outcome {
        if self.given == CapId::NULL { Outcome::error(error) } else { self.take_back(error) }
    }

    /// The answer did not fit: the capability given with it is taken back, so that nothing is half done. By our own note of it: where it was
    /// written is the caller's memory, and may name another one by now.
    #[cold]
    fn take_back(&mut self, error: TransportError) -> Outcome {
        self.withdraw();
        Outcome::error(error)
    }

    fn withdraw(&mut self) {
        let given = core::mem::replace(&mut self.given, CapId::NULL);
        let entry = self.process().release(given);
        drop(entry);
    }

    /// Answers with a facet of what is called.
    pub fn reply_with_facet(&mut self, object: Object, message: &impl Encode) -> Outcome {
        match self.give_facet(object) {
            Ok(()) => self.reply(message),
            Err(outcome) => outcome,
        }
    }

    /// Like [`Call::give_facet`] for what `make` brings about. When that cannot be undone, the caller's table must have room for it before.
    pub fn give_facet_of(
        &mut self,
        object: Object,
        make: impl FnOnce() -> Result<(), ExceptionCode>,
    ) -> Result<(), Outcome> {
        self.give_facet(object)?;
        make().map_err(|code| {
            self.withdraw();
            Outcome::exception(code)
        })
    }

    /// Puts a capability for a new `object` into the caller's table and the answer.
    pub fn give(&mut self, object: Object) -> Result<(), Outcome> {
        self.give_by(|process| process.insert(object))
    }

    /// The same for a facet of what is called: whoever revokes that takes the facet away, too.
    pub fn give_facet(&mut self, object: Object) -> Result<(), Outcome> {
        let called = CapId::from_raw(self.buffers.cap);
        self.give_by(|process| process.insert_derived(object, called))
    }

    fn give_by(
        &mut self,
        insert: impl FnOnce(&Process) -> Result<CapId, TransferError>,
    ) -> Result<(), Outcome> {
        if self.given != CapId::NULL || self.buffers.kind.caps_recv() == 0 {
            return Err(self.refuse(TransportError::BudgetExhausted));
        }
        match insert(self.process()) {
            Ok(id) => {
                // The array was checked against the arena with the submission.
                let _ = self.thread.ring.arena_store(self.slot(0), id.raw());
                self.given = id;
                Ok(())
            }
            Err(error) => Err(self.refuse(transfer::refusal(error))),
        }
    }

    /// The object behind the `n`th capability beside the message, whatever it is.
    pub fn object(&self, n: u8) -> Result<Sent, Outcome> {
        let slot = self.sent(n)?;
        let table = self.process().table.lock();
        let entry =
            table.lookup(slot.id()).map_err(|error| Outcome::error(transfer::refusal(error.into())))?;
        Ok(Sent { object: entry.object.clone(), slot })
    }

    /// Empties the caller's entry of a capability that was sent as a move. For the end of a successful call.
    pub fn consume(&self, slot: TransferSlot) {
        if slot.mode() == Some(TransferMode::Move)
            && let Ok(entry) = self.process().release(slot.id())
        {
            rest::give_up(self.thread, entry.object);
        }
    }

    fn sent(&self, n: u8) -> Result<TransferSlot, Outcome> {
        let error = Outcome::error(TransportError::InvalidArgument);
        if n >= self.buffers.kind.caps_send() {
            return Err(error);
        }
        let slot = self.thread.ring.arena_load(self.slot(n)).map(TransferSlot).map_err(|_| error)?;
        if slot.mode().is_none() { Err(error) } else { Ok(slot) }
    }

    fn slot(&self, n: u8) -> u32 {
        self.buffers.caps_off().wrapping_add(u32::from(n) * 8)
    }

    /// Leaves the call unanswered for now: `enter` puts its ticket where `waiting` says that it is to be found later. An error of
    /// `enter` ends the call at once. Locks of the object may be held: what is to be done about a capability that went in the middle of it
    /// is done later, by [`crate::task::revoke::catch_up`].
    pub fn defer(
        &mut self,
        waiting: Waiting,
        enter: impl FnOnce(Ticket) -> Result<(), ExceptionCode>,
    ) -> Outcome {
        let id = match self.thread.begin(*self.buffers, waiting) {
            Ok(id) => id,
            Err(error) => return Outcome::error(error),
        };
        match enter(Ticket { thread: self.thread.clone(), id }) {
            Ok(()) => {
                self.thread.deferred.store(self.buffers.cap, Ordering::Relaxed);
                Outcome::PENDING
            }
            Err(code) => {
                self.thread.end(id);
                Outcome::exception(code)
            }
        }
    }
}
