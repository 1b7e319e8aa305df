//! The driver's side of NVM Express (base specification 1.4), without touching anything: memory is a trait, registers are requests, time is an
//! argument.
//!
//! Addresses that a driver writes are tokens; who translates them, and who says where queues lie, is the kernel (`capos_dma::nvme`). A controller is
//! driven for one life of it, from one reset to the next: [`BringUp`] makes a [`Controller`] of it, which does what requests ask of its namespaces.
//! After a reset there is a new one, which knows nothing of what was in flight: who asked asks again.
//!
//! Every value from the device is hostile: it ends in a typed [`DeviceFault`] or an error of one request, never in a panic or a loop.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod admin;
mod bring_up;
mod command;
mod controller;
mod fault;
mod health;
mod identify;
mod io;
mod memory;
mod namespace;
mod queue;
mod register;
mod status;

pub use admin::Event;
pub use bring_up::{BringUp, Step, Wish};
pub use capos_dma::nvme::Layout;
pub use controller::{Controller, Counters, Finished};
pub use fault::DeviceFault;
pub use health::Health;
pub use identify::{Identity, Text};
pub use io::Refusal;
pub use memory::{Bells, Memory, Places};
pub use namespace::{Namespace, Unusable};
pub use register::Register;
pub use status::Status;

/// Bytes of a page, in which the device counts memory.
pub const PAGE: u32 = 4096;

/// Bytes of the buffer that belongs to a queue of so many entries: a list of pointers for each command, and a page behind the last, since what
/// the kernel pins for a list of ranges is as long as a page (`capos_dma::nvme`).
pub const fn own_bytes(entries: u16) -> u32 {
    (entries as u32 * memory::LIST_BYTES).next_multiple_of(PAGE) + PAGE
}
