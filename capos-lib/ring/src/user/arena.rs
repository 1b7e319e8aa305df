//! The thread's own access to its arena.
//!
//! The arena is plain memory of the process; who uses which part when is the business of the runtime's arena allocator. While an
//! operation is pending the kernel writes to the buffers that it named, and nowhere else.

use super::UserRing;
use crate::kernel::OutOfArena;
use capos_abi::ring::header;
use core::ptr::NonNull;

impl UserRing {
    /// Length of the arena, bytes.
    #[inline]
    pub fn arena_len(&self) -> usize {
        self.arena_len
    }

    /// Address of `len` bytes of the arena at `off`.
    ///
    /// # Errors
    /// [`OutOfArena`].
    #[inline]
    pub fn arena_pointer(&self, off: u32, len: usize) -> Result<NonNull<u8>, OutOfArena> {
        let off = off as usize;
        if off > self.arena_len || len > self.arena_len - off {
            return Err(OutOfArena);
        }
        // SAFETY: the range was just checked, and the arena lies inside the block.
        Ok(unsafe { self.block.pointer(self.arena_off + off) })
    }

    /// Bytes of the arena.
    ///
    /// # Errors
    /// [`OutOfArena`].
    ///
    /// # Safety
    /// As long as the slice lives nobody writes to the range: no pending operation named it, and no mutable slice overlaps it.
    #[inline]
    pub unsafe fn arena_slice(&self, off: u32, len: usize) -> Result<&[u8], OutOfArena> {
        let start = self.arena_pointer(off, len)?;
        // SAFETY: the range is inside the block, which outlives `self`; bytes are always initialised; the rest is the caller's promise.
        Ok(unsafe { core::slice::from_raw_parts(start.as_ptr(), len) })
    }

    /// Bytes of the arena, to be written.
    ///
    /// # Errors
    /// [`OutOfArena`].
    ///
    /// # Safety
    /// As long as the slice lives nobody else reads or writes the range: no pending operation named it, and no slice overlaps it.
    #[inline]
    #[expect(
        clippy::mut_from_ref,
        reason = "the arena is handed out in parts; that they do not overlap is the caller's promise"
    )]
    pub unsafe fn arena_slice_mut(&self, off: u32, len: usize) -> Result<&mut [u8], OutOfArena> {
        let start = self.arena_pointer(off, len)?;
        // SAFETY: as in `arena_slice`.
        Ok(unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), len) })
    }

    /// Length of the startup block that the kernel left at the beginning of the arena; zero in all threads but the first.
    pub fn startup_len(&self) -> usize {
        let len = self.load_header(header::STARTUP_LEN, crate::sync::Ordering::Relaxed);
        (len as usize).min(self.arena_len)
    }
}
