//! The ring protocol (architecture section 3): how a thread and the kernel exchange submissions, completions and messages through
//! one pinned block of memory.
//!
//! The block is shared between two protection domains that do not trust each other. The kernel's end ([`KernelRing`]) assumes that
//! every byte may change at any time: it validates the two indices that the user writes, reads each word of a submission exactly
//! once, and keeps its own two indices to itself. The user's end ([`UserRing`]) trusts the kernel.
//!
//! # Soundness
//! All access to the block is by atomic operations (or, for long copies, one machine instruction that the compiler cannot see
//! into), never by references to plain memory. So concurrent writes by the other side are defined behaviour: they may give nonsense
//! values, and every value is a valid integer. This is the one room of `capos-lib` with unsafe code, so the raw access to the memory
//! of shared queues ([`SharedSlots`]) is here, too.
#![no_std]

#[cfg(test)]
extern crate std;

mod entry;
mod kernel;
#[cfg(not(all(test, loom)))]
mod shared;
mod sync;
mod user;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub use kernel::{KernelRing, Kind, OutOfArena, Queued, RingFault, Span};
#[cfg(not(all(test, loom)))]
pub use shared::{BadShape, Index, SharedSlots};
pub use user::{QueueFull, UserRing, Vacancy};
