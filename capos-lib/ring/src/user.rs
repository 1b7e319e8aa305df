//! The user's end of a ring block: one thread's, so it is `Send` and not `Sync`.

mod arena;
mod join;
mod take;

use crate::entry::{cqe_from_words, sqe_to_words};
use crate::sync::{Block, Ordering};
use capos_abi::ring::{CQE_SIZE, SQE_SIZE, header};
use capos_abi::{Cqe, PAGE_SIZE, RingShape, Sqe};
use core::cell::Cell;
use core::ptr::NonNull;

/// The submission queue is full: `cap_enter` makes room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueFull;

/// A free place of the submission queue.
pub struct Vacancy<'a> {
    ring: &'a UserRing,
    tail: u32,
}

impl Vacancy<'_> {
    /// Fills it. The kernel takes the submission at the next `cap_enter`.
    #[inline]
    pub fn fill(self, sqe: &Sqe) {
        let Vacancy { ring, tail } = self;
        ring.write_sqe(tail, sqe);
        ring.sq_tail.set(tail.wrapping_add(1));
        // Release: the entry comes before the tail, and so does what was put into the arena.
        ring.store_header(header::SQ_TAIL, tail.wrapping_add(1), Ordering::Release);
    }
}

/// A ring block as its thread sees it.
pub struct UserRing {
    pub(crate) block: Block,
    completions: Block,
    shape: RingShape,
    sq_mask: u32,
    cq_mask: u32,
    pub(crate) arena_off: usize,
    arena_len: usize,
    sq_tail: Cell<u32>,
    /// The kernel's submission head as last seen; looked at again only when the queue seems full.
    sq_head: Cell<u32>,
    cq_head: Cell<u32>,
}

impl UserRing {
    /// The ring in the block at `start`.
    ///
    /// # Safety
    /// `shape` is valid and is the block's. `shape.pages()` pages from `start` on, page aligned, stay valid as long as the
    /// `UserRing` lives; there is no second `UserRing` for them; the program accesses queues and header only through it.
    pub unsafe fn new(start: NonNull<u8>, shape: RingShape) -> Self {
        // SAFETY: the caller's promise.
        let block = unsafe { Block::new(start) };
        let index = |offset| {
            // SAFETY: constants of `header`: inside the first page and aligned.
            Cell::new(unsafe { block.load_u32(offset, Ordering::Acquire) })
        };
        let (sq_tail, sq_head) = (index(header::SQ_TAIL), index(header::SQ_HEAD));
        let cq_head = index(header::CQ_HEAD);
        UserRing {
            // SAFETY: the queue begins inside the block, on a word.
            completions: unsafe { block.part(shape.cq_off()) },
            block,
            shape,
            sq_mask: shape.sq_entries - 1,
            cq_mask: shape.cq_entries - 1,
            arena_off: shape.arena_off(),
            arena_len: shape.arena_len(),
            sq_tail,
            sq_head,
            cq_head,
        }
    }

    /// The ring in the block at `start`, of the shape that its header tells. `None` when there is no ring.
    ///
    /// # Safety
    /// As [`UserRing::new`], for a block that the kernel made.
    pub unsafe fn attach(start: NonNull<u8>) -> Option<Self> {
        // SAFETY: the caller's promise: at least a header page is there.
        let block = unsafe { Block::new(start) };
        let field = |offset| {
            // SAFETY: constants of `header`: inside the first page and aligned.
            unsafe { block.load_u32(offset, Ordering::Relaxed) }
        };
        let shape = RingShape {
            sq_entries: field(header::SQ_ENTRIES),
            cq_entries: field(header::CQ_ENTRIES),
            arena_pages: field(header::ARENA_LEN) / PAGE_SIZE as u32,
        };
        if field(header::MAGIC_OFF) != header::MAGIC || !shape.is_valid() {
            return None;
        }
        // SAFETY: the caller's promise, for the shape that the kernel wrote.
        Some(unsafe { UserRing::new(start, shape) })
    }

    /// The shape of the block.
    pub fn shape(&self) -> RingShape {
        self.shape
    }

    /// The next free place of the submission queue.
    ///
    /// # Errors
    /// [`QueueFull`].
    #[inline]
    pub fn vacancy(&self) -> Result<Vacancy<'_>, QueueFull> {
        let tail = self.sq_tail.get();
        if tail.wrapping_sub(self.sq_head.get()) >= self.shape.sq_entries {
            // Acquire: the kernel has read the entries below its head, and they may be overwritten.
            self.sq_head.set(self.load_header(header::SQ_HEAD, Ordering::Acquire));
            if tail.wrapping_sub(self.sq_head.get()) >= self.shape.sq_entries {
                return Err(QueueFull);
            }
        }
        Ok(Vacancy { ring: self, tail })
    }

    /// Puts one submission into the queue. The kernel takes it at the next `cap_enter`.
    ///
    /// # Errors
    /// [`QueueFull`].
    #[inline]
    pub fn submit(&self, sqe: &Sqe) -> Result<(), QueueFull> {
        self.vacancy().map(|vacancy| vacancy.fill(sqe))
    }

    /// How many submissions the kernel has not taken.
    #[inline]
    pub fn submitted(&self) -> u32 {
        self.sq_head.set(self.load_header(header::SQ_HEAD, Ordering::Acquire));
        self.sq_tail.get().wrapping_sub(self.sq_head.get())
    }

    /// How many completions wait.
    #[inline]
    pub fn completions(&self) -> u32 {
        // Acquire: the entries below the tail were written before it.
        self.load_header(header::CQ_TAIL, Ordering::Acquire).wrapping_sub(self.cq_head.get())
    }

    /// Takes the oldest completion.
    #[inline]
    pub fn pop(&self) -> Option<Cqe> {
        self.pop_if(|_| true)
    }

    /// Takes the oldest completion if it is one that is wanted.
    #[inline]
    pub fn pop_if(&self, wanted: impl FnOnce(&Cqe) -> bool) -> Option<Cqe> {
        if self.completions() == 0 {
            return None;
        }
        let head = self.cq_head.get();
        let cqe = self.read_cqe(head);
        if !wanted(&cqe) {
            return None;
        }
        self.cq_head.set(head.wrapping_add(1));
        // Release: the entry was read before the kernel may overwrite it.
        self.store_header(header::CQ_HEAD, head.wrapping_add(1), Ordering::Release);
        Some(cqe)
    }

    /// Value of the fault word: non-zero when the kernel found the indices corrupt.
    pub fn fault(&self) -> u32 {
        self.load_header(header::FAULT, Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn write_sqe(&self, index: u32, sqe: &Sqe) {
        let slot = (index & self.sq_mask) as usize;
        let offset = self.shape.sq_off() + slot * SQE_SIZE;
        // SAFETY: the slot is masked, so the entry lies inside the queue, which is 8-byte aligned as entries are. Until the tail is
        // published it is ours, and the kernel takes it before it says so by its head.
        unsafe { self.block.write_words(offset, sqe_to_words(sqe)) };
    }

    #[inline]
    pub(crate) fn read_cqe(&self, index: u32) -> Cqe {
        let offset = (index & self.cq_mask) as usize * CQE_SIZE;
        // SAFETY: as in `write_sqe`. The kernel published the entry, and writes it again only when our head has passed it.
        let words = unsafe { self.completions.read_words(offset) };
        cqe_from_words(words)
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
