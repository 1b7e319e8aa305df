//! The memory of a queue, and its bells.

use core::sync::atomic::Ordering;

/// Bytes of the list that each command has in its queue's own buffer.
pub const LIST_BYTES: u32 = capos_dma::nvme::LIST as u32 * 8;

/// What a queue lies in. Offsets of commands and of what the device writes are [`crate::Layout`]'s; accesses are volatile, each of a whole word.
pub trait Memory {
    /// Writes a command.
    fn write_command(&self, offset: u32, words: &[u64; 8]);
    /// Reads eight bytes of what the device writes: a completion, or the page of answers.
    fn read64(&self, offset: u32) -> u64;
    /// Writes eight bytes of the buffer that belongs to the queue, which has [`crate::own_bytes`].
    fn write_own(&self, offset: u32, value: u64);
    /// Reads the same.
    fn read_own(&self, offset: u32) -> u64;
    /// Orders accesses before it against those behind it, as the device sees them.
    fn fence(&self, order: Ordering);
}

/// Where the parts of a queue are for the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// The queue, if that is for us to say; else 0, and the kernel says it.
    pub queue: u64,
    /// The buffer that belongs to it: it begins with a page.
    pub own: u64,
}

/// What the device, or the kernel, is to be told of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the device does not look by itself"]
pub struct Bells {
    /// Where the next command will be written, if that is news.
    pub tail: Option<u16>,
    /// The completion that will be read next, if that is news.
    pub consumed: Option<u16>,
}
