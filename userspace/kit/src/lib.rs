//! What drivers and services share: registers, interrupt waits, memory that devices use, the loop of a server.
//!
//! A driver is a pure core in `capos-lib` and a shell of about 200 lines over this crate (architecture, section 1).
#![no_std]

extern crate alloc;

pub mod asker;
pub mod block;
pub mod clock;
pub mod control;
pub mod device;
pub mod dma;
pub mod facets;
pub mod irq;
pub mod listing;
pub mod memory;
pub mod nic;
pub mod port;
pub mod ports;
pub mod queue;
pub mod service;
pub mod virtio;
