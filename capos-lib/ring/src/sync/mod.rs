//! The one place where atomics come from. [`Block`] is the shared memory of a ring; under loom it is a model of that memory in
//! which the indices are loom's atomics and the entries are cells that report every unordered access.

#[cfg(not(all(loom, test)))]
mod block;
#[cfg(all(loom, test))]
pub(crate) mod model;

#[cfg(not(all(loom, test)))]
pub(crate) use block::Block;
#[cfg(not(all(loom, test)))]
pub(crate) use core::sync::atomic::Ordering;
#[cfg(all(loom, test))]
pub(crate) use loom::sync::atomic::Ordering;
#[cfg(all(loom, test))]
pub(crate) use model::Block;

/// Accesses to single bytes, which are parts of words. The same for both kinds of block.
impl Block {
    /// # Safety
    /// `offset` is inside the block.
    #[inline]
    pub(crate) unsafe fn load_u8(&self, offset: usize) -> u8 {
        // SAFETY: blocks consist of whole words.
        let word = unsafe { self.load_u64(offset & !7) };
        (word >> (offset % 8 * 8)) as u8
    }

    /// # Safety
    /// `offset` is inside the block.
    #[inline]
    pub(crate) unsafe fn store_u8(&self, offset: usize, value: u8) {
        let shift = offset % 8 * 8;
        // SAFETY: blocks consist of whole words.
        unsafe { self.merge_u64(offset & !7, 0xff << shift, u64::from(value) << shift) };
    }
}
