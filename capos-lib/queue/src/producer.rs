//! The side that writes entries.

use crate::{Fault, Index, Ordering, Slots, Wake, wake_for};

/// The one producer of a queue in fresh memory.
pub struct Producer<const WORDS: usize, M: Slots<WORDS>> {
    memory: M,
    /// Our own count of what we have written; the shared word is for the other side.
    tail: u32,
    /// The consumer's head as last seen and found possible. Never further than the truth, so what it leaves free is free.
    head: u32,
    fault: bool,
}

impl<const WORDS: usize, M: Slots<WORDS>> Producer<WORDS, M> {
    /// On memory that nobody has produced into yet.
    pub fn new(memory: M) -> Self {
        let producer = Producer { memory, tail: 0, head: 0, fault: false };
        producer.want_nothing();
        producer
    }

    /// The same when so many entries went through before.
    #[cfg(test)]
    pub(crate) fn starting_at(memory: M, start: u32) -> Self {
        let producer = Producer { memory, tail: start, head: start, fault: false };
        producer.want_nothing();
        producer
    }

    /// Zeroed memory would say that we wait for the first entry to be taken.
    fn want_nothing(&self) {
        self.memory.store(Index::RoomWanted, self.tail.wrapping_sub(1), Ordering::Relaxed);
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Entries that there is room for, at least.
    ///
    /// # Errors
    /// [`Fault::Head`].
    pub fn room(&mut self) -> Result<u32, Fault> {
        self.look()?;
        Ok(self.memory.entries() - self.in_queue())
    }

    /// The same for who has a use for no more than `wanted`: looks only when there was not room for so many the last time.
    ///
    /// # Errors
    /// [`Fault::Head`].
    #[inline]
    pub fn room_for(&mut self, wanted: usize) -> Result<u32, Fault> {
        let free = self.memory.entries() - self.in_queue();
        if (free as usize) < wanted { self.room() } else { Ok(free) }
    }

    /// Appends an entry; `None` when there is no room.
    ///
    /// # Errors
    /// [`Fault::Head`].
    #[inline]
    pub fn push(&mut self, entry: &[u64; WORDS]) -> Result<Option<Wake>, Fault> {
        if self.in_queue() >= self.memory.entries() {
            self.look()?;
            if self.in_queue() >= self.memory.entries() {
                return Ok(None);
            }
        }
        self.memory.write(self.tail, entry);
        Ok(Some(self.publish(1)))
    }

    /// Appends as many entries as there is room for, and says how many.
    ///
    /// # Errors
    /// [`Fault::Head`].
    #[inline]
    pub fn push_all(&mut self, entries: &[[u64; WORDS]]) -> Result<(usize, Wake), Fault> {
        let free = self.room_for(entries.len())?;
        let count = entries.len().min(free as usize);
        for (n, entry) in (0u32..).zip(entries.iter().take(count)) {
            self.memory.write(self.tail.wrapping_add(n), entry);
        }
        if count == 0 {
            return Ok((0, Wake::No));
        }
        Ok((count, self.publish(count as u32)))
    }

    /// To be called when there is no room, before sleeping: asks for a signal when there is room for `wanted` entries (at least one, at most
    /// all), and looks again. True when we may sleep until then; a signal may also come without reason.
    ///
    /// # Errors
    /// [`Fault::Head`].
    pub fn may_sleep(&mut self, wanted: u32) -> Result<bool, Fault> {
        let entries = self.memory.entries();
        let wanted = wanted.clamp(1, entries);
        // There is room for so many when the last of these has left.
        let last = self.tail.wrapping_add(wanted).wrapping_sub(entries).wrapping_sub(1);
        self.memory.store(Index::RoomWanted, last, Ordering::Relaxed);
        self.memory.fence();
        Ok(self.room()? < wanted)
    }

    #[inline]
    fn publish(&mut self, count: u32) -> Wake {
        let old = self.tail;
        self.tail = old.wrapping_add(count);
        // Release: the entries come before it.
        self.memory.store(Index::Tail, self.tail, Ordering::Release);
        self.memory.fence();
        wake_for(self.memory.load(Index::EntryWanted, Ordering::Relaxed), old, self.tail)
    }

    #[inline]
    fn in_queue(&self) -> u32 {
        self.tail.wrapping_sub(self.head)
    }

    /// Looks at the consumer's head.
    #[inline]
    fn look(&mut self) -> Result<(), Fault> {
        // Acquire: the consumer has read the entries below its head, and they may be overwritten.
        let head = self.memory.load(Index::Head, Ordering::Acquire);
        // It only ever moves on from where it was, and never past our tail.
        self.fault |= head.wrapping_sub(self.head) > self.in_queue();
        if self.fault {
            return Err(Fault::Head);
        }
        self.head = head;
        Ok(())
    }
}
