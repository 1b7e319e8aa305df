//! Device models: what a driver and the kernel's translators meet when there is no machine.
//!
//! A model has registers, and reaches memory only through a [`Bus`], which translates what the device takes for an address, and keeps a
//! list of what it touched. It is strict: what a device may suppose of its driver and does not find is a *violation*, and good
//! drivers have none. It can be told to be faulty, in one way at a known moment (a script) or in any at random (a seed).

pub mod bus;
pub mod drive;
pub mod e1000e;
pub mod edu;
pub mod kernel;
pub mod media;
pub mod nvme;
pub mod virtio;
pub mod volume;

pub use bus::{Bus, Ram, Touch};
