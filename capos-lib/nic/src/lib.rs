//! What network devices are asked, and how they answer: the entries of the two queues of a session (schema/nic.capnp), and the books of what is in
//! flight.
//!
//! A session has its device to itself. Its client arms buffers, which come back filled, and gives frames to be sent. Frames may be lost: what was to be sent when the
//! device had to be reset is not sent again, and buffers that were armed then are armed again.
//!
//! Each side takes what the other wrote for hostile: an entry is decoded from a private copy, and what it can not mean is a [`Status`] to its author.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod books;
mod card;
mod completion;
mod request;
#[cfg(test)]
mod tests;

pub use books::{Ask, Books, BufferError, Filled, Stray};
pub use capos_pending::Tag;
pub use card::{ALIGN, Card, Offloads};
pub use completion::{Completion, Status};
pub use request::{Checksum, Operation, Request, Segments};

/// Words of an entry, of requests and of completions: a cache line each.
pub const WORDS: usize = 8;

/// Most entries of a session's queues, and the least.
pub const DEPTHS: core::ops::RangeInclusive<u32> = 2..=1024;

/// Bytes of an Ethernet header (IEEE 802.3, 3.1.1): two addresses and a type.
pub const ETHERNET: u32 = 14;
