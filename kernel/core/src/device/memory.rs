//! Memory that a device may reach, or that stands for some: paid as such, and read and written by the kernel word by word.

use super::Refused;
use super::windows::memory;
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_dma::{Real, Shadow};
use capos_mem::Resource;
use core::sync::atomic::Ordering;
use kernel_hal::account::Account;
use kernel_hal::dma::{self, DmaMemory};
use kernel_hal::mem::Frames;
use kernel_hal::sync::Ref;

/// Some contiguous pages. They count as DMA pages of who asked for them as long as anybody has them: a driver has its buffers' memory, too.
pub(crate) struct Memory(DmaMemory);

impl Memory {
    /// So many zeroed pages below `1 << address_bits`.
    pub fn new(pages: usize, address_bits: u32, account: &Ref<Account>) -> Result<Memory, Refused> {
        DmaMemory::new(pages, address_bits, account).map(Memory).map_err(memory)
    }

    /// All of some memory that was made so.
    pub fn of(frames: &Ref<Frames>) -> Option<Memory> {
        DmaMemory::of(frames).map(Memory)
    }

    /// The pages, for mapping.
    pub fn frames(&self) -> &Ref<Frames> {
        self.0.frames()
    }

    /// Where a device finds it that nothing translates for.
    pub fn physical(&self) -> u64 {
        self.0.address()
    }

    /// How many pages.
    pub fn pages(&self) -> usize {
        self.0.length() / PAGE_SIZE
    }
}

impl Memory {
    /// Eight bytes at an offset that is a multiple of that; `None` outside.
    pub fn word(&self, offset: usize) -> Option<u64> {
        self.0.load64(offset).ok()
    }

    /// Writes the same eight bytes everywhere.
    pub fn fill(&self, word: u64) {
        for offset in (0..self.0.length()).step_by(size_of::<u64>()) {
            // Inside, see the loop.
            let _ = self.0.store64(offset, word);
        }
    }
}

/// Pages of the kernel's own memory that somebody pays for: what it writes down about his device.
pub(crate) struct Notes {
    pages: u64,
    account: Ref<Account>,
}

impl Notes {
    /// As many pages as so many bytes take.
    pub fn of(bytes: usize, account: &Ref<Account>) -> Result<Notes, Refused> {
        let pages = bytes.div_ceil(PAGE_SIZE) as u64;
        account.charge(Resource::MemoryPages, pages).map_err(|_| ExceptionCode::BudgetExhausted)?;
        Ok(Notes { pages, account: account.clone() })
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.account.refund(Resource::MemoryPages, self.pages);
    }
}

/// Offsets are made by the layout that the memory was made for: outside of it there is nothing, and nothing is done.
impl Shadow for Memory {
    #[inline]
    fn read16(&self, offset: u32) -> u16 {
        self.0.load16(offset as usize).unwrap_or(0)
    }

    #[inline]
    fn read64(&self, offset: u32) -> u64 {
        self.0.load64(offset as usize).unwrap_or(0)
    }

    #[inline]
    fn read_pair(&self, offset: u32) -> [u64; 2] {
        self.0.load_pair(offset as usize).unwrap_or([0, 0])
    }
}

impl Real for Memory {
    #[inline]
    fn read16(&self, offset: u32) -> u16 {
        self.0.load16(offset as usize).unwrap_or(0)
    }

    #[inline]
    fn read32(&self, offset: u32) -> u32 {
        self.0.load32(offset as usize).unwrap_or(0)
    }

    #[inline]
    fn write16(&self, offset: u32, value: u16) {
        let _ = self.0.store16(offset as usize, value);
    }

    #[inline]
    fn write64(&self, offset: u32, value: u64) {
        let _ = self.0.store64(offset as usize, value);
    }

    #[inline]
    fn write_pair(&self, offset: u32, pair: [u64; 2]) {
        let _ = self.0.store_pair(offset as usize, pair);
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        dma::order(order);
    }
}
