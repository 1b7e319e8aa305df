//! Memory of one's own beside the heap: reserved and committed piece by piece, or a mapping of a `MemoryObject`.
//!
//! Access goes by aligned words through atomics, so others may write the same memory at the same time, and is checked against the
//! region's bounds. Touching a word that is not backed, or in a way that its protection forbids, is a fault: the process ends.

use crate::ipc::CallError;
use crate::threads::memory;
use capos_schema::virtual_memory::Protection;
use core::sync::atomic::{AtomicU64, Ordering};

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
        self.word(offset).map(|word| word.load(Ordering::Relaxed))
    }

    /// Writes the word at `offset`; false outside of the region and between words.
    #[inline]
    pub fn store(&self, offset: u64, value: u64) -> bool {
        self.word(offset).map(|word| word.store(value, Ordering::Relaxed)).is_some()
    }

    #[inline]
    fn word(&self, offset: u64) -> Option<&AtomicU64> {
        if !offset.is_multiple_of(8) || offset >= self.size {
            return None;
        }
        let address = (self.address + offset) as *mut u64;
        // SAFETY: aligned, inside a region that the kernel gave to us alone and that lives as long as `self`; every access of it
        // is atomic. If nothing is mapped there the access ends the process.
        Some(unsafe { AtomicU64::from_ptr(address) })
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
