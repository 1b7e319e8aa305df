//! A queue from one process to another, in memory that both can write (architecture, section 3): one producer, one consumer, entries of
//! one size, and a system call only when somebody has to be woken.
//!
//! Each side owns two index words and only reads the other's two. Indices run freely and wrap at 2^32; the producer's `Tail` is one past
//! the newest entry, the consumer's `Head` is the oldest. The other two say what their owner waits for:
//!
//! **Want, look again, sleep.** Who finds nothing to do writes down the entry that it waits for, looks once more, and only then sleeps. Who
//! moves on looks, after it has moved, whether the entry wanted is among those that it has moved past, and signals if so. Between writing one's
//! own word and reading the other's both have a full fence, so that at least one of the two sees what the other has done: either
//! the sleeper finds the entry when it looks again, or the other side finds the wish. That is what the models in `models.rs` check.
//! A wish is met once: later entries lie beyond it, so a side that is awake is not signalled.
//!
//! **The other side is not trusted.** Each of its words is read once, and judged; an impossible index is a [`Fault`], from then on for
//! good. Entries are copied out before anybody looks at them. The worst that a hostile peer can do is what any peer may do: send
//! nonsense, or nothing.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

#[cfg(test)]
extern crate std;

pub mod bytes;
mod consumer;
mod producer;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(all(test, loom)))]
pub use capos_ring::{BadShape, Index, SharedSlots};
pub use consumer::Consumer;
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::Ordering;
#[cfg(all(test, loom))]
pub use models::Index;
pub use producer::Producer;

#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::Ordering;

/// The memory that both sides see.
pub trait Slots<const WORDS: usize> {
    /// How many entries there are room for: a power of two.
    fn entries(&self) -> u32;
    /// An index word, whatever the other side made of it.
    fn load(&self, index: Index, order: Ordering) -> u32;
    /// Writes one of one's own index words.
    fn store(&self, index: Index, value: u32, order: Ordering);
    /// Orders what this side wrote before against what it reads afterwards.
    fn fence(&self);
    /// A private copy of an entry, each word read once.
    fn read(&self, index: u32, out: &mut [u64; WORDS]);
    /// Writes an entry.
    fn write(&self, index: u32, entry: &[u64; WORDS]);
}

#[cfg(not(all(test, loom)))]
impl<const WORDS: usize> Slots<WORDS> for SharedSlots<WORDS> {
    #[inline]
    fn entries(&self) -> u32 {
        SharedSlots::entries(self)
    }

    #[inline]
    fn load(&self, index: Index, order: Ordering) -> u32 {
        SharedSlots::load(self, index, order)
    }

    #[inline]
    fn store(&self, index: Index, value: u32, order: Ordering) {
        SharedSlots::store(self, index, value, order);
    }

    #[inline]
    fn fence(&self) {
        core::sync::atomic::fence(Ordering::SeqCst);
    }

    #[inline]
    fn read(&self, index: u32, out: &mut [u64; WORDS]) {
        SharedSlots::read(self, index, out);
    }

    #[inline]
    fn write(&self, index: u32, entry: &[u64; WORDS]) {
        SharedSlots::write(self, index, entry);
    }
}

/// The other side's index is impossible: its fault, and the end of the queue. Whoever sees it should let go of the memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The producer claims more entries than there are room for.
    Tail,
    /// The consumer claims to have taken what was never there.
    Head,
}

/// What moving on means for the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the other side may sleep until it is signalled"]
pub enum Wake {
    /// It waits for this: signal it.
    Yes,
    /// It is awake, or waits for something further on.
    No,
}

/// Whether the other side waits for any of the entries from `old` up to `new`.
#[inline]
fn wake_for(wanted: u32, old: u32, new: u32) -> Wake {
    if wanted.wrapping_sub(old) < new.wrapping_sub(old) { Wake::Yes } else { Wake::No }
}
