//! Volumes: what a disk holds so that nothing is lost that was said to be safe.
//!
//! A volume is one copy-on-write tree from keys to records, and blocks of data that records point to. Nothing that a commit needs is
//! ever overwritten: changes go to free blocks, and then one superblock makes all of them count, or none. Every pointer carries the
//! checksum of what it leads to, so what the disk spoils is noticed and named. Snapshots keep what a commit had.
//!
//! Pure: the disk is an argument ([`Disk`]), and so is the randomness of a volume's name. One thread at a time; memory is bounded by
//! [`Limits`]. Decision 0031 says why it is so.
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod cache;
mod check;
mod disk;
mod error;
mod generated;
mod node;
mod pointer;
mod space;
mod superblock;
mod tree;
mod volume;

#[cfg(test)]
mod tests;

pub use check::{Finding, Findings};
pub use disk::{BLOCK, Disk, DiskError, Write};
pub use error::{Fault, StoreError};
pub use node::{KEY_MAX, VALUE_MAX};
pub use pointer::{Pointer, checksum};
pub use superblock::{SlotState, Slots};
pub use tree::Change;
pub use volume::{
    Limits, Mounted, NOTE_MAX, Need, SNAPSHOTS_MAX, Snapshot, SpaceReport, View, Volume, format, is_blank,
};
