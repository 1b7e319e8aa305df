//! A ring, of buffers or of frames: the device works through both in order, and writes back where it has read.

use crate::{Layout, Tag, bits};
use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// What a ring lies in. Accesses are volatile, each of a whole word.
pub trait Memory {
    /// Writes a descriptor.
    fn write_descriptor(&self, index: u16, words: [u64; 2]);
    /// The second word of a descriptor as the device wrote it back; without [`bits::DONE`] it has not.
    fn answer(&self, index: u16) -> u64;
    /// Orders accesses before it against those behind it, as the device sees them.
    fn fence(&self, order: Ordering);
}

/// What a descriptor is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flight {
    /// By what it was given; none when nobody gave it.
    pub tag: Option<Tag>,
    /// When.
    pub since: u64,
}

#[derive(Debug)]
pub(crate) struct Ring<M> {
    memory: M,
    layout: Layout,
    flights: Box<[Flight]>,
    /// The oldest that the device has not written back, behind the last that it was told of, and behind the last that was added.
    head: u16,
    shown: u16,
    tail: u16,
}

impl<M: Memory> Ring<M> {
    /// In fresh memory.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(memory: M, layout: Layout) -> Result<Self, TryReserveError> {
        let mut flights = Vec::new();
        flights.try_reserve_exact(layout.size().into())?;
        flights.resize(layout.size().into(), Flight::default());
        Ok(Ring { memory, layout, flights: flights.into_boxed_slice(), head: 0, shown: 0, tail: 0 })
    }

    /// Descriptors that it takes at most: with one more, full and empty would look the same.
    pub const fn most(&self) -> u16 {
        self.layout.size() - 1
    }

    /// Descriptors that it takes now.
    #[inline]
    pub const fn room(&self) -> u16 {
        self.most() - self.layout.distance(self.head, self.tail)
    }

    /// Adds one; to be called only when there is room.
    #[inline]
    pub fn add(&mut self, words: [u64; 2], flight: Flight) {
        if let Some(place) = self.flights.get_mut(usize::from(self.tail)) {
            *place = flight;
            self.memory.write_descriptor(self.tail, words);
            self.tail = self.layout.after(self.tail);
        }
    }

    /// How far the device is to be told that it may go, if that is news.
    #[inline]
    pub fn show(&mut self) -> Option<u16> {
        let is_news = self.shown != self.tail;
        self.shown = self.tail;
        is_news.then_some(self.tail)
    }

    /// Whether something was added that the device was not told of.
    pub const fn has_news(&self) -> bool {
        self.shown != self.tail
    }

    /// Whether the device has written back what is next.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.head != self.shown && self.memory.answer(self.head) & bits::DONE != 0
    }

    /// The next one that the device has written back, and what it wrote.
    #[inline]
    pub fn take(&mut self) -> Option<(Flight, u64)> {
        if self.head == self.shown {
            return None;
        }
        let answer = self.memory.answer(self.head);
        if answer & bits::DONE == 0 {
            return None;
        }
        // What is in the buffer is looked at behind that.
        self.memory.fence(Ordering::Acquire);
        let flight = self.flights.get(usize::from(self.head)).copied()?;
        self.head = self.layout.after(self.head);
        Some((flight, answer))
    }

    /// When the device got the oldest that it has.
    pub fn oldest(&self) -> Option<u64> {
        let flight = self.flights.get(usize::from(self.head))?;
        (self.head != self.shown).then_some(flight.since)
    }

    /// As if it had got everything now.
    pub fn forgive(&mut self, now: u64) {
        self.flights.iter_mut().for_each(|flight| flight.since = now);
    }
}
