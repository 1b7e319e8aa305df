//! What the kernel tells of processors, processes, threads and capabilities (`Inspector` in schema/inspector.capnp): records of a fixed
//! size, and what follows from them.
//!
//! The kernel writes a [`Page`], who asked reads [`Records`]. All numbers are little endian. What a reader does not know of yet may follow
//! in a record: so a record has the length that came with it, and at least that which the reader knows.
//!
//! An id in a record names something to people and to other records. It is no handle: what may be called is decided by the caller's own
//! table, and the numbers of slots there mean nothing in any other.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
mod capability;
mod graph;
mod page;
mod process;
mod processor;
mod reading;
#[cfg(test)]
mod tests;
mod thread;

pub use bytes::{Reader, Writer};
pub use capability::{Capability, Kind, Leaves, Origin, Slot};
pub use graph::{Graph, Tie};
pub use page::{Malformed, Page, Record, Records};
pub use process::{End, Life, Name, Process, RESOURCES, Use};
pub use processor::Processor;
pub use reading::{Place, Reading};
pub use thread::{Activity, Thread};
