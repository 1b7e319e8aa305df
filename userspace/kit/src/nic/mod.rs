//! Network devices: how they are used, and how they are served (schema/nic.capnp, capos-lib/nic).
//!
//! [`Session`] is for who uses one. [`Server`] is all of a driver but the device, which is a [`Nic`].

mod client;
mod device;
mod drive;
mod engine;
mod server;
mod session;

pub use client::Session;
pub use device::{Busy, Description, Device, Fault, Fronts, Link, Nic, Over};
pub use drive::start;
pub use server::Server;
