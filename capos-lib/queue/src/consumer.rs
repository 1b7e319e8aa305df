//! The side that takes entries.

use crate::{Fault, Index, Ordering, Slots, Wake, wake_for};

/// The one consumer of a queue in fresh memory.
pub struct Consumer<const WORDS: usize, M: Slots<WORDS>> {
    memory: M,
    /// Our own count of what we have taken; the shared word is for the other side.
    head: u32,
    /// The producer's tail as last seen and found possible.
    tail: u32,
    /// One more than the entries that there may be; zero when the producer was found at fault, so that nothing it says is possible any more.
    limit: u32,
}

impl<const WORDS: usize, M: Slots<WORDS>> Consumer<WORDS, M> {
    /// On memory that nobody has consumed from yet. Zeroed memory says that we wait for the first entry: so it is.
    pub fn new(memory: M) -> Self {
        let limit = memory.entries() + 1;
        Consumer { memory, head: 0, tail: 0, limit }
    }

    /// The same when so many entries went through before.
    #[cfg(test)]
    pub(crate) fn starting_at(memory: M, start: u32) -> Self {
        Consumer { head: start, tail: start, ..Consumer::new(memory) }
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Entries that wait, at least.
    ///
    /// # Errors
    /// [`Fault::Tail`].
    pub fn waiting(&mut self) -> Result<u32, Fault> {
        self.look()?;
        Ok(self.in_queue())
    }

    /// Takes the oldest entry into `out`; `None` when there is none.
    ///
    /// # Errors
    /// [`Fault::Tail`].
    #[inline]
    pub fn pop(&mut self, out: &mut [u64; WORDS]) -> Result<Option<Wake>, Fault> {
        if self.in_queue() == 0 {
            self.look()?;
            if self.in_queue() == 0 {
                return Ok(None);
            }
        }
        self.memory.read(self.head, out);
        Ok(Some(self.publish(1)))
    }

    /// Takes the oldest entries, as many as there are and as fit, and says how many.
    ///
    /// # Errors
    /// [`Fault::Tail`].
    #[inline]
    pub fn pop_all(&mut self, out: &mut [[u64; WORDS]]) -> Result<(usize, Wake), Fault> {
        if (self.in_queue() as usize) < out.len() {
            self.look()?;
        }
        let count = out.len().min(self.in_queue() as usize);
        for (n, place) in (0u32..).zip(out.iter_mut().take(count)) {
            self.memory.read(self.head.wrapping_add(n), place);
        }
        if count == 0 {
            return Ok((0, Wake::No));
        }
        Ok((count, self.publish(count as u32)))
    }

    /// To be called when there is nothing, before sleeping: asks for a signal when there is an entry, and looks again. True when we may sleep
    /// until then; a signal may also come without reason.
    ///
    /// # Errors
    /// [`Fault::Tail`].
    pub fn may_sleep(&mut self) -> Result<bool, Fault> {
        self.memory.store(Index::EntryWanted, self.head, Ordering::Relaxed);
        self.memory.fence();
        Ok(self.waiting()? == 0)
    }

    #[inline]
    fn publish(&mut self, count: u32) -> Wake {
        let old = self.head;
        self.head = old.wrapping_add(count);
        // Release: the entries were read before the producer may overwrite them.
        self.memory.store(Index::Head, self.head, Ordering::Release);
        self.memory.fence();
        wake_for(self.memory.load(Index::RoomWanted, Ordering::Relaxed), old, self.head)
    }

    #[inline]
    fn in_queue(&self) -> u32 {
        self.tail.wrapping_sub(self.head)
    }

    /// Looks at the producer's tail.
    #[inline]
    fn look(&mut self) -> Result<(), Fault> {
        // Acquire: the entries below the tail were written before it.
        let tail = self.memory.load(Index::Tail, Ordering::Acquire);
        let waiting = tail.wrapping_sub(self.head);
        // It only ever moves on from where it was, and never more than one queue past our head.
        if waiting >= self.limit || waiting < self.in_queue() {
            self.limit = 0;
            return Err(Fault::Tail);
        }
        self.tail = tail;
        Ok(())
    }
}
