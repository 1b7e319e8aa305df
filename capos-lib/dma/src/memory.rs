//! The memory of rings. Offsets are bytes from a ring's begin and multiples of the width; accesses are volatile and of exactly that width.

use core::sync::atomic::Ordering;

/// A ring that the driver may change at any time: no word of it is read twice.
pub trait Shadow {
    /// Reads two bytes.
    fn read16(&self, offset: u32) -> u16;
    /// Reads eight bytes.
    fn read64(&self, offset: u32) -> u64;

    /// Reads two words of eight bytes, one after the other.
    #[inline]
    fn read_pair(&self, offset: u32) -> [u64; 2] {
        [self.read64(offset), self.read64(offset + 8)]
    }
}

/// A ring that the device reads and writes. No driver can write it.
pub trait Real {
    /// Reads two bytes.
    fn read16(&self, offset: u32) -> u16;
    /// Reads four bytes.
    fn read32(&self, offset: u32) -> u32;
    /// Writes two bytes.
    fn write16(&self, offset: u32, value: u16);
    /// Writes eight bytes.
    fn write64(&self, offset: u32, value: u64);

    /// Writes two words of eight bytes.
    #[inline]
    fn write_pair(&self, offset: u32, pair: [u64; 2]) {
        self.write64(offset, pair[0]);
        self.write64(offset + 8, pair[1]);
    }

    /// Orders accesses before it, the shadow's too, against those behind it, as the device sees them.
    fn fence(&self, order: Ordering);
}
