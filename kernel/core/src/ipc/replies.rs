//! The calls that a process has received and not answered yet, by token.

use crate::ipc::endpoint::Endpoint;
use crate::ipc::ops::Ticket;
use alloc::vec::Vec;
use kernel_hal::sync::{OutOfMemory, Ref};

/// Names a received call: slot and generation. Meaningless in any other process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token(u64);

impl Token {
    /// From a submission.
    pub const fn from_raw(raw: u64) -> Self {
        Token(raw)
    }

    /// For a completion.
    pub const fn raw(self) -> u64 {
        self.0
    }

    fn new(slot: u32, generation: u32) -> Self {
        Token(u64::from(slot) | u64::from(generation) << 32)
    }

    fn slot(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A received call.
pub(crate) struct Received {
    /// Who waits for the answer.
    pub caller: Ticket,
    /// Through which endpoint it came, whose depth it still counts against.
    pub endpoint: Ref<Endpoint>,
}

struct Slot {
    generation: u32,
    call: Option<Received>,
}

/// Why a call could not be noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RepliesError {
    /// The process is ending.
    Closed,
    /// The kernel heap has no room.
    OutOfMemory,
}

/// The table. Grows with the deepest load seen; endpoint depths bound it.
pub(crate) struct Replies {
    slots: Vec<Slot>,
    free: Vec<u32>,
    closed: bool,
}

impl Replies {
    /// An empty table.
    pub const fn new() -> Self {
        Replies { slots: Vec::new(), free: Vec::new(), closed: false }
    }

    /// Makes room for `more` calls beyond those that can already be held, so that receiving them cannot fail.
    pub fn reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let wanted = self.slots.len().saturating_add(more);
        self.free.try_reserve(wanted.saturating_sub(self.free.len())).map_err(|_| OutOfMemory)?;
        self.slots.try_reserve(more).map_err(|_| OutOfMemory)?;
        for _ in 0..more {
            let slot = u32::try_from(self.slots.len()).map_err(|_| OutOfMemory)?;
            self.slots.push(Slot { generation: 1, call: None });
            self.free.push(slot);
        }
        Ok(())
    }

    /// Notes a call.
    #[inline]
    pub fn insert(&mut self, call: Received) -> Result<Token, RepliesError> {
        if self.closed {
            return Err(RepliesError::Closed);
        }
        if self.free.is_empty() {
            self.reserve(8).map_err(|OutOfMemory| RepliesError::OutOfMemory)?;
        }
        let slot = self.free.pop().ok_or(RepliesError::OutOfMemory)?;
        let entry = self.slots.get_mut(slot as usize).ok_or(RepliesError::OutOfMemory)?;
        entry.call = Some(call);
        Ok(Token::new(slot, entry.generation))
    }

    /// Takes a call out to answer it; the token stays reserved until [`Replies::retire`] or [`Replies::put_back`].
    #[inline]
    pub fn take(&mut self, token: Token) -> Option<Received> {
        let entry = self.slots.get_mut(token.slot())?;
        if entry.generation == token.generation() { entry.call.take() } else { None }
    }

    /// Ends a taken token.
    #[inline]
    pub fn retire(&mut self, token: Token) {
        let Some(entry) = self.slots.get_mut(token.slot()) else { return };
        if entry.generation == token.generation() {
            entry.generation = entry.generation.wrapping_add(1);
            // Never grows: every slot has its place in the list.
            self.free.push(token.slot() as u32);
        }
    }

    /// Undoes a [`Replies::take`]; gives the call back when the process has ended meanwhile.
    pub fn put_back(&mut self, token: Token, call: Received) -> Result<(), Received> {
        match self.slots.get_mut(token.slot()) {
            Some(entry) if !self.closed && entry.generation == token.generation() => {
                entry.call = Some(call);
                Ok(())
            }
            _ => Err(call),
        }
    }

    /// Whether the process is ending and its calls were taken back.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Refuses further calls and hands out those that wait, one by one.
    pub fn close(&mut self) -> Option<Received> {
        self.closed = true;
        while let Some(slot) = self.slots.pop() {
            if let Some(call) = slot.call {
                return Some(call);
            }
        }
        self.free.clear();
        None
    }
}
