//! NVM Express (base specification 1.4) where the device is given physical addresses.
//!
//! The driver writes commands into a **shadow** of a submission queue, with tokens in their data pointers (PRP). [`Queue::publish`] copies what is new to the
//! **real** one, under the same indices: each command from a list of known ones, whose data has a length that the kernel knows as well as the
//! device does. What has one more pointer than a command holds goes through a list; the driver's lies in a buffer of its own, and its translated copy in
//! memory that no driver sees.
//!
//! The length of a transfer decides how a controller reads the second pointer, as data or as a list of addresses. So it is never taken from
//! the driver: sector sizes are what the device itself said when a namespace was identified, into a page that the driver can only read. A namespace that was not
//! identified since the reset has no sector size, and neither has one with metadata, whose sectors are longer or which wants a second pointer.
//!
//! Queues are created by commands, once in a life of the device, in rings that the kernel has attached under their numbers. They go by a reset:
//! deleting one and making it anew would let the device read entries of old.

mod command;
mod controller;
mod prp;
mod queue;

pub use controller::{Controller, ControllerError};
pub use queue::{Command, DeviceFault, Published, Queue, Reason, Refusal};

use crate::pool::PAGE;

/// The driver's buffers, in which lists of pointers lie. It may change them at any time: no word is read twice.
pub trait Buffers {
    /// Eight bytes of the buffer in this slot; the offset is a multiple of eight, and within.
    fn read64(&self, slot: u16, offset: u64) -> u64;
}

/// Pointers in a list. With the first one, which may begin within a page, so many pages are what a transfer has at most.
pub const LIST: u16 = 128;

/// Bytes of a command, of a completion, of a list.
const COMMAND: u32 = 64;
const COMPLETION: u32 = 16;
const LIST_BYTES: u32 = LIST as u32 * 8;

/// Where the parts of a queue lie. The shadow has commands, and behind them two words of the driver's: how far it wrote commands ([`Layout::tail`]), and how
/// far it read completions ([`Layout::consumed`]). The real memory has commands and lists, which only the kernel and the device see, and from [`Layout::completions`] on what
/// drivers may read: completions, and a page of answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    size: u16,
}

impl Layout {
    /// For so many entries: a power of two, from 2 to 1024.
    pub const fn new(size: u16) -> Option<Layout> {
        if size.is_power_of_two() && size >= 2 && size <= 1024 { Some(Layout { size }) } else { None }
    }

    /// Entries.
    pub const fn size(self) -> u16 {
        self.size
    }

    /// A command, in shadow and real memory.
    pub const fn command(self, index: u16) -> u32 {
        (index & (self.size - 1)) as u32 * COMMAND
    }

    /// Shadow: where the driver will write its next command; two bytes.
    pub const fn tail(self) -> u32 {
        self.size as u32 * COMMAND
    }

    /// Shadow: the completion that the driver will read next; two bytes.
    pub const fn consumed(self) -> u32 {
        self.tail() + 2
    }

    /// Shadow: bytes, in whole pages.
    pub const fn shadow_bytes(self) -> u32 {
        (self.consumed() + 2).next_multiple_of(PAGE as u32)
    }

    /// Real memory: the list of a command. Lists never cross a page.
    pub const fn list(self, command: u16) -> u32 {
        self.tail().next_multiple_of(PAGE as u32) + (command & (self.size - 1)) as u32 * LIST_BYTES
    }

    /// Real memory: the first completion.
    pub const fn completions(self) -> u32 {
        (self.list(self.size - 1) + LIST_BYTES).next_multiple_of(PAGE as u32)
    }

    /// Real memory: a completion.
    pub const fn completion(self, index: u16) -> u32 {
        self.completions() + (index & (self.size - 1)) as u32 * COMPLETION
    }

    /// Real memory: the page that answers of the admin queue's Identify commands come to.
    pub const fn answers(self) -> u32 {
        (self.completions() + self.size as u32 * COMPLETION).next_multiple_of(PAGE as u32)
    }

    /// Real memory: bytes, in whole pages.
    pub const fn bytes(self) -> u32 {
        self.answers() + PAGE as u32
    }

    /// The index behind this one.
    const fn after(self, index: u16) -> u16 {
        (index + 1) & (self.size - 1)
    }

    /// How far it is from one index to another.
    const fn distance(self, from: u16, to: u16) -> u16 {
        to.wrapping_sub(from) & (self.size - 1)
    }
}

#[cfg(test)]
mod tests;
