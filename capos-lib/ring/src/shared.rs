//! Memory that two processes share and neither trusts: four index words and a row of entries. What goes where when is the business of
//! `capos-queue`; here is only the access, which stays inside the memory whatever the index.

use crate::sync::{Block, Ordering};
use core::ptr::NonNull;

/// Bytes before the first entry.
const HEADER: usize = 128;
/// Words that are moved at once.
const STRIDE: usize = 8;

/// The words before the entries. Each is written by one side only, and the two sides' words lie in different cache lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Index {
    /// One past the newest entry. The producer's.
    Tail = 0x00,
    /// The entry whose leaving the producer wants to hear of. The producer's.
    RoomWanted = 0x04,
    /// The oldest entry not taken yet. The consumer's.
    Head = 0x40,
    /// The entry whose coming the consumer wants to hear of. The consumer's.
    EntryWanted = 0x44,
}

/// Why a piece of memory is no queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadShape;

/// A row of entries of `WORDS` words of 8 bytes each, and the index words before them.
pub struct SharedSlots<const WORDS: usize> {
    block: Block,
    slots: Block,
    mask: u32,
}

impl<const WORDS: usize> SharedSlots<WORDS> {
    /// Bytes that so many entries take up, index words included; `None` when their number is no power of two, or an entry no multiple of
    /// 64 bytes.
    pub const fn size(entries: u32) -> Option<usize> {
        if !entries.is_power_of_two() || WORDS == 0 || !WORDS.is_multiple_of(STRIDE) {
            return None;
        }
        let Some(slots) = (entries as usize).checked_mul(WORDS * 8) else { return None };
        slots.checked_add(HEADER)
    }

    /// The entries in the memory at `start`.
    ///
    /// # Errors
    /// [`BadShape`] when [`SharedSlots::size`] has no answer.
    ///
    /// # Safety
    /// [`SharedSlots::size`] bytes from `start` on, aligned to 64, stay valid for reading and writing as long as this lives, and the
    /// program accesses them only through `SharedSlots` and other atomics. What other programs do with them does not matter.
    pub unsafe fn new(start: NonNull<u8>, entries: u32) -> Result<Self, BadShape> {
        if Self::size(entries).is_none() {
            return Err(BadShape);
        }
        // SAFETY: the caller's promise.
        let block = unsafe { Block::new(start) };
        // SAFETY: the entries begin inside the block, on a word.
        let slots = unsafe { block.part(HEADER) };
        Ok(SharedSlots { block, slots, mask: entries - 1 })
    }

    /// How many entries there are room for.
    #[inline]
    pub fn entries(&self) -> u32 {
        self.mask + 1
    }

    /// An index word, whatever the other side made of it.
    #[inline]
    pub fn load(&self, index: Index, order: Ordering) -> u32 {
        // SAFETY: inside the header, and aligned.
        unsafe { self.block.load_u32(index as usize, order) }
    }

    /// Writes an index word.
    #[inline]
    pub fn store(&self, index: Index, value: u32, order: Ordering) {
        // SAFETY: as in `load`.
        unsafe { self.block.store_u32(index as usize, value, order) }
    }

    /// A private copy of entry `index` (free running), each word read exactly once.
    #[inline]
    pub fn read(&self, index: u32, out: &mut [u64; WORDS]) {
        let offset = self.offset(index);
        for (n, chunk) in out.as_chunks_mut::<STRIDE>().0.iter_mut().enumerate() {
            // SAFETY: the index is masked, so the whole entry lies inside the memory, on words.
            *chunk = unsafe { self.slots.load_stride(offset + n * STRIDE * 8) };
        }
    }

    /// Writes entry `index` (free running).
    #[inline]
    pub fn write(&self, index: u32, entry: &[u64; WORDS]) {
        let offset = self.offset(index);
        for (n, chunk) in entry.as_chunks::<STRIDE>().0.iter().enumerate() {
            // SAFETY: as in `read`.
            unsafe { self.slots.store_stride(offset + n * STRIDE * 8, chunk) };
        }
    }

    #[inline]
    fn offset(&self, index: u32) -> usize {
        (index & self.mask) as usize * (WORDS * 8)
    }
}
