//! Page tables: four levels, in frames that the kernel reaches through its direct map (Intel SDM vol. 3, chapter 4).

pub mod kernel;
pub mod mmio;

use super::cpu::probe::features;
use super::mem::phys;
use core::sync::atomic::{AtomicU64, Ordering};

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

/// The memory for one more table is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoTable;

/// The entry that maps `va` at `level`, with the tables above it made by `allocate` as needed. It answers zeroed frames.
///
/// # Safety
/// `root` is a top table that nobody else changes at the same time.
pub unsafe fn entry(
    root: u64,
    va: u64,
    level: u32,
    allocate: &mut dyn FnMut() -> Option<u64>,
) -> Result<&'static AtomicU64, NoTable> {
    // User pages decide for themselves; the tables above allow all but execution by the wrong side.
    let owner = if va < 1 << 47 { bits::USER } else { 0 };
    let mut at = root;
    for upper in (level + 1..=4).rev() {
        // SAFETY: `at` is the root or comes from an entry of a table above.
        let slot = unsafe { &table(at)[index(va, upper)] };
        let mut value = slot.load(Ordering::Relaxed);
        if value & bits::PRESENT == 0 {
            value = allocate().ok_or(NoTable)? | bits::PRESENT | bits::WRITABLE | owner;
            slot.store(value, Ordering::Release);
        }
        at = value & bits::ADDRESS;
    }
    // SAFETY: as above.
    Ok(unsafe { &table(at)[index(va, level)] })
}

/// Maps a range of the kernel half with the largest pages that fit.
///
/// # Safety
/// As [`entry`]; the range is unused, and `flags` fit what the memory is for.
pub unsafe fn map_range(root: u64, va: u64, pa: u64, length: u64, flags: u64) -> Result<(), NoTable> {
    let mut done = 0;
    while done < length {
        let level = largest_level(va + done, pa + done, length - done);
        let large = if level > 1 { bits::LARGE } else { 0 };
        // SAFETY: passed on.
        let slot = unsafe { entry(root, va + done, level, &mut phys::kernel_frame)? };
        slot.store((pa + done) | flags | large | bits::PRESENT, Ordering::Release);
        done += span(level);
    }
    Ok(())
}

fn largest_level(va: u64, pa: u64, left: u64) -> u32 {
    let fits = |level: u32| (va | pa).is_multiple_of(span(level)) && left >= span(level);
    if features().gigabyte_pages && fits(3) {
        3
    } else if fits(2) {
        2
    } else {
        1
    }
}
