//! A store of equal things that only grows: what is in it never moves and never goes, so that a number names it for ever and looking
//! it up takes no lock.

use crate::atomics::AtomicPtr;
use crate::sync::OutOfMemory;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::Ordering;

/// Things in one piece. Pieces are made whole, so this bounds what growing costs.
const PIECE: usize = if cfg!(all(loom, test)) { 2 } else { 1024 };
/// Pieces at most.
const PIECES: usize = 1 << 12;

/// Things by their numbers.
pub struct Arena<T> {
    /// Null, or `PIECE` things that are never freed.
    pieces: [AtomicPtr<T>; PIECES],
    owns: PhantomData<T>,
}

impl<T: Default> Arena<T> {
    /// Without any things.
    pub const fn new() -> Self {
        Arena { pieces: [const { AtomicPtr::new(ptr::null_mut()) }; PIECES], owns: PhantomData }
    }

    /// Thing number `index`, if there are so many.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        let index = index as usize;
        let piece = self.pieces.get(index / PIECE)?.load(Ordering::Acquire);
        if piece.is_null() {
            return None;
        }
        // SAFETY: a piece that is there has `PIECE` things, which were made before it was put there, and is never freed.
        Some(unsafe { &*piece.add(index % PIECE) })
    }

    /// Makes piece number `piece`, if it is not there, and gives the numbers of its things.
    ///
    /// # Errors
    /// [`OutOfMemory`], also when there are as many as there may be.
    pub fn make(&self, piece: u32) -> Result<core::ops::Range<u32>, OutOfMemory> {
        let place = self.pieces.get(piece as usize).ok_or(OutOfMemory)?;
        let mut things = Vec::new();
        things.try_reserve_exact(PIECE).map_err(|_| OutOfMemory)?;
        things.resize_with(PIECE, T::default);
        let made = Box::into_raw(things.into_boxed_slice()).cast::<T>();
        if place.compare_exchange(ptr::null_mut(), made, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY: made above of `PIECE` things, and nobody else has seen it.
            drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(made, PIECE)) });
        }
        let first = piece * PIECE as u32;
        Ok(first..first + PIECE as u32)
    }
}

impl<T: Default> Default for Arena<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Arena, PIECE, PIECES};
    use core::sync::atomic::{AtomicU32, Ordering};

    static THINGS: Arena<AtomicU32> = Arena::new();

    #[test]
    fn things_keep_their_numbers() {
        assert!(THINGS.get(0).is_none());
        let first = THINGS.make(0).unwrap();
        assert_eq!((first.start, first.end as usize), (0, PIECE));
        THINGS.get(7).unwrap().store(70, Ordering::Relaxed);
        let second = THINGS.make(1).unwrap();
        assert_eq!(second.start, first.end);
        assert_eq!(THINGS.get(7).unwrap().load(Ordering::Relaxed), 70);
        assert!(THINGS.get(second.end - 1).is_some() && THINGS.get(second.end).is_none());
        assert!(THINGS.make(PIECES as u32).is_err() && THINGS.get(u32::MAX).is_none());
    }
}
