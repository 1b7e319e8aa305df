//! What drivers and services share: typed register windows, interrupt waits, the loop of a server.
//!
//! A driver is a pure core in `capos-lib` and a shell of about 200 lines over this crate (architecture, section 1). Register
//! windows into mapped memory and DMA buffers join here with the device manager; today devices are reached through ports.
#![no_std]

extern crate alloc;

pub mod control;
pub mod irq;
pub mod ports;
pub mod queue;
pub mod service;
