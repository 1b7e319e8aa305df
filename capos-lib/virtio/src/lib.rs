//! The driver's side of virtio 1.2, without touching anything: memory is a trait, registers are requests, time is an argument.
//!
//! Addresses that a driver writes are tokens; who translates them, and who programs a queue's addresses, is the kernel (architecture,
//! section 8). Every value from the device is hostile: it ends in a typed [`DeviceFault`], never in a panic or a loop.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

pub mod blk;
mod config;
mod fault;
mod interface;
pub mod layout;
pub mod net;
pub mod register;
pub mod rng;
pub mod split;
pub mod transport;

pub use fault::DeviceFault;
pub use interface::Interface;
pub use layout::Layout;
pub use transport::{Choice, Step, Transport, Wish};

#[cfg(test)]
mod tests;
