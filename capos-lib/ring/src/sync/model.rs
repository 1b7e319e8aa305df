//! The shared memory of a ring as loom has it: atomics for the indices, and for everything else cells that report two accesses of
//! which neither is ordered before the other. So "no torn entry" is shown not by comparing values but by the absence of races.

use super::Ordering;
use core::ptr::NonNull;
use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU32;
use std::boxed::Box;
use std::vec::Vec;

/// Words of the header that have an atomic each.
const HEADER_WORDS: usize = 64;

/// What a model allocates in place of a block.
pub(crate) struct Memory {
    header: Vec<AtomicU32>,
    words: Vec<UnsafeCell<u64>>,
}

impl Memory {
    /// Zeroed memory of `bytes` bytes whose indices begin at `start`.
    pub(crate) fn new(bytes: usize, start: u32) -> Box<Memory> {
        let header = (0..HEADER_WORDS).map(|_| AtomicU32::new(start)).collect();
        let words = (0..bytes / 8).map(|_| UnsafeCell::new(0)).collect();
        Box::new(Memory { header, words })
    }

    /// The address to make ring ends from.
    pub(crate) fn start(&self) -> NonNull<u8> {
        NonNull::from(self).cast()
    }
}

/// See `block.rs`; the same interface.
pub(crate) struct Block {
    memory: NonNull<Memory>,
    /// Word that offset 0 of the cells means.
    first: usize,
}

// SAFETY: the memory consists of atomics and of cells whose races loom reports.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// # Safety
    /// `start` is from [`Memory::start`], and the memory outlives the `Block`.
    pub(crate) unsafe fn new(start: NonNull<u8>) -> Self {
        Block { memory: start.cast(), first: 0 }
    }

    pub(crate) unsafe fn part(&self, offset: usize) -> Block {
        Block { memory: self.memory, first: self.first + offset / 8 }
    }

    fn memory(&self) -> &Memory {
        // SAFETY: promised to `new`.
        unsafe { self.memory.as_ref() }
    }

    pub(crate) unsafe fn pointer(&self, _: usize) -> NonNull<u8> {
        self.memory.cast()
    }

    pub(crate) unsafe fn load_u32(&self, offset: usize, order: Ordering) -> u32 {
        self.memory().header[offset / 4].load(order)
    }

    pub(crate) unsafe fn store_u32(&self, offset: usize, value: u32, order: Ordering) {
        self.memory().header[offset / 4].store(value, order);
    }

    pub(crate) unsafe fn load_u64(&self, offset: usize) -> u64 {
        // SAFETY: the pointer is valid; loom fails the model when somebody writes at the same time.
        self.memory().words[self.first + offset / 8].with(|word| unsafe { *word })
    }

    pub(crate) unsafe fn store_u64(&self, offset: usize, value: u64) {
        // SAFETY: as in `load_u64`.
        self.memory().words[self.first + offset / 8].with_mut(|word| unsafe { *word = value });
    }

    pub(crate) unsafe fn read_words<const N: usize>(&self, offset: usize) -> [u64; N] {
        // SAFETY: the caller's promise.
        core::array::from_fn(|word| unsafe { self.load_u64(offset + word * 8) })
    }

    pub(crate) unsafe fn write_words<const N: usize>(&self, offset: usize, words: [u64; N]) {
        for (word, value) in words.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.store_u64(offset + word * 8, value) };
        }
    }

    pub(crate) unsafe fn merge_u64(&self, offset: usize, mask: u64, bits: u64) {
        // SAFETY: the caller's promise.
        unsafe { self.store_u64(offset, self.load_u64(offset) & !mask | bits & mask) };
    }

    pub(crate) unsafe fn copy_words(&self, from: usize, to: &Block, at: usize, words: usize) {
        for word in 0..words {
            // SAFETY: the caller's promise.
            unsafe { to.store_u64(at + word * 8, self.load_u64(from + word * 8)) };
        }
    }

    pub(crate) unsafe fn copy_bytes(&self, from: usize, to: &Block, at: usize, len: usize) {
        for byte in 0..len {
            // SAFETY: the caller's promise.
            unsafe { to.store_u8(at + byte, self.load_u8(from + byte)) };
        }
    }
}
