//! What a table looks like.

use crate::x86::mem::phys;
use core::sync::atomic::AtomicU64;

/// Bits of an entry.
pub mod bits {
    pub const PRESENT: u64 = 1 << 0;
    pub const WRITABLE: u64 = 1 << 1;
    pub const USER: u64 = 1 << 2;
    pub const WRITE_THROUGH: u64 = 1 << 3;
    pub const UNCACHED: u64 = 1 << 4;
    pub const LARGE: u64 = 1 << 7;
    pub const GLOBAL: u64 = 1 << 8;
    pub const NO_EXECUTE: u64 = 1 << 63;
    /// The frame that the entry names.
    pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
}

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Entries of one table.
pub const ENTRIES: usize = 512;
/// First entry of the top table that belongs to the kernel.
pub const KERNEL_HALF: usize = 256;

/// One table.
pub type Table = [AtomicU64; ENTRIES];

/// Bytes that one entry of a level covers; level 1 is the lowest.
pub const fn span(level: u32) -> u64 {
    PAGE << (9 * (level - 1))
}

/// Which entry of its table is on the way to `va`.
pub const fn index(va: u64, level: u32) -> usize {
    (va / span(level)) as usize % ENTRIES
}

/// The table in the frame at `pa`.
///
/// # Safety
/// `pa` is a frame that is used as a page table and stays one while the result is used.
#[inline]
pub unsafe fn table(pa: u64) -> &'static Table {
    // SAFETY: the direct map covers every frame that the kernel uses; entries are only accessed as atomics.
    unsafe { &*phys::pointer(pa & bits::ADDRESS).cast::<Table>() }
}
