//! Windows to memory that is not RAM of ours: device registers, uncached, and firmware tables, read-only.

use super::kernel::{WINDOW_BASE, root};
use super::{NoTable, PAGE, bits, map_range};
use crate::order::LockRank;
use crate::sync::Lock;
use core::ptr::{self, NonNull};

/// Next free address of the window region. Windows are made at boot and stay.
static NEXT: Lock<u64> = Lock::new(LockRank::Window, WINDOW_BASE);

/// Registers of a device. Accesses outside of it read as all ones and write nowhere.
#[derive(Clone, Copy)]
pub struct Window {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: only volatile accesses of single registers go through it; who may do what when is the device driver's matter.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Nothing there.
    const fn none() -> Self {
        Window { base: NonNull::dangling(), length: 0 }
    }

    /// Where it begins, for registers of odd sizes. `None` for an empty window.
    pub fn pointer(&self) -> Option<*mut u8> {
        (self.length > 0).then_some(self.base.as_ptr())
    }

    fn contains(&self, offset: usize, width: usize) -> bool {
        offset.is_multiple_of(width) && offset.checked_add(width).is_some_and(|end| end <= self.length)
    }

    /// Reads a register of one byte.
    pub fn read8(&self, offset: usize) -> u8 {
        if !self.contains(offset, 1) {
            return u8::MAX;
        }
        // SAFETY: inside the window, which stays mapped.
        unsafe { ptr::read_volatile(self.base.as_ptr().add(offset)) }
    }

    /// Writes a register of one byte.
    pub fn write8(&self, offset: usize, value: u8) {
        if self.contains(offset, 1) {
            // SAFETY: as for reading.
            unsafe { ptr::write_volatile(self.base.as_ptr().add(offset), value) };
        }
    }

    /// Reads a register of two bytes.
    pub fn read16(&self, offset: usize) -> u16 {
        if !self.contains(offset, 2) {
            return u16::MAX;
        }
        // SAFETY: aligned and inside the window, which stays mapped.
        unsafe { ptr::read_volatile(self.base.as_ptr().add(offset).cast::<u16>()) }
    }

    /// Writes a register of two bytes.
    pub fn write16(&self, offset: usize, value: u16) {
        if self.contains(offset, 2) {
            // SAFETY: as for reading.
            unsafe { ptr::write_volatile(self.base.as_ptr().add(offset).cast::<u16>(), value) };
        }
    }

    /// Reads a register.
    #[inline]
    pub fn read32(&self, offset: usize) -> u32 {
        if !self.contains(offset, 4) {
            return u32::MAX;
        }
        // SAFETY: aligned and inside the window, which stays mapped.
        unsafe { ptr::read_volatile(self.base.as_ptr().add(offset).cast::<u32>()) }
    }

    /// Writes a register.
    #[inline]
    pub fn write32(&self, offset: usize, value: u32) {
        if self.contains(offset, 4) {
            // SAFETY: as for reading.
            unsafe { ptr::write_volatile(self.base.as_ptr().add(offset).cast::<u32>(), value) };
        }
    }

    /// Reads a 64-bit register.
    pub fn read64(&self, offset: usize) -> u64 {
        if !self.contains(offset, 8) {
            return u64::MAX;
        }
        // SAFETY: as for 32 bits.
        unsafe { ptr::read_volatile(self.base.as_ptr().add(offset).cast::<u64>()) }
    }

    /// Writes a 64-bit register.
    pub fn write64(&self, offset: usize, value: u64) {
        if self.contains(offset, 8) {
            // SAFETY: as for 32 bits.
            unsafe { ptr::write_volatile(self.base.as_ptr().add(offset).cast::<u64>(), value) };
        }
    }
}

fn place(pa: u64, length: usize, flags: u64) -> Result<NonNull<u8>, NoTable> {
    let first = pa / PAGE * PAGE;
    let end = pa.checked_add(length as u64).ok_or(NoTable)?.next_multiple_of(PAGE);
    if end & !bits::ADDRESS != 0 {
        return Err(NoTable);
    }
    let mut next = NEXT.lock();
    let start = *next;
    // A page is left out between two windows.
    *next += end - first + PAGE;
    // SAFETY: this part of the region was never used, and the lock is held.
    unsafe { map_range(root(), start, first, end - first, flags | bits::NO_EXECUTE | bits::GLOBAL)? };
    NonNull::new(ptr::with_exposed_provenance_mut(usize::try_from(start + (pa - first)).unwrap_or(0)))
        .ok_or(NoTable)
}

/// A window to the registers at `pa`. If the kernel has no memory for tables, one that reads as nothing.
pub fn map(pa: u64, length: usize) -> Window {
    let flags = bits::WRITABLE | bits::UNCACHED | bits::WRITE_THROUGH;
    place(pa, length, flags).map_or(Window::none(), |base| Window { base, length })
}

/// Firmware's memory at `pa`, to be read. Empty if it cannot be mapped.
///
/// # Safety
/// Something answers at these addresses, and nobody writes there any more.
pub unsafe fn view(pa: u64, length: usize) -> &'static [u8] {
    match place(pa, length, 0) {
        // SAFETY: mapped for good; the caller says that it does not change.
        Ok(base) => unsafe { core::slice::from_raw_parts(base.as_ptr(), length) },
        Err(NoTable) => &[],
    }
}
