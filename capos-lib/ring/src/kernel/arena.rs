//! The kernel's access to the message arena: checked ranges, copied word by word out of and into memory that user code may be
//! writing at the same time.

use super::KernelRing;

const WORD: usize = 8;
/// Longest message, in bytes, that is copied word by word. Above, starting up one long instruction pays.
const SHORT: usize = 256;

/// A range does not lie in the arena, or is not aligned as it must be: the fault of whoever named it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfArena;

impl KernelRing {
    /// Length of the arena, bytes.
    #[inline]
    pub fn arena_len(&self) -> usize {
        self.arena_len
    }

    /// Whether `len` bytes at `off` lie in the arena.
    ///
    /// # Errors
    /// [`OutOfArena`] when they do not.
    #[inline]
    pub fn check_range(&self, off: u32, len: u32) -> Result<(), OutOfArena> {
        self.place(off, len).map(|_| ())
    }

    /// Copies bytes out of the arena.
    ///
    /// # Errors
    /// [`OutOfArena`], and then `out` is unchanged.
    #[inline]
    pub fn arena_read(&self, off: u32, out: &mut [u8]) -> Result<(), OutOfArena> {
        let mut at = self.place_slice(off, out)?;
        let aligned = at.is_multiple_of(WORD);
        let (words, bytes) = if aligned { out.as_chunks_mut::<WORD>() } else { (&mut [][..], out) };
        for word in words {
            // SAFETY: `place_slice` checked the range, and it is aligned here.
            *word = unsafe { self.arena.load_u64(at) }.to_le_bytes();
            at += WORD;
        }
        for byte in bytes {
            // SAFETY: `place_slice` checked the range.
            *byte = unsafe { self.arena.load_u8(at) };
            at += 1;
        }
        Ok(())
    }

    /// Copies bytes into the arena.
    ///
    /// # Errors
    /// [`OutOfArena`], and then the arena is unchanged.
    #[inline]
    pub fn arena_write(&self, off: u32, bytes: &[u8]) -> Result<(), OutOfArena> {
        let mut at = self.place_slice(off, bytes)?;
        let aligned = at.is_multiple_of(WORD);
        let (words, bytes) = if aligned { bytes.as_chunks::<WORD>() } else { (&[][..], bytes) };
        for word in words {
            // SAFETY: `place_slice` checked the range, and it is aligned here.
            unsafe { self.arena.store_u64(at, u64::from_le_bytes(*word)) };
            at += WORD;
        }
        for byte in bytes {
            // SAFETY: `place_slice` checked the range.
            unsafe { self.arena.store_u8(at, *byte) };
            at += 1;
        }
        Ok(())
    }

    /// Reads one aligned word.
    ///
    /// # Errors
    /// [`OutOfArena`] when it is not aligned, too.
    #[inline]
    pub fn arena_load(&self, off: u32) -> Result<u64, OutOfArena> {
        let at = self.place_word(off)?;
        // SAFETY: `place_word` checked range and alignment.
        Ok(unsafe { self.arena.load_u64(at) })
    }

    /// Writes one aligned word.
    ///
    /// # Errors
    /// [`OutOfArena`] when it is not aligned, too.
    #[inline]
    pub fn arena_store(&self, off: u32, word: u64) -> Result<(), OutOfArena> {
        let at = self.place_word(off)?;
        // SAFETY: `place_word` checked range and alignment.
        unsafe { self.arena.store_u64(at, word) };
        Ok(())
    }

    /// Copies a message from one arena to another. Within one arena it copies upward, so overlapping ranges give an odd message,
    /// to the one process that asked for it.
    ///
    /// # Errors
    /// [`OutOfArena`] when either range is bad; then nothing was copied.
    #[inline]
    pub fn arena_copy(
        src: &KernelRing,
        src_off: u32,
        dst: &KernelRing,
        dst_off: u32,
        len: u32,
    ) -> Result<(), OutOfArena> {
        let from = src.place(src_off, len)?;
        let to = dst.place(dst_off, len)?;
        let len = len as usize;
        if (from | to | len).is_multiple_of(WORD) && len <= SHORT {
            // SAFETY: `place` checked both ranges, and they are whole words.
            unsafe { src.arena.copy_words(from, &dst.arena, to, len / WORD) };
        } else {
            // SAFETY: `place` checked both ranges.
            unsafe { src.arena.copy_bytes(from, &dst.arena, to, len) };
        }
        Ok(())
    }

    /// A range of the arena, found to lie in it.
    #[inline]
    fn place(&self, off: u32, len: u32) -> Result<usize, OutOfArena> {
        // Cannot wrap: both are 32 bits wide and the sum is 64.
        let end = u64::from(off) + u64::from(len);
        if end <= self.arena_len as u64 { Ok(off as usize) } else { Err(OutOfArena) }
    }

    /// The same for as many bytes as a slice has.
    #[inline]
    fn place_slice(&self, off: u32, bytes: &[u8]) -> Result<usize, OutOfArena> {
        self.place(off, u32::try_from(bytes.len()).map_err(|_| OutOfArena)?)
    }

    #[inline]
    fn place_word(&self, off: u32) -> Result<usize, OutOfArena> {
        let at = self.place(off, WORD as u32)?;
        if at.is_multiple_of(WORD) { Ok(at) } else { Err(OutOfArena) }
    }
}
