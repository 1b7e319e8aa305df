//! Rust views of arena memory. All pointer work on messages is here.
//!
//! The kernel writes arena memory only inside ranges that a submission of this thread names, and only while that submission is
//! queued or in flight. So a range that no such submission names is ordinary memory of its owner.
//!
//! Offsets come from the arena map and the scratch places alone; should one ever lie outside, the view is empty.

use crate::thread::Thread;
use capos_abi::{CapId, TransferSlot};

/// The bytes of a range.
///
/// # Safety
/// The caller owns the range (a run, a scratch place or the startup block), no submission in flight writes it and no mutable
/// view of it exists as long as the slice lives.
#[inline]
pub(crate) unsafe fn bytes(thread: &Thread, offset: u32, len: usize) -> &[u8] {
    // SAFETY: the caller's promise.
    unsafe { thread.ring.arena_slice(offset, len) }.unwrap_or(&[])
}

/// The bytes of a range, to be written.
///
/// # Safety
/// As for [`bytes`], and no other view of the range exists at all.
#[inline]
#[expect(clippy::mut_from_ref, reason = "the exclusive owner of the range is the caller, not the thread")]
pub(crate) unsafe fn bytes_mut(thread: &Thread, offset: u32, len: usize) -> &mut [u8] {
    // SAFETY: the caller's promise.
    unsafe { thread.ring.arena_slice_mut(offset, len) }.unwrap_or(&mut [])
}

/// Writes the capability array of a submission.
///
/// # Safety
/// As for [`bytes_mut`]: `8 * slots.len()` bytes at `offset` are the caller's.
#[inline]
pub(crate) unsafe fn put_caps(thread: &Thread, offset: u32, slots: &[TransferSlot]) {
    // SAFETY: the caller's promise.
    let words = unsafe { bytes_mut(thread, offset, 8 * slots.len()) };
    for (word, slot) in words.as_chunks_mut::<8>().0.iter_mut().zip(slots) {
        *word = slot.0.to_le_bytes();
    }
}

/// Reads word `index` of a capability array and clears it, so that nobody takes the same capability twice.
///
/// # Safety
/// As for [`bytes_mut`]: the word is the caller's.
#[inline]
pub(crate) unsafe fn take_cap(thread: &Thread, offset: u32, index: usize) -> CapId {
    // SAFETY: the caller's promise.
    let word = unsafe { bytes_mut(thread, offset + 8 * index as u32, 8) };
    let id = word.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    word.fill(0);
    CapId::from_raw(id)
}
