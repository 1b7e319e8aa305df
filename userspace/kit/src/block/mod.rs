//! Block devices: how they are used, and how they are served (schema/block_device.capnp, capos-lib/block).
//!
//! [`Session`] is a client's end of the two queues, [`Port`] the server's. [`Client`] is for who wants to read and write and nothing else. [`Server`] is
//! all of a driver but the device, which is a [`Disk`].

mod client;
mod disk;
mod engine;
mod memory;
mod port;
mod queues;
mod server;
mod session;

pub use client::{Client, IoError};
pub use disk::{Description, Disk, Health, Over, Refusal};
pub use engine::Stop;
pub use memory::Finder;
pub use port::Port;
pub use server::{Extent, Server};
pub use session::{Session, queues_size};

/// Why the other side of a session is of no use any more.
pub use crate::queue::End;
