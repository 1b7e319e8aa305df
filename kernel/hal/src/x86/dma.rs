//! Memory that devices read and write: one contiguous run of frames, where the device can reach it.

use super::mem::{Frames, phys};
use super::paging;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::{MemError, OutOfRange};
use core::ptr::{self, NonNull};
use core::sync::atomic::{Ordering, fence};

const PAGE: usize = paging::PAGE as usize;

/// Some such memory, as the kernel sees it. Whoever else has it mapped, and the device, may change it at any time.
pub struct DmaMemory {
    frames: Ref<Frames>,
    start: NonNull<u8>,
    address: u64,
    length: usize,
}

// SAFETY: the bytes are only reached by single volatile accesses inside the run, which lives as long as `frames`.
unsafe impl Send for DmaMemory {}
// SAFETY: as above.
unsafe impl Sync for DmaMemory {}

impl DmaMemory {
    /// So many zeroed pages below `1 << address_bits`, charged to `budget` as memory and as DMA pages.
    pub fn new(pages: usize, address_bits: u32, budget: &Ref<Account>) -> Result<DmaMemory, MemError> {
        let frames = Frames::for_device(pages, address_bits, budget)?;
        DmaMemory::of(&frames).ok_or(MemError::OutOfMemory)
    }

    /// All of some memory, if it is such: it goes on counting as its owner's.
    pub fn of(frames: &Ref<Frames>) -> Option<DmaMemory> {
        let (address, pages) = frames.locate(0).filter(|_| frames.is_for_device())?;
        let start = NonNull::new(phys::pointer(address))?;
        Some(DmaMemory { frames: frames.clone(), start, address, length: pages * PAGE })
    }

    /// The pages, for mapping.
    pub fn frames(&self) -> &Ref<Frames> {
        &self.frames
    }

    /// Where a device finds it that nothing translates for. Not for anybody outside of the kernel.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    #[inline]
    fn at<T>(&self, offset: usize) -> Result<*mut T, OutOfRange> {
        const { assert!(PAGE.is_multiple_of(size_of::<T>()) && size_of::<T>().is_multiple_of(align_of::<T>())) };
        // The run is whole pages, which are whole such places: who begins at one of them and inside ends inside.
        if offset >= self.length || !offset.is_multiple_of(size_of::<T>()) {
            return Err(OutOfRange);
        }
        // SAFETY: inside the run, see above.
        Ok(unsafe { self.start.as_ptr().add(offset) }.cast::<T>())
    }

    #[inline]
    fn load<T: Copy>(&self, offset: usize) -> Result<T, OutOfRange> {
        // SAFETY: aligned and inside; plain integers, of which any bytes are some.
        self.at::<T>(offset).map(|at| unsafe { ptr::read_volatile(at) })
    }

    #[inline]
    fn store<T: Copy>(&self, offset: usize, value: T) -> Result<(), OutOfRange> {
        // SAFETY: as for loading.
        self.at::<T>(offset).map(|at| unsafe { ptr::write_volatile(at, value) })
    }

    /// Two bytes.
    #[inline]
    pub fn load16(&self, offset: usize) -> Result<u16, OutOfRange> {
        self.load(offset)
    }

    /// Four bytes.
    #[inline]
    pub fn load32(&self, offset: usize) -> Result<u32, OutOfRange> {
        self.load(offset)
    }

    /// Eight bytes.
    #[inline]
    pub fn load64(&self, offset: usize) -> Result<u64, OutOfRange> {
        self.load(offset)
    }

    /// Two words of eight bytes, one after the other, at a multiple of sixteen.
    #[inline]
    pub fn load_pair(&self, offset: usize) -> Result<[u64; 2], OutOfRange> {
        let at = self.at::<[u64; 2]>(offset)?.cast::<u64>();
        // SAFETY: both are aligned and inside; plain integers, of which any bytes are some.
        Ok(unsafe { [ptr::read_volatile(at), ptr::read_volatile(at.add(1))] })
    }

    /// Changes two words of eight bytes at a multiple of sixteen.
    #[inline]
    pub fn store_pair(&self, offset: usize, [first, second]: [u64; 2]) -> Result<(), OutOfRange> {
        let at = self.at::<[u64; 2]>(offset)?.cast::<u64>();
        // SAFETY: as for loading.
        unsafe {
            ptr::write_volatile(at, first);
            ptr::write_volatile(at.add(1), second);
        }
        Ok(())
    }

    /// Changes two bytes.
    #[inline]
    pub fn store16(&self, offset: usize, value: u16) -> Result<(), OutOfRange> {
        self.store(offset, value)
    }

    /// Changes four bytes.
    #[inline]
    pub fn store32(&self, offset: usize, value: u32) -> Result<(), OutOfRange> {
        self.store(offset, value)
    }

    /// Changes eight bytes.
    #[inline]
    pub fn store64(&self, offset: usize, value: u64) -> Result<(), OutOfRange> {
        self.store(offset, value)
    }
}

/// Orders what is loaded and stored before it against what is loaded and stored after it, as devices see it. Devices on PCI snoop the caches, and
/// x86 keeps the order of ordinary memory but for loads that overtake stores (Intel SDM vol. 3, 8.2.2), so only one of the orders is more
/// than a word to the compiler.
#[inline]
pub fn order(order: Ordering) {
    fence(order);
}
