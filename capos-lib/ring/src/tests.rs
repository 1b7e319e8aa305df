//! Both ends on one block of host memory.

mod arena;
mod hostile;
mod join;
mod nops;
mod queued;
mod queues;
mod shared;

use crate::{KernelRing, UserRing};
use capos_abi::RingShape;
use core::ptr::NonNull;
use std::boxed::Box;
use std::vec;

/// One page, aligned like one.
#[repr(C, align(4096))]
#[derive(Clone)]
struct Page([u8; capos_abi::PAGE_SIZE]);

/// A block and both of its ends.
pub(crate) struct Pair {
    pub kernel: KernelRing,
    pub user: UserRing,
    /// Raw access to the block, as hostile code has it.
    pub raw: NonNull<u8>,
    pages: *mut [Page],
}

impl Pair {
    pub fn new(shape: RingShape) -> Pair {
        assert!(shape.is_valid());
        let pages = Box::into_raw(vec![Page([0; capos_abi::PAGE_SIZE]); shape.pages()].into_boxed_slice());
        let raw = NonNull::new(pages.cast::<u8>()).expect("a box is not null");
        // SAFETY: page aligned and as long as the shape says; freed after both ends, by `Drop`.
        let (kernel, user) = unsafe { (KernelRing::new(raw, shape), UserRing::new(raw, shape)) };
        Pair { kernel, user, raw, pages }
    }

    pub fn small() -> Pair {
        Pair::new(SMALL)
    }

    /// Writes a header word as hostile code would.
    pub fn poke(&self, offset: usize, value: u32) {
        // SAFETY: tests pass offsets of the header page.
        let word = unsafe { core::sync::atomic::AtomicU32::from_ptr(self.raw.as_ptr().add(offset).cast()) };
        word.store(value, core::sync::atomic::Ordering::Release);
    }

    /// Reads a header word.
    pub fn peek(&self, offset: usize) -> u32 {
        // SAFETY: tests pass offsets of the header page.
        let word = unsafe { core::sync::atomic::AtomicU32::from_ptr(self.raw.as_ptr().add(offset).cast()) };
        word.load(core::sync::atomic::Ordering::Acquire)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // SAFETY: made by `Box::into_raw` in `new`; both ends are only addresses and are not used any more.
        drop(unsafe { Box::from_raw(self.pages) });
    }
}

pub(crate) const SMALL: RingShape = RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 1 };
