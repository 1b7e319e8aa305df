//! Frames of host memory.

use super::heap;
use crate::account::Account;
use crate::label::Label;
use crate::sync::Ref;
use crate::types::{MemError, OutOfRange};
use alloc::vec::Vec;
use capos_abi::PAGE_SIZE;
use capos_mem::Resource;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

static IN_USE: AtomicU64 = AtomicU64::new(0);
const TOTAL: u64 = 1 << 16;

/// Which machine it is: tests have one after the other.
static MACHINE: AtomicU64 = AtomicU64::new(0);

pub(super) fn reset() {
    MACHINE.fetch_add(1, SeqCst);
    IN_USE.store(0, SeqCst);
}

/// Pages of the machine.
pub fn total_pages() -> u64 {
    TOTAL
}

/// Pages nobody uses.
pub fn free_pages() -> u64 {
    TOTAL.saturating_sub(IN_USE.load(SeqCst))
}

/// Pages of the kernel itself.
pub fn kernel_pages() -> u64 {
    0
}

/// Bytes of the heap that the test's thread uses, the test's own included.
pub fn heap_bytes() -> u64 {
    heap::used()
}

/// Zeroed pages that may be mapped into user space; never holds Rust objects.
pub struct Frames {
    start: NonNull<u8>,
    pages: usize,
    budget: Option<Ref<Account>>,
    /// Where the registers are that it stands for.
    registers: Option<u64>,
    /// Where devices find it that nothing translates for, if it was made for them.
    dma: Option<u64>,
    label: Label,
    machine: u64,
}

// SAFETY: the bytes are only reached through bounds-checked volatile copies, like device memory.
unsafe impl Send for Frames {}
// SAFETY: as above.
unsafe impl Sync for Frames {}

impl Frames {
    /// What tells it from other memory.
    pub fn label(&self) -> u64 {
        self.label.number()
    }

    /// `pages` zeroed pages charged to `budget`.
    pub fn zeroed(pages: usize, budget: &Ref<Account>) -> Result<Ref<Frames>, MemError> {
        Ok(Ref::try_new(Self::charged(pages, budget)?)?)
    }

    fn charged(pages: usize, budget: &Ref<Account>) -> Result<Frames, MemError> {
        let charge = u64::try_from(pages).map_err(|_| MemError::OutOfMemory)?;
        budget.charge(Resource::MemoryPages, charge).map_err(|_| MemError::BudgetExhausted)?;
        match Self::allocate(pages) {
            Some(start) => Ok(Frames {
                start,
                pages,
                budget: Some(budget.clone()),
                registers: None,
                dma: None,
                label: Label::new(),
                machine: MACHINE.load(SeqCst),
            }),
            None => {
                budget.refund(Resource::MemoryPages, charge);
                Err(MemError::OutOfMemory)
            }
        }
    }

    /// Like [`Frames::zeroed`], which count as DMA pages as long as anybody has them.
    pub(super) fn for_device(
        address: u64,
        pages: usize,
        budget: &Ref<Account>,
    ) -> Result<Ref<Frames>, MemError> {
        let mut frames = Self::charged(pages, budget)?;
        budget.charge(Resource::DmaPages, pages as u64).map_err(|_| MemError::BudgetExhausted)?;
        frames.dma = Some(address);
        Ok(Ref::try_new(frames)?)
    }

    /// Where devices find it, if it was made for them.
    pub(super) fn for_devices(&self) -> Option<u64> {
        self.dma
    }

    /// Like [`Frames::zeroed`], physically contiguous.
    pub fn contiguous(pages: usize, budget: &Ref<Account>) -> Result<Ref<Frames>, MemError> {
        Self::zeroed(pages, budget)
    }

    /// Read-only pages with `bytes` in them, as a boot module has.
    pub fn module(bytes: &[u8]) -> Ref<Frames> {
        let pages = bytes.len().div_ceil(PAGE_SIZE).max(1);
        let start = Self::allocate(pages).expect("host memory");
        let frames = Frames {
            start,
            pages,
            budget: None,
            registers: None,
            dma: None,
            label: Label::new(),
            machine: MACHINE.load(SeqCst),
        };
        frames.copy_in(0, bytes);
        Ref::try_new(frames).expect("host memory")
    }

    /// Pages that stand for registers of a device, at that address.
    pub(super) fn of_device(address: u64, pages: usize) -> Result<Ref<Frames>, MemError> {
        let start = Self::allocate(pages).ok_or(MemError::OutOfMemory)?;
        let frames = Frames {
            start,
            pages,
            budget: None,
            registers: Some(address),
            dma: None,
            label: Label::new(),
            machine: MACHINE.load(SeqCst),
        };
        Ok(Ref::try_new(frames)?)
    }

    fn allocate(pages: usize) -> Option<NonNull<u8>> {
        let layout = Self::layout(pages)?;
        if pages == 0 || heap::frames_fail() || IN_USE.load(SeqCst) + pages as u64 > TOTAL {
            return None;
        }
        IN_USE.fetch_add(pages as u64, SeqCst);
        // SAFETY: the layout is not of size zero.
        heap::unfailing(|| NonNull::new(unsafe { alloc_zeroed(layout) }))
    }

    fn layout(pages: usize) -> Option<Layout> {
        Layout::from_size_align(pages.checked_mul(PAGE_SIZE)?, PAGE_SIZE).ok()
    }

    /// How many pages.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Whether nobody may write: boot modules.
    pub fn is_read_only(&self) -> bool {
        self.budget.is_none() && !self.is_device()
    }

    /// Whether it is registers of a device.
    pub fn is_device(&self) -> bool {
        self.registers.is_some()
    }

    /// Where they are, if it is.
    pub(super) fn registers(&self) -> Option<u64> {
        self.registers
    }

    /// Copies bytes out.
    pub fn read(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
        self.check(offset, out.len())?;
        for (n, byte) in out.iter_mut().enumerate() {
            // SAFETY: within the block, see `check`.
            *byte = unsafe { self.start.as_ptr().add(offset + n).read_volatile() };
        }
        Ok(())
    }

    /// Copies bytes in.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        self.check(offset, bytes.len())?;
        self.copy_in(offset, bytes);
        Ok(())
    }

    fn copy_in(&self, offset: usize, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            // SAFETY: within the block: callers checked.
            unsafe { self.start.as_ptr().add(offset + n).write_volatile(*byte) };
        }
    }

    fn check(&self, offset: usize, len: usize) -> Result<(), OutOfRange> {
        let end = offset.checked_add(len).ok_or(OutOfRange)?;
        if end <= self.pages * PAGE_SIZE && !self.is_device() { Ok(()) } else { Err(OutOfRange) }
    }

    /// Gives the frames back, as nobody else has them, if `left` allows for anything at all. False when it does not.
    pub fn give_back_some(&mut self, left: &mut u32) -> bool {
        // All go when this is dropped.
        let allowed = *left > 0;
        *left = left.saturating_sub(1);
        allowed
    }

    /// Start of the block, for the ring.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.pages) {
            // SAFETY: allocated with this layout; nobody else holds the block.
            unsafe { dealloc(self.start.as_ptr(), layout) };
        }
        // Something may remember frames of a machine that is gone.
        if self.machine == MACHINE.load(SeqCst) {
            IN_USE.fetch_sub(self.pages as u64, SeqCst);
        }
        if let Some(budget) = &self.budget {
            budget.refund(Resource::MemoryPages, self.pages as u64);
            if self.dma.is_some() {
                budget.refund(Resource::DmaPages, self.pages as u64);
            }
        }
    }
}

/// All bytes of some frames, for tests.
pub fn bytes_of(frames: &Frames) -> Vec<u8> {
    let mut out = alloc::vec![0; frames.pages * PAGE_SIZE];
    frames.read(0, &mut out).expect("own length");
    out
}
