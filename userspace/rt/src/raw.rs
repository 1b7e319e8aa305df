//! A thread with nothing but its ring: for probes that use the ABI in ways a runtime never would.
//!
//! Such a thread has no runtime of its own: nothing of this crate but [`RawRing`] works on it, and whatever needs the runtime
//! (an allocation that makes the heap grow, a panic) ends the process with a fault at address 0. What the kernel does with
//! the submissions, it does to the ring block that the thread owns whole, so no Rust object is in its way; a submission that makes
//! the kernel unmap memory of the process ends in a fault, too.

use crate::generated::ThreadControlClient;
use crate::ipc::CallError;
use crate::sys;
use crate::threads::{JoinHandle, start};
use alloc::boxed::Box;
use capos_abi::ring::{CQE_SIZE, SQE_SIZE, header};
use capos_abi::{CapId, Cqe, Op, PAGE_SIZE, RingShape, Sqe};
use capos_schema::thread_control::{self, CreateParams};
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A ring block, every word of it.
pub struct RawRing {
    block: NonNull<u8>,
    sq_mask: u32,
    cq_mask: u32,
    cq_off: usize,
    shape: RingShape,
}

/// What a new thread finds behind its argument.
struct Birth {
    work: Box<dyn FnOnce(&RawRing) + Send>,
    shape: RingShape,
}

/// Starts a thread with a ring of `shape` that does `work` and ends.
pub fn spawn(
    shape: RingShape,
    priority: u8,
    work: impl FnOnce(&RawRing) + Send + 'static,
) -> Result<JoinHandle, CallError> {
    let birth = Box::into_raw(Box::new(Birth { work: Box::new(work), shape }));
    let entry = born as extern "C" fn(NonNull<u8>, *mut Birth) -> ! as usize as u64;
    let create = |control: &ThreadControlClient, stack: u64| {
        let RingShape { sq_entries, cq_entries, arena_pages } = shape;
        let argument = birth as u64;
        control.create_blocking(CreateParams {
            entry,
            stack,
            argument,
            fs_base: 0,
            sq_entries,
            cq_entries,
            arena_pages,
            priority,
        })
    };
    // SAFETY: on failure the thread was not started, so the birth is still ours alone.
    start(create).inspect_err(|_| unsafe { drop(Box::from_raw(birth)) })
}

extern "C" fn born(block: NonNull<u8>, birth: *mut Birth) -> ! {
    // SAFETY: `spawn` made it for this thread alone. It is never freed: the heap may have to grow for that.
    let birth = unsafe { &mut *birth };
    let ring = RawRing::new(block, birth.shape);
    let work = core::mem::replace(&mut birth.work, Box::new(|_| ()));
    // The box of a closure is freed behind its call; that never grows the heap.
    work(&ring);
    ring.exit()
}

impl RawRing {
    fn new(block: NonNull<u8>, shape: RingShape) -> RawRing {
        let (sq_mask, cq_mask) = (shape.sq_entries - 1, shape.cq_entries - 1);
        RawRing { block, sq_mask, cq_mask, cq_off: shape.cq_off(), shape }
    }

    /// Its shape.
    pub fn shape(&self) -> RingShape {
        self.shape
    }

    /// The header word at `offset` (masked into the header page): see [`capos_abi::ring::header`].
    #[inline]
    pub fn header(&self, offset: usize) -> u32 {
        self.word32(offset & 0xffc).load(Ordering::Acquire)
    }

    /// Writes a header word.
    #[inline]
    pub fn set_header(&self, offset: usize, value: u32) {
        self.word32(offset & 0xffc).store(value, Ordering::Release);
    }

    /// Writes submission slot `index` (masked into the queue).
    #[inline]
    pub fn write_sqe(&self, index: u32, words: &[u64; SQE_SIZE / 8]) {
        let slot = (index & self.sq_mask) as usize;
        let place = self.shape.sq_off() + slot * SQE_SIZE;
        // SAFETY: inside the block and aligned. The kernel reads submissions only in a system call of this very thread.
        unsafe { self.block.as_ptr().add(place).cast::<[u64; SQE_SIZE / 8]>().write(*words) };
    }

    /// Writes what submission slot `index` (masked into the queue) names, its word 2; the rest of it stays.
    #[inline]
    pub fn set_target(&self, index: u32, cap: u64) {
        let slot = (index & self.sq_mask) as usize;
        let place = self.shape.sq_off() + slot * SQE_SIZE + offset_of!(Sqe, cap);
        // SAFETY: as in `write_sqe`.
        unsafe { self.block.as_ptr().add(place).cast::<u64>().write(cap) };
    }

    /// Reads completion slot `index` (masked into the queue), whatever the kernel does with it meanwhile.
    #[inline]
    pub fn read_cqe(&self, index: u32) -> Cqe {
        let word = |n: usize| self.word(self.cqe_place(index) + n * 8).load(Ordering::Relaxed);
        let result = word(1);
        Cqe {
            user_data: word(0),
            result: result as i32,
            flags: (result >> 32) as u8,
            caps: (result >> 40) as u8,
            method: (result >> 48) as u16,
            token: word(2),
            badge: word(3),
        }
    }

    /// The same for a completion that the kernel has published and whose place it has not been given back: nobody writes to it.
    #[inline]
    pub fn published_cqe(&self, index: u32) -> Cqe {
        // SAFETY: inside the block and aligned, and every bit pattern is a `Cqe`. Should a caller break the rule, the kernel, which
        // is no part of this program, may change the words: then the copy is torn, and its fields are numbers all the same.
        unsafe { self.block.as_ptr().add(self.cqe_place(index)).cast::<Cqe>().read() }
    }

    #[inline]
    fn cqe_place(&self, index: u32) -> usize {
        self.cq_off + (index & self.cq_mask) as usize * CQE_SIZE
    }

    /// The arena word at byte `offset` (masked into the arena).
    #[inline]
    pub fn arena(&self, offset: u32) -> u64 {
        self.arena_word(offset).load(Ordering::Relaxed)
    }

    /// Writes an arena word.
    #[inline]
    pub fn set_arena(&self, offset: u32, value: u64) {
        self.arena_word(offset).store(value, Ordering::Relaxed);
    }

    /// A copy of the `N` bytes at `offset` of the arena, moved down to where they fit in and to a word: a message that the kernel has
    /// brought and is done with.
    #[inline]
    pub fn arena_bytes<const N: usize>(&self, offset: u32) -> [u8; N] {
        const { assert!(N <= PAGE_SIZE, "arenas have a page at least") };
        // SAFETY: inside the block and aligned, and every bit pattern is good. As in `published_cqe`, a caller that names a place
        // where the kernel is just writing gets bytes all the same.
        unsafe { self.block.as_ptr().add(self.arena_place(offset, N)).cast::<[u8; N]>().read() }
    }

    /// Writes `N` bytes there, where no operation is pending.
    #[inline]
    pub fn set_arena_bytes<const N: usize>(&self, offset: u32, bytes: &[u8; N]) {
        const { assert!(N <= PAGE_SIZE, "arenas have a page at least") };
        // SAFETY: as in `arena_bytes`; only this thread writes to its arena, and the kernel, which reads it, is no part of this program.
        unsafe { self.block.as_ptr().add(self.arena_place(offset, N)).cast::<[u8; N]>().write(*bytes) };
    }

    /// `cap_enter`.
    #[inline]
    pub fn enter(&self, min_complete: u64, timeout_ns: u64) -> i64 {
        sys::cap_enter(min_complete, timeout_ns)
    }

    /// Ends this thread; if even that is impossible, the process with code 70.
    pub fn exit(&self) -> ! {
        let sqe = Sqe {
            op: Op::Call as u8,
            method: thread_control::EXIT,
            cap: CapId::SELF_THREADS.raw(),
            interface: thread_control::INTERFACE_ID,
            ..Sqe::default()
        };
        let head = self.header(header::SQ_HEAD);
        self.set_header(header::CQ_HEAD, self.header(header::CQ_TAIL));
        self.write_sqe(head, &words(&sqe));
        self.set_header(header::SQ_TAIL, head.wrapping_add(1));
        sys::cap_enter(0, 0);
        sys::exit(70)
    }

    #[inline]
    fn arena_word(&self, offset: u32) -> &AtomicU64 {
        // Whole pages, of any number: not every mask would do.
        let offset = offset as usize & !7;
        self.word(self.shape.arena_off() + offset % self.shape.arena_len())
    }

    /// Where `len` bytes at `offset` of the arena begin, or as many as it has at its end.
    #[inline]
    fn arena_place(&self, offset: u32, len: usize) -> usize {
        self.shape.arena_off() + (offset as usize & !7).min(self.shape.arena_len() - len)
    }

    #[inline]
    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: callers stay inside the block and on words; it is the calling thread's own until it ends, and every access of it
        // is atomic. Should it have been unmapped, the access ends the process.
        unsafe { AtomicU64::from_ptr(self.block.as_ptr().add(offset).cast()) }
    }

    #[inline]
    fn word32(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.block.as_ptr().add(offset).cast()) }
    }
}

/// A submission as the words that [`RawRing::write_sqe`] takes.
#[inline]
pub fn words(sqe: &Sqe) -> [u64; SQE_SIZE / 8] {
    let half = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    [
        u64::from(sqe.op)
            | u64::from(sqe.flags) << 8
            | u64::from(sqe.method) << 16
            | u64::from(sqe.caps_send) << 32
            | u64::from(sqe.caps_recv) << 40
            | u64::from(sqe.reserved0) << 48,
        sqe.user_data,
        sqe.cap,
        sqe.interface,
        half(sqe.msg_off, sqe.msg_len),
        half(sqe.reply_off, sqe.reply_len),
        half(sqe.caps_off, sqe.reserved1),
        sqe.aux,
    ]
}
