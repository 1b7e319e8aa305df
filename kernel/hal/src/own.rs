//! What each CPU keeps for itself.

use crate::cpu::{self, MAX_CPUS};
use crate::sync::Ref;
use core::cell::UnsafeCell;
use core::mem;

/// A place for one `Ref` on each CPU. Every method means the place of the CPU that it runs on; there is no way to another's, so
/// none is locked.
pub struct Own<T> {
    places: [UnsafeCell<Option<Ref<T>>>; MAX_CPUS],
}

// SAFETY: a place is used by its own CPU alone. That CPU cannot be interrupted, as the kernel runs with interrupts off, and no method
// runs code of others while it looks at the place: what a place held is dropped by the caller. (On the host a test speaks for one
// CPU at a time.) The `Ref`s themselves may go from CPU to CPU under the same bounds as any other.
unsafe impl<T: Send + Sync> Sync for Own<T> {}

impl<T> Own<T> {
    /// Nothing anywhere.
    pub const fn empty() -> Self {
        Own { places: [const { UnsafeCell::new(None) }; MAX_CPUS] }
    }

    /// What is there.
    #[inline]
    pub fn get(&self) -> Option<Ref<T>> {
        // SAFETY: this CPU's own place, and `Ref::clone` runs no code of others; see `Sync`.
        unsafe { (*self.place()).clone() }
    }

    /// Whether nothing is there.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // SAFETY: this CPU's own place.
        unsafe { (*self.place()).is_none() }
    }

    /// Puts something there, or nothing, and gives back what was there.
    #[inline]
    pub fn replace(&self, value: Option<Ref<T>>) -> Option<Ref<T>> {
        // SAFETY: this CPU's own place; nothing is dropped here.
        mem::replace(unsafe { &mut *self.place() }, value)
    }

    #[inline]
    fn place(&self) -> *mut Option<Ref<T>> {
        // The number is below MAX_CPUS; the mask spares a branch on the way of every system call.
        self.places[cpu::id() % MAX_CPUS].get()
    }
}
