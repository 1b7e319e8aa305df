//! Memory of one's own beside the heap: reserved and committed piece by piece, or a mapping of a `MemoryObject` or of registers.
//!
//! Access goes by aligned words through atomics, so others may write the same memory at the same time, and is checked against the
//! region's bounds. Touching a word that is not backed, or in a way that its protection forbids, is a fault: the process ends.

use crate::ipc::CallError;
use crate::threads::memory;
use alloc::vec::Vec;
use capos_schema::virtual_memory::Protection;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// One region; unmapped when dropped.
pub struct Region {
    address: u64,
    size: u64,
}

impl Region {
    /// Address space without memory.
    pub fn reserve(size: u64) -> Result<Region, CallError> {
        memory().reserve_blocking(size).map(|address| Region { address, size })
    }

    /// Part of an object, mapped.
    pub fn map(
        object: &crate::generated::MemoryObjectClient,
        offset: u64,
        size: u64,
        protection: Protection,
    ) -> Result<Region, CallError> {
        memory().map_blocking(object, offset, size, protection).map(|address| Region { address, size })
    }

    /// Registers of a device, whole pages of them.
    pub fn of_registers(
        window: &crate::generated::DeviceMmioClient,
        offset: u32,
        size: u32,
    ) -> Result<Region, CallError> {
        window.map_blocking(offset, size, true).map(|address| Region { address, size: size.into() })
    }

    /// Backs part of a reservation with zeroed memory.
    pub fn commit(&self, offset: u64, size: u64, protection: Protection) -> Result<(), CallError> {
        memory().commit_blocking(self.address + offset, size, protection)
    }

    /// Changes the protection of part of it.
    pub fn protect(&self, offset: u64, size: u64, protection: Protection) -> Result<(), CallError> {
        memory().protect_blocking(self.address + offset, size, protection)
    }

    /// Where it lies.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How long it is, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The word at `offset`, or `None` outside of the region and between words.
    #[inline]
    pub fn load(&self, offset: u64) -> Option<u64> {
        let address = self.place(offset, 8)? as *mut u64;
        // SAFETY: see `place`.
        Some(unsafe { AtomicU64::from_ptr(address) }.load(Ordering::Relaxed))
    }

    /// Writes the word at `offset`; false outside of the region and between words.
    #[inline]
    pub fn store(&self, offset: u64, value: u64) -> bool {
        let Some(address) = self.place(offset, 8) else { return false };
        // SAFETY: see `place`.
        unsafe { AtomicU64::from_ptr(address as *mut u64) }.store(value, Ordering::Relaxed);
        true
    }

    /// Writes words, the first one first, from `offset` on, a multiple of all their bytes, which are a power of two; false when they are not inside.
    #[inline]
    pub fn store_all<const N: usize>(&self, offset: u64, values: &[u64; N]) -> bool {
        let Some(first) = self.place(offset, const { 8 * N as u64 }) else { return false };
        for (n, value) in (0..).zip(values) {
            // SAFETY: see `place`: of an aligned power of two of bytes, no more than a page, all are inside when the first is.
            unsafe { AtomicU64::from_ptr((first + 8 * n) as *mut u64) }.store(*value, Ordering::Relaxed);
        }
        true
    }

    /// Two times four bytes, the first ones first, from `offset` on, a multiple of 4.
    #[inline]
    pub fn load32_pair(&self, offset: u64) -> Option<[u32; 2]> {
        // Regions are whole pages: where the last four bytes are inside, the first are.
        let last = self.place(offset.wrapping_add(4), 4).filter(|_| offset < self.size)?;
        let first = last - 4;
        // SAFETY: see `place`.
        unsafe {
            let first = AtomicU32::from_ptr(first as *mut u32).load(Ordering::Relaxed);
            Some([first, AtomicU32::from_ptr(last as *mut u32).load(Ordering::Relaxed)])
        }
    }

    /// The same of four bytes.
    #[inline]
    pub fn load32(&self, offset: u64) -> Option<u32> {
        let address = self.place(offset, 4)? as *mut u32;
        // SAFETY: see `place`.
        Some(unsafe { AtomicU32::from_ptr(address) }.load(Ordering::Relaxed))
    }

    /// The same of four bytes.
    #[inline]
    pub fn store32(&self, offset: u64, value: u32) -> bool {
        let Some(address) = self.place(offset, 4) else { return false };
        // SAFETY: see `place`.
        unsafe { AtomicU32::from_ptr(address as *mut u32) }.store(value, Ordering::Relaxed);
        true
    }

    /// The same of two bytes.
    #[inline]
    pub fn load16(&self, offset: u64) -> Option<u16> {
        let address = self.place(offset, 2)? as *mut u16;
        // SAFETY: see `place`.
        Some(unsafe { AtomicU16::from_ptr(address) }.load(Ordering::Relaxed))
    }

    /// The same of two bytes.
    #[inline]
    pub fn store16(&self, offset: u64, value: u16) -> bool {
        let Some(address) = self.place(offset, 2) else { return false };
        // SAFETY: see `place`.
        unsafe { AtomicU16::from_ptr(address as *mut u16) }.store(value, Ordering::Relaxed);
        true
    }

    /// Copies bytes out, which others may change meanwhile; false when they are not all inside.
    #[inline]
    pub fn read(&self, offset: u64, out: &mut [u8]) -> bool {
        let Some(from) = self.range(offset, out.len()) else { return false };
        // SAFETY: see `range`; `out` is ours alone.
        unsafe { copy(from as *const u8, out.as_mut_ptr(), out.len()) };
        true
    }

    /// A copy of bytes, which others may change meanwhile; none when they are not all inside.
    pub fn bytes(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let from = self.range(offset, length)?;
        let mut bytes = Vec::with_capacity(length);
        // SAFETY: see `range`; there is room for so many, and all of them are written before they are counted in.
        unsafe {
            copy(from as *const u8, bytes.as_mut_ptr(), length);
            bytes.set_len(length);
        }
        Some(bytes)
    }

    /// Copies bytes in; false when they are not all inside.
    #[inline]
    pub fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        let Some(to) = self.range(offset, bytes.len()) else { return false };
        // SAFETY: see `range`.
        unsafe { copy(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        true
    }

    /// Where so many bytes are: in a region as for `place`, which no reference of the program leads into.
    #[inline]
    fn range(&self, offset: u64, length: usize) -> Option<u64> {
        let end = offset.checked_add(length as u64)?;
        (end <= self.size).then_some(self.address + offset)
    }

    /// Where a word of so many bytes is. It is aligned, and inside a region that the kernel gave to us alone and that lives as long as `self`;
    /// every access of it is atomic. If nothing is mapped there the access ends the process.
    #[inline]
    fn place(&self, offset: u64, bytes: u64) -> Option<u64> {
        (offset.is_multiple_of(bytes) && offset < self.size).then_some(self.address + offset)
    }
}

/// Copies bytes that somebody may change at the same time: the compiler knows nothing of it, and what arrives is some mixture of old and new.
///
/// # Safety
/// Both ranges are valid, and they do not overlap.
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the caller's promise; the direction flag is clear between instructions of Rust programs.
    unsafe {
        core::arch::asm!(
            "rep movsq", "mov rcx, {rest}", "rep movsb", rest = in(reg) length % 8,
            inout("rcx") length / 8 => _, inout("rsi") from => _, inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

/// Writes back what is at `address`, in one instruction: nothing changes but that the processor has found the page. A fault when it may not
/// be written.
#[inline]
pub fn touch(address: u64) {
    // SAFETY: one locked instruction, which changes no byte, whoever else uses them. If the address is not ours the process ends.
    unsafe { core::arch::asm!("lock or byte ptr [{}], 0", in(reg) address, options(nostack)) };
}

impl Drop for Region {
    fn drop(&mut self) {
        // Fails only when the program unmapped it by hand before.
        let _ = memory().unmap_blocking(self.address, self.size);
    }
}
