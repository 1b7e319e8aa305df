//! The two queues of a session with a device: what is asked, and what became of it.

use crate::queue::End;
use core::ops::RangeInclusive;
use rt::generated::{MemoryObjectClient, SignallerClient};
use rt::listener::Listener;
use rt::queue::{Consumer, Producer, Slots, Wake};
use rt::shared::{Mapped, size};
use rt::{CallError, ExceptionCode};

/// Words of an entry, of requests and of completions: a cache line each.
pub const WORDS: usize = 8;
const _: () = assert!(WORDS == capos_block::WORDS && WORDS == capos_nic::WORDS, "all sessions are alike");

/// Bytes of the memory of both queues of a session that has so many entries.
pub fn queues_size(entries: u32, depths: &RangeInclusive<u32>) -> Result<u64, CallError> {
    let one = size::<WORDS>(entries).filter(|_| depths.contains(&entries));
    one.map(|one| 2 * one).ok_or(CallError::Exception(ExceptionCode::InvalidArgument.into()))
}

/// Both queues, requests first.
pub fn map(
    object: &MemoryObjectClient,
    entries: u32,
    depths: &RangeInclusive<u32>,
) -> Result<(Mapped<WORDS>, Mapped<WORDS>), CallError> {
    let behind = queues_size(entries, depths)? / 2;
    Ok((Mapped::map(object, entries)?, Mapped::map_at(object, behind, entries)?))
}

/// A server's end: the queues of one client. A request is taken only while there is room for its completion, so that there always is.
pub struct Port {
    requests: Consumer<WORDS, Mapped<WORDS>>,
    completions: Producer<WORDS, Mapped<WORDS>>,
    peer: SignallerClient,
    /// Requests that were taken and not completed.
    taken: u32,
    wake: bool,
}

impl Port {
    /// Of the memory that a client gave, and the doorbell by which he wants to be woken.
    pub fn accept(
        object: &MemoryObjectClient,
        entries: u32,
        depths: &RangeInclusive<u32>,
        peer: SignallerClient,
    ) -> Result<Port, CallError> {
        let (requests, completions) = map(object, entries, depths)?;
        Ok(Port {
            requests: Consumer::new(requests),
            completions: Producer::new(completions),
            peer,
            taken: 0,
            wake: false,
        })
    }

    /// Takes the next requests, at most as many as fit into `out`, and says how many.
    #[inline]
    pub fn take(&mut self, out: &mut [[u64; WORDS]]) -> Result<usize, End> {
        // Room for completions never shrinks but by our own. It is looked at each time: whose index is impossible is to go at once.
        let room = self.completions.room()?.saturating_sub(self.taken);
        let free = out.len().min(room as usize);
        let out = out.get_mut(..free).unwrap_or_default();
        if out.is_empty() {
            return Ok(0);
        }
        let (count, wake) = self.requests.pop_all(out)?;
        self.wake |= wake == Wake::Yes;
        self.taken += count as u32;
        Ok(count)
    }

    /// Answers one that was taken. Whether nothing more could be taken before: no doorbell tells that it can now.
    #[inline]
    pub fn complete(&mut self, completion: &[u64; WORDS]) -> Result<bool, End> {
        let was_full = self.is_full();
        self.taken = self.taken.saturating_sub(1);
        // There is room: see `take`.
        if self.completions.push(completion)? == Some(Wake::Yes) {
            self.wake = true;
        }
        Ok(was_full)
    }

    /// All places for completions are for what was taken.
    #[inline]
    fn is_full(&self) -> bool {
        self.taken >= self.completions.memory().entries()
    }

    /// Whether the client is to look, which it hears with the next [`send`](Self::send).
    #[inline]
    pub fn owes(&self) -> bool {
        self.wake
    }

    /// Sees to it that the client looks at what was answered, with the next wait.
    #[inline]
    pub fn send(&mut self, listener: &Listener) {
        if core::mem::replace(&mut self.wake, false) {
            listener.owe(&self.peer);
        }
    }

    /// To be asked when there is nothing to take, before waiting: whether the doorbell will tell of the next request, or of room for its
    /// completion.
    #[inline]
    pub fn may_sleep(&mut self) -> Result<bool, End> {
        if self.is_full() {
            // The next step is ours.
            return Ok(true);
        }
        if self.completions.room_for(self.taken as usize + 1)? <= self.taken {
            return Ok(self.completions.may_sleep(self.taken + 1)?);
        }
        Ok(self.requests.may_sleep()?)
    }
}
