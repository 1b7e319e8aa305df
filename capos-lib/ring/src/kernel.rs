//! The kernel's end of a ring block.
//!
//! A [`KernelRing`] has no state of its own: the kernel keeps its two indices (submission head, completion tail) in the thread and
//! passes them in, so nothing that user code can write is ever believed. All methods are safe: whatever the indices, the entry
//! lies inside the block, because indices are masked, and arena ranges are checked against the length that the kernel chose.

mod arena;
mod nops;
mod queued;

pub use arena::OutOfArena;
pub use queued::{Kind, Queued, Span};

use crate::entry::{CQE_WORDS, cqe_from_words, cqe_to_words};
use crate::sync::{Block, Ordering};
use capos_abi::ring::{CQE_SIZE, fault, header};
use capos_abi::{Cqe, RingShape, Sqe};
use core::ptr::NonNull;

/// The user's indices are corrupt: the owner's fault, and it hurts nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingFault {
    /// The submission tail is further from the head than the queue is long.
    SqTail,
    /// The completion head is further from the tail than the queue is long.
    CqHead,
}

impl RingFault {
    /// The value for the header's fault word.
    pub const fn code(self) -> u32 {
        match self {
            RingFault::SqTail => fault::SQ_TAIL,
            RingFault::CqHead => fault::CQ_HEAD,
        }
    }
}

/// A ring block as the kernel sees it.
pub struct KernelRing {
    /// Header and submission queue.
    block: Block,
    completions: Block,
    arena: Block,
    arena_len: usize,
    sq_mask: u32,
    cq_mask: u32,
    shape: RingShape,
}

impl KernelRing {
    /// The ring in the block at `start`.
    ///
    /// # Safety
    /// `shape` is valid. `shape.pages()` pages from `start` on, page aligned, stay valid as long as the `KernelRing` lives, and the
    /// program accesses them only through `KernelRing`s, `UserRing`s and other atomics.
    pub unsafe fn new(start: NonNull<u8>, shape: RingShape) -> Self {
        // SAFETY: the caller's promise.
        let block = unsafe { Block::new(start) };
        // SAFETY: queue and arena begin inside the block, on words.
        let part = |offset| unsafe { block.part(offset) };
        KernelRing {
            completions: part(shape.cq_off()),
            arena: part(shape.arena_off()),
            block,
            arena_len: shape.arena_len(),
            sq_mask: shape.sq_entries - 1,
            cq_mask: shape.cq_entries - 1,
            shape,
        }
    }

    /// The shape that it was made with.
    #[inline]
    pub fn shape(&self) -> RingShape {
        self.shape
    }

    /// Writes the header of a fresh (zeroed) block.
    pub fn init_header(&self, thread: u64, process: u64, startup_len: u32) {
        let arena_len = self.shape.arena_pages * capos_abi::PAGE_SIZE as u32;
        let fields = [
            (header::MAGIC_OFF, header::MAGIC),
            (header::SQ_ENTRIES, self.shape.sq_entries),
            (header::CQ_ENTRIES, self.shape.cq_entries),
            (header::ARENA_LEN, arena_len),
            (header::STARTUP_LEN, startup_len),
        ];
        for (offset, value) in fields {
            self.store_header(offset, value, Ordering::Relaxed);
        }
        for (offset, value) in [(header::THREAD_ID, thread), (header::PROCESS_ID, process)] {
            // SAFETY: the header page is inside the block and the offsets are aligned.
            unsafe { self.block.store_u64(offset, value) };
        }
    }

    /// How many submissions wait, when the kernel has taken all below `head`.
    ///
    /// # Errors
    /// [`RingFault::SqTail`] when the user's tail is impossible.
    #[inline]
    pub fn sq_pending(&self, head: u32) -> Result<u32, RingFault> {
        // Acquire: the entries below the tail were written before it.
        let pending = self.load_header(header::SQ_TAIL, Ordering::Acquire).wrapping_sub(head);
        if pending <= self.shape.sq_entries { Ok(pending) } else { Err(RingFault::SqTail) }
    }

    /// A private copy of submission `index` (free running), each word read exactly once.
    #[inline]
    pub fn read_sqe(&self, index: u32) -> Sqe {
        self.queued(index).read()
    }

    /// Tells the user that all submissions below `head` are taken and their entries may be used again.
    #[inline]
    pub fn publish_sq_head(&self, head: u32) {
        // Release: the entries were read before the user may overwrite them.
        self.store_header(header::SQ_HEAD, head, Ordering::Release);
    }

    /// How far the user says that it has taken completions: any number at all. [`KernelRing::cq_between`] judges it.
    #[inline]
    pub fn cq_head(&self) -> u32 {
        // Acquire: the user has read the entries below its head, and they may be overwritten.
        self.load_header(header::CQ_HEAD, Ordering::Acquire)
    }

    /// How many completions lie from the user's head, once read, to `tail`.
    ///
    /// # Errors
    /// [`RingFault::CqHead`] when the head is impossible.
    #[inline]
    pub fn cq_between(&self, head: u32, tail: u32) -> Result<u32, RingFault> {
        let waiting = tail.wrapping_sub(head);
        if waiting <= self.shape.cq_entries { Ok(waiting) } else { Err(RingFault::CqHead) }
    }

    /// How many completions the user has not taken, when the kernel has written all below `tail`.
    ///
    /// # Errors
    /// [`RingFault::CqHead`] when the user's head is impossible.
    #[inline]
    pub fn cq_waiting(&self, tail: u32) -> Result<u32, RingFault> {
        self.cq_between(self.cq_head(), tail)
    }

    /// How many completions there is room for, when the kernel has written all below `tail`.
    ///
    /// # Errors
    /// As [`KernelRing::cq_waiting`].
    #[inline]
    pub fn cq_space(&self, tail: u32) -> Result<u32, RingFault> {
        Ok(self.shape.cq_entries - self.cq_waiting(tail)?)
    }

    /// Writes completion `index` (free running). The user does not look at it before [`KernelRing::publish_cq_tail`].
    #[inline]
    pub fn write_cqe(&self, index: u32, cqe: &Cqe) {
        let offset = (index & self.cq_mask) as usize * CQE_SIZE;
        let words: [u64; CQE_WORDS] = cqe_to_words(cqe);
        for (n, word) in words.into_iter().enumerate() {
            // SAFETY: the slot is masked, so the entry lies inside the queue; queue and entries are 8-byte aligned.
            unsafe { self.completions.store_u64(offset + n * 8, word) };
        }
    }

    /// Reads completion `index` (free running) back. The user may have changed it: this is for traces, never to act on.
    pub fn read_cqe(&self, index: u32) -> Cqe {
        let offset = (index & self.cq_mask) as usize * CQE_SIZE;
        let mut words = [0; CQE_WORDS];
        for (n, word) in words.iter_mut().enumerate() {
            // SAFETY: as in `write_cqe`.
            *word = unsafe { self.completions.load_u64(offset + n * 8) };
        }
        cqe_from_words(words)
    }

    /// Tells the user that all completions below `tail` are written.
    #[inline]
    pub fn publish_cq_tail(&self, tail: u32) {
        // Release: the entries, and what was put into the arena, come before it.
        self.store_header(header::CQ_TAIL, tail, Ordering::Release);
    }

    /// Reports corrupt indices to whoever debugs the owner; see [`RingFault::code`].
    pub fn set_fault(&self, code: u32) {
        self.store_header(header::FAULT, code, Ordering::Relaxed);
    }

    #[inline]
    fn load_header(&self, offset: usize, order: Ordering) -> u32 {
        // SAFETY: callers pass constants of `header`: inside the first page and aligned.
        unsafe { self.block.load_u32(offset, order) }
    }

    #[inline]
    pub(crate) fn store_header(&self, offset: usize, value: u32, order: Ordering) {
        // SAFETY: as in `load_header`.
        unsafe { self.block.store_u32(offset, value, order) }
    }
}
