//! Media that others wrote: FAT12, FAT16, FAT32, and ISO 9660 with Rock Ridge or Joliet, to be read and not to be changed.
//!
//! The formats themselves are read by the crates `hadris-fat` and `hadris-iso` (decision 0035). What is here makes of them something that can be
//! served: any number of tasks look at a time, each look does a bounded work in bounded memory whatever the medium says, folders are listed in
//! one order, and bytes of files are found without walking to them from the beginning each time. What can not be is a typed error, and the
//! rest stays readable.
//!
//! Pure: where the bytes come from is an argument ([`Source`]). One thread.
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod chain;
mod error;
mod fat;
mod folder;
mod iso;
mod media;
mod medium;
mod source;
mod time;

#[cfg(test)]
mod tests;

pub use error::{Damage, Error};
pub use folder::{Entry, Kind, Listing};
pub use media::{Directory, File, Format, Media};
pub use source::{Source, SourceError};
