//! What block devices are asked, and how they answer: the entries of the two queues of a session (schema/block_device.capnp), and the books of
//! what is in flight.
//!
//! Drivers and the block service speak the same language to their clients. Each side takes what the other wrote for hostile: an entry is decoded
//! from a private copy, and what it cannot mean is a [`Status`] to its author.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod asked;
mod completion;
pub mod content;
mod geometry;
mod request;
pub mod route;
pub mod target;

pub use asked::Asked;
pub use capos_pending::{Pending, Tag};
pub use completion::{Completion, Status};
pub use geometry::Geometry;
pub use request::{Operation, Request};

/// Words of an entry, of requests and of completions: a cache line each.
pub const WORDS: usize = 8;

/// Most entries of a session's queues, and the least.
pub const DEPTHS: core::ops::RangeInclusive<u32> = 1..=1024;
