//! The shared memory of a ring as a machine has it.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a word.
const WORD: usize = 8;
/// Words that a copy moves at once: a whole 64-byte message, without a loop.
const STRIDE: usize = 8;

/// A block of memory that others read and write at any time. Every place in it is always accessed atomically and in the same
/// width: the indices as 32 bits, everything else as 64 (bytes are parts of words).
pub(crate) struct Block {
    start: NonNull<u8>,
}

// SAFETY: a `Block` is an address; all access through it is atomic, see `Block::new`.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// # Safety
    /// `start` is 8-byte aligned. The memory behind it that the `Block`'s user names by offsets stays valid as long as the `Block`
    /// is used, and nobody in the same program accesses it other than atomically.
    #[inline]
    pub(crate) unsafe fn new(start: NonNull<u8>) -> Self {
        Block { start }
    }

    /// What begins at `offset`, as a block of its own.
    ///
    /// # Safety
    /// `offset` is inside the block and 8-byte aligned.
    #[inline]
    pub(crate) unsafe fn part(&self, offset: usize) -> Block {
        // SAFETY: the caller's promise; the rest is that of `new`.
        unsafe { Block::new(self.pointer(offset)) }
    }

    /// Address of a byte of the block.
    ///
    /// # Safety
    /// `offset` is inside the block.
    #[inline]
    pub(crate) unsafe fn pointer(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: the caller's promise.
        unsafe { self.start.add(offset) }
    }

    /// # Safety
    /// `offset` is inside the block and 4-byte aligned.
    #[inline]
    pub(crate) unsafe fn load_u32(&self, offset: usize, order: Ordering) -> u32 {
        // SAFETY: valid and aligned by the caller's promise; atomic like every other access.
        unsafe { AtomicU32::from_ptr(self.pointer(offset).as_ptr().cast()) }.load(order)
    }

    /// # Safety
    /// As [`Block::load_u32`].
    #[inline]
    pub(crate) unsafe fn store_u32(&self, offset: usize, value: u32, order: Ordering) {
        // SAFETY: as in `load_u32`.
        unsafe { AtomicU32::from_ptr(self.pointer(offset).as_ptr().cast()) }.store(value, order);
    }

    /// # Safety
    /// `offset` is inside the block and 8-byte aligned.
    #[inline]
    pub(crate) unsafe fn load_u64(&self, offset: usize) -> u64 {
        // SAFETY: as in `load_u32`.
        unsafe { AtomicU64::from_ptr(self.pointer(offset).as_ptr().cast()) }.load(Ordering::Relaxed)
    }

    /// # Safety
    /// As [`Block::load_u64`].
    #[inline]
    pub(crate) unsafe fn store_u64(&self, offset: usize, value: u64) {
        // SAFETY: as in `load_u32`.
        unsafe { AtomicU64::from_ptr(self.pointer(offset).as_ptr().cast()) }.store(value, Ordering::Relaxed);
    }

    /// Reads words that are the caller's alone for now, as the protocol of the indices has it: the compiler may leave out what
    /// nobody looks at.
    ///
    /// # Safety
    /// The words are inside the block and 8-byte aligned, and nobody writes to them meanwhile.
    #[inline]
    pub(crate) unsafe fn read_words<const N: usize>(&self, offset: usize) -> [u64; N] {
        // SAFETY: valid and aligned by the caller's promise, and so is that no write is concurrent.
        unsafe { self.pointer(offset).cast().read() }
    }

    /// Writes words that are the caller's alone for now; the compiler may write several at once.
    ///
    /// # Safety
    /// The words are inside the block and 8-byte aligned, and nobody accesses them meanwhile.
    #[inline]
    pub(crate) unsafe fn write_words<const N: usize>(&self, offset: usize, words: [u64; N]) {
        // SAFETY: as in `read_words`, for any access.
        unsafe { self.pointer(offset).cast().write(words) };
    }

    /// Reads [`STRIDE`] words, each once, whatever others do to them meanwhile: 16 bytes at a time, by instructions that the compiler
    /// cannot see into.
    ///
    /// # Safety
    /// The words are inside the block and 8-byte aligned.
    #[inline(always)]
    #[cfg(all(target_arch = "x86_64", not(target_os = "none"), not(miri)))]
    pub(crate) unsafe fn load_stride(&self, offset: usize) -> [u64; STRIDE] {
        use core::arch::x86_64::__m128i;
        let (a, b, c, d): (__m128i, __m128i, __m128i, __m128i);
        // SAFETY: valid by the caller's promise. Each half of 8 bytes is read by one access, as the processor does for aligned words.
        unsafe {
            core::arch::asm!(
                "movups {a}, [{from}]",
                "movups {b}, [{from} + 16]",
                "movups {c}, [{from} + 32]",
                "movups {d}, [{from} + 48]",
                from = in(reg) self.pointer(offset).as_ptr(),
                a = out(xmm_reg) a,
                b = out(xmm_reg) b,
                c = out(xmm_reg) c,
                d = out(xmm_reg) d,
                options(nostack, preserves_flags, readonly),
            );
            // As large, and every bit pattern is good for both.
            core::mem::transmute([a, b, c, d])
        }
    }

    /// Writes [`STRIDE`] words, whatever others do to them meanwhile.
    ///
    /// # Safety
    /// As [`Block::load_stride`].
    #[inline(always)]
    #[cfg(all(target_arch = "x86_64", not(target_os = "none"), not(miri)))]
    pub(crate) unsafe fn store_stride(&self, offset: usize, words: &[u64; STRIDE]) {
        use core::arch::x86_64::__m128i;
        // SAFETY: as in `load_stride`.
        unsafe {
            let [a, b, c, d]: [__m128i; 4] = core::mem::transmute(*words);
            core::arch::asm!(
                "movups [{to}], {a}",
                "movups [{to} + 16], {b}",
                "movups [{to} + 32], {c}",
                "movups [{to} + 48], {d}",
                to = in(reg) self.pointer(offset).as_ptr(),
                a = in(xmm_reg) a,
                b = in(xmm_reg) b,
                c = in(xmm_reg) c,
                d = in(xmm_reg) d,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Reads [`STRIDE`] words where there are no such instructions: in the kernel, and under Miri.
    ///
    /// # Safety
    /// The words are inside the block and 8-byte aligned.
    #[inline]
    #[cfg(not(all(target_arch = "x86_64", not(target_os = "none"), not(miri))))]
    pub(crate) unsafe fn load_stride(&self, offset: usize) -> [u64; STRIDE] {
        // SAFETY: the caller's promise.
        core::array::from_fn(|word| unsafe { self.load_u64(offset + word * 8) })
    }

    /// Writes [`STRIDE`] words there.
    ///
    /// # Safety
    /// As [`Block::load_stride`].
    #[inline]
    #[cfg(not(all(target_arch = "x86_64", not(target_os = "none"), not(miri))))]
    pub(crate) unsafe fn store_stride(&self, offset: usize, words: &[u64; STRIDE]) {
        for (word, value) in words.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.store_u64(offset + word * 8, *value) };
        }
    }

    /// Changes the bits of a word that `mask` has to those of `bits`. The other bits stay what others make of them.
    ///
    /// Two steps, each atomic, since a loop until nobody interferes might never end: the other side may be hostile.
    ///
    /// # Safety
    /// As [`Block::load_u64`].
    #[inline]
    pub(crate) unsafe fn merge_u64(&self, offset: usize, mask: u64, bits: u64) {
        // SAFETY: as in `load_u32`.
        let word = unsafe { AtomicU64::from_ptr(self.pointer(offset).as_ptr().cast()) };
        word.fetch_or(bits & mask, Ordering::Relaxed);
        word.fetch_and(bits | !mask, Ordering::Relaxed);
    }

    /// Copies a few words from here to another block, upward.
    ///
    /// # Safety
    /// Both ranges are inside their blocks and 8-byte aligned.
    #[inline]
    pub(crate) unsafe fn copy_words(&self, from: usize, to: &Block, at: usize, words: usize) {
        let (mut from, mut at, mut words) = (from, at, words);
        while words >= STRIDE {
            // SAFETY: at least so many words are left of both ranges.
            unsafe { self.copy_stride(from, to, at) };
            (from, at, words) = (from + STRIDE * 8, at + STRIDE * 8, words - STRIDE);
        }
        for word in 0..words {
            // SAFETY: so many words are left of both ranges.
            unsafe { to.store_u64(at + word * 8, self.load_u64(from + word * 8)) };
        }
    }

    /// Copies any number of bytes from here to another block, upward: in words where both are aligned alike.
    ///
    /// # Safety
    /// Both ranges are inside their blocks.
    #[inline(never)]
    pub(crate) unsafe fn copy_bytes(&self, from: usize, to: &Block, at: usize, len: usize) {
        if !(from | at).is_multiple_of(WORD) {
            // SAFETY: the caller's promise.
            return unsafe { self.copy_unaligned(from, to, at, len) };
        }
        let (whole, rest) = (len - len % WORD, len % WORD);
        // SAFETY: so many words are inside both ranges, which are aligned here.
        unsafe { self.copy_long(from, to, at, whole / WORD) };
        if rest > 0 {
            // SAFETY: both ranges reach into this word, and blocks consist of whole words.
            unsafe { to.merge_u64(at + whole, low_bytes(rest), self.load_u64(from + whole)) };
        }
    }

    /// Copies bytes one by one.
    ///
    /// # Safety
    /// As [`Block::copy_bytes`].
    unsafe fn copy_unaligned(&self, from: usize, to: &Block, at: usize, len: usize) {
        for byte in 0..len {
            // SAFETY: the byte is inside both ranges.
            unsafe { to.store_u8(at + byte, self.load_u8(from + byte)) };
        }
    }

    /// Copies [`STRIDE`] words.
    ///
    /// # Safety
    /// As [`Block::copy_words`].
    #[inline]
    unsafe fn copy_stride(&self, from: usize, to: &Block, at: usize) {
        for word in 0..STRIDE {
            // SAFETY: the caller's promise.
            unsafe { to.store_u64(at + word * 8, self.load_u64(from + word * 8)) };
        }
    }

    /// Copies many words with one instruction.
    ///
    /// # Safety
    /// As [`Block::copy_words`].
    #[inline]
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe fn copy_long(&self, from: usize, to: &Block, at: usize, words: usize) {
        // SAFETY: both ranges are valid by the caller's promise. The instruction moves word by word, and as the compiler cannot
        // see into it no assumption of its breaks when others write to the memory meanwhile. The direction flag is clear: the
        // calling convention says so, and the kernel's entry code makes it so.
        unsafe {
            core::arch::asm!(
                "rep movsq",
                inout("rcx") words => _,
                inout("rsi") self.pointer(from).as_ptr() => _,
                inout("rdi") to.pointer(at).as_ptr() => _,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Copies many words, where there is no such instruction.
    ///
    /// # Safety
    /// As [`Block::copy_words`].
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    unsafe fn copy_long(&self, from: usize, to: &Block, at: usize, words: usize) {
        for word in 0..words {
            // SAFETY: the caller's promise.
            unsafe { to.store_u64(at + word * 8, self.load_u64(from + word * 8)) };
        }
    }
}

/// The mask of the first `bytes` bytes (fewer than eight) of a little-endian word.
#[inline]
fn low_bytes(bytes: usize) -> u64 {
    (1 << (bytes * 8)) - 1
}
