//! A queue of one processor's own for what brings its links along: first in, first out, and nothing is allocated, however many there are.

use kernel_hal::sync::{Ref, RefSlot};

/// What may stand in a [`Fifo`]: in one at a time.
pub(crate) trait Linked: Sized {
    /// Who stands behind it.
    fn behind(&self) -> &RefSlot<Self>;
}

/// The queue.
pub(crate) struct Fifo<T> {
    first: RefSlot<T>,
    last: RefSlot<T>,
}

impl<T: Linked> Fifo<T> {
    /// Nobody.
    pub const fn new() -> Self {
        Fifo { first: RefSlot::empty(), last: RefSlot::empty() }
    }

    /// Whether nobody is there.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Behind all others.
    pub fn push(&self, member: Ref<T>) {
        // Where it goes there is nothing that would have to be dropped.
        drop(match self.last.put(member.clone()) {
            Some(last) => last.behind().put(member),
            None => self.first.put(member),
        });
    }

    /// Takes out who came first.
    pub fn pop(&self) -> Option<Ref<T>> {
        let first = self.first.take()?;
        drop(match first.behind().take() {
            Some(next) => self.first.put(next),
            None => self.last.take(),
        });
        Some(first)
    }

    /// Who was taken out goes before all others again.
    pub fn put_back(&self, member: Ref<T>) {
        drop(match self.first.take() {
            Some(first) => member.behind().put(first),
            None => self.last.put(member.clone()),
        });
        drop(self.first.put(member));
    }
}
