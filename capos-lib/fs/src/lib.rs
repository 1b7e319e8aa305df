//! Files, directories, namespaces and blobs on a volume: what is below `Volume`, `Directory`, `File` and `Store` of the schema.
//!
//! Everything is a record in the tree of a volume (capos-store), found by the number of its object; data are blocks beside it. A volume is
//! durable as a whole, by commits, and those happen between operations only: what a crash leaves is what some operations
//! in a row did, those before the last sync at least. There are no globals and no clock: time is an argument.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

extern crate alloc;

mod blob;
mod change;
mod check;
mod clean;
mod collect;
mod error;
mod fs;
#[cfg(test)]
mod generated;
pub mod key;
mod lock;
mod look;
mod name;
mod names;
mod note;
mod recent;
pub mod record;
mod rename;
mod snapshot;
mod source;
mod time;
mod truncate;
mod upgrade;
mod volume;
mod write;

pub use blob::BlobWriter;
pub use check::{Fault, Finding, Wrong, check};
pub use collect::Collected;
pub use error::{Error, NameFault};
pub use fs::Fs;
pub use key::ObjectId;
pub use look::{Listed, Listing, Run};
pub use name::{MAX_NAME, Name};
pub use names::Creation;
pub use note::Note;
pub use record::{Domain, Entry, Kind, Object};
pub use rename::Path;
pub use snapshot::Snapshot;
pub use source::Source;
pub use time::{Stamp, TimeSource};
pub use volume::{View, Volume};

#[cfg(test)]
mod tests;
