//! A disk that the host serves to a machine, by the protocol of Linux's network block devices on a socket.
//!
//! Unlike a file it has a cache that is lost when the plug is pulled: of what was written since the last flush any part may be gone, and
//! sectors may be torn. And it notes in a [`log`](mod@log) what it was told, in which order, and what it had answered by then, so that all other states
//! can be looked at, too, in which a machine could have stopped. And it has what is wrong with disks, when it is told so: see `trouble`.

pub mod log;
mod media;
mod protocol;
mod server;
mod trouble;

pub use server::{Marker, Server};

#[cfg(test)]
mod tests;
