//! Block devices: how they are used, and how they are served (schema/block_device.capnp, capos-lib/block).
//!
//! [`Client`] is for who uses one: it has a session with whoever serves the device, and with the next one. [`Server`] is all of a driver but the device,
//! which is a [`Disk`]; each of its clients has a [`Port`](crate::port::Port).

mod client;
mod disk;
mod engine;
mod memory;
mod queues;
mod server;
mod session;

use session::Session;

pub use client::{Client, IoError};
pub use disk::{Description, Disk, Over, Refusal};
pub use server::Server;
pub use session::{continues, geometry, queues_size};

/// What a device says of its health: see `BlockDevice.health`.
pub use rt::schema::block_device::HealthResults as Health;

/// Why the other side of a session is of no use any more.
pub use crate::queue::End;
