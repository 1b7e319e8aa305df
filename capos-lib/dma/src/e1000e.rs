//! Intel's 82574L (e1000e) where the device is given physical addresses.
//!
//! Its rings have descriptors of 16 bytes that the device writes back **in place**: what it has to say of a frame comes to where the address was read. So neither is the ring
//! for drivers' eyes. The driver writes a **shadow**, with tokens; [`Queue::publish`] copies what is new to the **real** ring, under the same indices, and
//! [`Queue::collect`] copies what the device wrote back, but for addresses, to **answers**, which drivers may read.
//!
//! How much the device writes into a buffer does not stand in its descriptor but in a register, which is the kernel's: [`ROOM`], and that much is pinned for each. What it
//! reads of a frame to be sent stands there. Of the forms of descriptors only those are taken of which that is all: one frame, one descriptor, and contexts of checksums, which have
//! no address. What would make several segments of a frame is refused, as are other forms of descriptors, of which some have several addresses.
//!
//! Both rings are worked through in order. A buffer is pinned from the moment that its descriptor is published until the kernel itself saw it written back, or the device
//! was reset.

mod adapter;
mod queue;

pub use adapter::{Adapter, QUEUES, RECEIVE, SEND, quiesce};
pub use queue::{Direction, Entry, Published, Queue, Reason, Refusal};

use crate::pool::PAGE;

/// Bytes that the device may write into a buffer.
pub const ROOM: u64 = 2048;

/// Bytes of a frame to be sent at most: what the device takes.
pub const LONGEST: u64 = 9018;

/// Bits of a descriptor's second word that both sides use.
pub mod bits {
    /// Of frames and contexts to be sent: the length.
    pub const LENGTH: u64 = 0xf_ffff;
    /// It is a frame, not a context (DTYP).
    pub const FRAME: u64 = 1 << 20;
    /// The frame ends here (EOP).
    pub const END: u64 = 1 << 24;
    /// The device adds the frame check sequence (IFCS).
    pub const CHECK: u64 = 1 << 25;
    /// The device says when it has read it (RS).
    pub const REPORT: u64 = 1 << 27;
    /// It is in one of these forms (DEXT).
    pub const FORM: u64 = 1 << 29;
    /// The device fills in the checksum that the last context describes (POPTS.TXSM).
    pub const CHECKSUM: u64 = 1 << 41;
    /// Of a context: it is about TCP.
    pub const TCP: u64 = 1 << 24;
    /// Of a context: it is about IPv4.
    pub const V4: u64 = 1 << 25;
    /// The device has written it back (DD).
    pub const DONE: u64 = 1 << 32;
}

/// Bytes of a descriptor, and of an answer.
const DESCRIPTOR: u32 = 16;
const ANSWER: u32 = 8;

/// Where the parts of a queue lie. The shadow has descriptors, and behind them a word of the driver's: how far it wrote ([`Layout::tail`]). The real memory has descriptors, which only
/// the kernel and the device see, and from [`Layout::answers`] on what drivers may read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    size: u16,
}

impl Layout {
    /// For so many entries: a power of two, from 8 to 1024. The device counts in eights.
    pub const fn new(size: u16) -> Option<Layout> {
        if size.is_power_of_two() && size >= 8 && size <= 1024 { Some(Layout { size }) } else { None }
    }

    /// Entries.
    pub const fn size(self) -> u16 {
        self.size
    }

    /// A descriptor, in shadow and real memory.
    pub const fn descriptor(self, index: u16) -> u32 {
        (index & (self.size - 1)) as u32 * DESCRIPTOR
    }

    /// Shadow: where the driver will write its next descriptor; two bytes.
    pub const fn tail(self) -> u32 {
        self.size as u32 * DESCRIPTOR
    }

    /// Shadow: bytes, in whole pages.
    pub const fn shadow_bytes(self) -> u32 {
        (self.tail() + 2).next_multiple_of(PAGE as u32)
    }

    /// Real memory: the first answer.
    pub const fn answers(self) -> u32 {
        self.tail().next_multiple_of(PAGE as u32)
    }

    /// Real memory: what the device wrote back to a descriptor, its second word; without [`bits::DONE`] it has not.
    pub const fn answer(self, index: u16) -> u32 {
        self.answers() + (index & (self.size - 1)) as u32 * ANSWER
    }

    /// Real memory: bytes, in whole pages.
    pub const fn bytes(self) -> u32 {
        (self.answer(self.size - 1) + ANSWER).next_multiple_of(PAGE as u32)
    }

    /// The index behind this one.
    pub const fn after(self, index: u16) -> u16 {
        (index + 1) & (self.size - 1)
    }

    /// How far it is from one index to another.
    pub const fn distance(self, from: u16, to: u16) -> u16 {
        to.wrapping_sub(from) & (self.size - 1)
    }
}

#[cfg(test)]
mod tests;
