//! What a driver may make its device do (architecture, section 8).
//!
//! A driver never writes an address. It writes **tokens**, which name a place in one of its DMA buffers, and the code here turns
//! them into what the device is given: [`pool`] for tokens, [`window`] for registers, [`virtq`], [`nvme`], [`e1000e`] and [`edu`] for what
//! devices read. Which of them a device needs, and what its registers are, is its [`class`].
//!
//! Memory is an argument, nothing is allocated after set-up, and whatever a driver or a device wrote is read once, checked, and
//! answered by an error that says whose fault it is.
#![no_std]
#![cfg_attr(
    not(any(test, fuzzing)),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)
)]

extern crate alloc;
#[cfg(any(test, fuzzing))]
extern crate std;

pub mod class;
pub mod e1000e;
pub mod edu;
pub mod memory;
pub mod nvme;
pub mod pool;
pub mod virtq;
pub mod window;
#[cfg(any(test, fuzzing))]
pub mod world;

pub use memory::{Real, Shadow};
pub use pool::{Addresses, Located, Pool, Slot, Space, TokenError};
