//! The driver's side of Intel's network adapter 82574L, without touching anything: memory is a trait, registers are requests, time is an argument.
//!
//! Addresses that a driver writes are tokens; who translates them, and who says where rings lie, is the kernel (`capos_dma::e1000e`). An adapter is driven for one life of it, from
//! one reset to the next: [`BringUp`] makes an [`Adapter`] of it. Buffers that it had when it had to be reset are armed again by whoever gave them; frames that were
//! to be sent then may be lost, as on any Ethernet.
//!
//! Every value from the device is hostile: it ends in a typed [`DeviceFault`], never in a panic or a loop.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod adapter;
mod bring_up;
mod fault;
mod register;
mod ring;

pub use adapter::{Adapter, Bells, Checksum, Done, FURTHEST, Filter, Frame, LOOK_NS, Refusal, TIMEOUT_NS};
pub use bring_up::{BringUp, Step};
pub use capos_dma::e1000e::{LONGEST, Layout, RECEIVE, ROOM, SEND, bits};
pub use capos_pending::Tag;
pub use fault::DeviceFault;
pub use register::{
    CAUSES, CAUSES_SET, CONTROL, GROUPS, Link, RECEIVE_CONTROL, RECEIVE_TAIL, Register, SEND_CONTROL,
    SEND_TAIL, STATUS, cause,
};
pub use ring::Memory;
