//! What a kernel object sees of the call it is to answer.

use crate::cap::Object;
use crate::ipc::ops::{Buffers, Ticket, Waiting};
use crate::task::process::Process;
use crate::task::thread::Thread;
use capos_abi::{CapId, ExceptionCode, MAX_MESSAGE, Sqe, TransferMode, TransferSlot, TransportError};
use capos_cap::{Mobility, TableError};
use capos_schema::Encode;
use kernel_hal::sync::Ref;

/// How a call of a kernel object went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Outcome {
    /// Answered: bytes in the reply buffer, capabilities in the array.
    Done { len: u32, caps: u8 },
    /// Will be answered through its ticket.
    Pending,
    /// The object cannot do it.
    Exception(ExceptionCode),
    /// The call was not one.
    Error(TransportError),
}

impl Outcome {
    /// An answer without fields.
    pub const EMPTY: Outcome = Outcome::Done { len: 0, caps: 0 };
}

/// One call.
pub(crate) struct Call<'a> {
    thread: &'a Ref<Thread>,
    sqe: &'a Sqe,
    given: u8,
}

impl<'a> Call<'a> {
    /// The call that `sqe` makes for `thread`.
    #[inline]
    pub fn new(thread: &'a Ref<Thread>, sqe: &'a Sqe) -> Self {
        Call { thread, sqe, given: 0 }
    }

    /// Who calls.
    pub fn thread(&self) -> &'a Ref<Thread> {
        self.thread
    }

    /// Whose thread calls.
    pub fn process(&self) -> &'a Ref<Process> {
        &self.thread.process
    }

    /// Answers with a message of at most 64 bytes.
    #[inline]
    pub fn reply(&mut self, message: &impl Encode) -> Outcome {
        self.reply_through(message, &mut [0; 64])
    }

    /// Answers with a message of any size.
    #[inline(never)]
    pub fn reply_large(&mut self, message: &impl Encode) -> Outcome {
        self.reply_through(message, &mut [0; MAX_MESSAGE])
    }

    #[inline]
    fn reply_through(&mut self, message: &impl Encode, buffer: &mut [u8]) -> Outcome {
        let encoded = message.encode(buffer).ok().and_then(|len| buffer.get(..len));
        let Some(bytes) = encoded.filter(|bytes| bytes.len() <= self.sqe.reply_len as usize) else {
            return self.take_back(TransportError::ReplyTooLarge);
        };
        if self.thread.ring.arena_write(self.sqe.reply_off, bytes).is_err() {
            return self.take_back(TransportError::InvalidArgument);
        }
        Outcome::Done { len: bytes.len() as u32, caps: self.given }
    }

    /// The answer did not fit: capabilities given with it are taken back, so that nothing is half done.
    #[cold]
    fn take_back(&mut self, error: TransportError) -> Outcome {
        for n in 0..core::mem::take(&mut self.given) {
            let raw = self.thread.ring.arena_load(self.slot(n)).unwrap_or(0);
            let entry = self.process().release(CapId::from_raw(raw));
            drop(entry);
        }
        Outcome::Error(error)
    }

    /// Puts a capability for `object` into the caller's table and the answer.
    pub fn give(&mut self, object: Object) -> Result<(), Outcome> {
        if self.given >= self.sqe.caps_recv {
            return Err(self.take_back(TransportError::ReplyTooLarge));
        }
        match self.process().insert(object, Mobility::Free) {
            Ok(id) => {
                // The array was checked against the arena with the submission.
                let _ = self.thread.ring.arena_store(self.slot(self.given), id.raw());
                self.given += 1;
                Ok(())
            }
            Err(error) => Err(self.take_back(refusal(error))),
        }
    }

    /// The object behind the `n`th capability beside the message, whatever it is.
    pub fn object(&self, n: u8) -> Result<Object, Outcome> {
        let slot = self.sent(n)?;
        let table = self.process().table.lock();
        table
            .lookup(slot.id())
            .map(|entry| entry.object.clone())
            .map_err(|error| Outcome::Error(refusal(error)))
    }

    /// The object behind the `n`th capability, if it may be given to somebody else in the way it was sent.
    pub fn transferable(&self, n: u8) -> Result<Object, Outcome> {
        let slot = self.sent(n)?;
        let table = self.process().table.lock();
        let entry = table.lookup(slot.id()).map_err(|error| Outcome::Error(refusal(error)))?;
        match (entry.mobility, slot.mode()) {
            (Mobility::Free, _) | (Mobility::MoveOnly, Some(TransferMode::Move)) => Ok(entry.object.clone()),
            _ => Err(Outcome::Error(TransportError::NotTransferable)),
        }
    }

    /// Empties the caller's entry of the `n`th capability if it was sent as a move. For the end of a successful call.
    pub fn consume(&self, n: u8) {
        if let Ok(slot) = self.sent(n)
            && slot.mode() == Some(TransferMode::Move)
        {
            let entry = self.process().release(slot.id());
            drop(entry);
        }
    }

    fn sent(&self, n: u8) -> Result<TransferSlot, Outcome> {
        let error = Outcome::Error(TransportError::InvalidArgument);
        if n >= self.sqe.caps_send {
            return Err(error);
        }
        let slot = self.thread.ring.arena_load(self.slot(n)).map(TransferSlot).map_err(|_| error)?;
        if slot.mode().is_none() { Err(error) } else { Ok(slot) }
    }

    fn slot(&self, n: u8) -> u32 {
        self.sqe.caps_off.wrapping_add(u32::from(n) * 8)
    }

    /// Leaves the call unanswered for now: it is parked as `waiting`, then `enter` puts its ticket wherever it is to be found
    /// later. An error of `enter` ends the call at once.
    pub fn defer(
        &mut self,
        waiting: Waiting,
        enter: impl FnOnce(Ticket) -> Result<(), ExceptionCode>,
    ) -> Outcome {
        let id = {
            let mut ops = self.thread.ops.lock();
            match ops.begin(Buffers::of(self.sqe)) {
                Ok(id) => {
                    ops.park(id, waiting);
                    id
                }
                Err(error) => return Outcome::Error(error),
            }
        };
        match enter(Ticket { thread: self.thread.clone(), id }) {
            Ok(()) => Outcome::Pending,
            Err(code) => {
                self.thread.ops.lock().finish(id);
                Outcome::Exception(code)
            }
        }
    }
}

/// What the caller hears when its own table refuses.
pub(crate) fn refusal(error: TableError) -> TransportError {
    match error {
        TableError::InvalidCap => TransportError::InvalidCap,
        TableError::NotTransferable => TransportError::NotTransferable,
        TableError::Full | TableError::UnexpectedSlot => TransportError::BudgetExhausted,
        TableError::OutOfMemory => TransportError::OutOfMemory,
    }
}
