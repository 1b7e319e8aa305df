//! Memory that devices read and write: frames of host memory, to which addresses are given one after the other.

use super::mem::Frames;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::{MemError, OutOfRange};
use core::sync::atomic::{AtomicU64, Ordering, fence};

/// Some such memory.
pub struct DmaMemory {
    frames: Ref<Frames>,
    address: u64,
}

/// There is no memory below: 16 MiB.
const FIRST: u64 = 1 << 24;

/// Where there is no memory yet.
static NEXT: AtomicU64 = AtomicU64::new(FIRST);

pub(super) fn reset() {
    NEXT.store(FIRST, Ordering::Relaxed);
}

/// From now on all memory below `1 << address_bits` is somebody's.
pub fn fill(address_bits: u32) {
    NEXT.fetch_max(1 << address_bits, Ordering::Relaxed);
}

impl DmaMemory {
    /// So many zeroed pages, charged to `budget` as memory and as DMA pages, below `1 << address_bits`.
    pub fn new(pages: usize, address_bits: u32, budget: &Ref<Account>) -> Result<DmaMemory, MemError> {
        let length = (pages * capos_abi::PAGE_SIZE) as u64;
        let end = NEXT.load(Ordering::Relaxed) + length;
        if 1u64.checked_shl(address_bits).is_some_and(|most| end > most) {
            return Err(MemError::OutOfMemory);
        }
        let address = NEXT.fetch_add(length, Ordering::Relaxed);
        Ok(DmaMemory { frames: Frames::for_device(address, pages, budget)?, address })
    }

    /// All of some memory, if it is such.
    pub fn of(frames: &Ref<Frames>) -> Option<DmaMemory> {
        Some(DmaMemory { address: frames.for_devices()?, frames: frames.clone() })
    }

    /// The pages, for mapping.
    pub fn frames(&self) -> &Ref<Frames> {
        &self.frames
    }

    /// Where a device finds it that nothing translates for.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Bytes.
    pub fn length(&self) -> usize {
        self.frames.pages() * capos_abi::PAGE_SIZE
    }

    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfRange> {
        let mut bytes = [0; N];
        if !offset.is_multiple_of(N) {
            return Err(OutOfRange);
        }
        self.frames.read(offset, &mut bytes).map(|()| bytes)
    }

    fn store(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        if offset.is_multiple_of(bytes.len()) { self.frames.write(offset, bytes) } else { Err(OutOfRange) }
    }

    /// Two bytes.
    pub fn load16(&self, offset: usize) -> Result<u16, OutOfRange> {
        self.load(offset).map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn load32(&self, offset: usize) -> Result<u32, OutOfRange> {
        self.load(offset).map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn load64(&self, offset: usize) -> Result<u64, OutOfRange> {
        self.load(offset).map(u64::from_le_bytes)
    }

    /// Two words of eight bytes, one after the other, at a multiple of sixteen.
    pub fn load_pair(&self, offset: usize) -> Result<[u64; 2], OutOfRange> {
        let both = self.load(offset).map(u128::from_le_bytes)?;
        Ok([both as u64, (both >> 64) as u64])
    }

    /// Changes two words of eight bytes at a multiple of sixteen.
    pub fn store_pair(&self, offset: usize, [first, second]: [u64; 2]) -> Result<(), OutOfRange> {
        self.store(offset, &(u128::from(second) << 64 | u128::from(first)).to_le_bytes())
    }

    /// Changes two bytes.
    pub fn store16(&self, offset: usize, value: u16) -> Result<(), OutOfRange> {
        self.store(offset, &value.to_le_bytes())
    }

    /// Changes four bytes.
    pub fn store32(&self, offset: usize, value: u32) -> Result<(), OutOfRange> {
        self.store(offset, &value.to_le_bytes())
    }

    /// Changes eight bytes.
    pub fn store64(&self, offset: usize, value: u64) -> Result<(), OutOfRange> {
        self.store(offset, &value.to_le_bytes())
    }
}

/// Orders what is loaded and stored before it against what is loaded and stored after it, as devices see it.
#[inline]
pub fn order(order: Ordering) {
    fence(order);
}
