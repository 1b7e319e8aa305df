//! The pool that random bytes of devices are mixed into, and the mask that the processor's bytes get from it.
//!
//! Who feeds the pool is not trusted, and need not be. What leaves the source is the processor's bytes under a mask, and the mask depends on nothing
//! that those bytes depend on: whatever the pool was fed, they are no easier to guess than they were. If it is the processor
//! that can be guessed, 64 bytes that cannot are enough for the rest of the run.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

#[cfg(test)]
extern crate std;

mod blake2s;
mod pool;

pub use blake2s::KEY;
pub use pool::{FEED, Mask, Pool};
