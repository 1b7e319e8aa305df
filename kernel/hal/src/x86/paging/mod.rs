//! Page tables: four levels, in frames that the kernel reaches through its direct map (Intel SDM vol. 3, chapter 4).

mod format;
pub mod kernel;
pub mod mmio;

use super::cpu::probe::features;
use super::mem::phys;
use core::sync::atomic::{AtomicU64, Ordering};
pub use format::{ENTRIES, KERNEL_HALF, PAGE, Table, bits, index, span, table};

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
