//! Partitions of a disk as GPT and MBR have them (UEFI 2.10, chapter 5), in sectors of 512 or 4,096 bytes.
//!
//! Nothing here reads: [`Reader`] says which sectors it wants, is given them or told that they cannot be read, and has a [`Table`] in the end or a
//! [`Refusal`]. Two copies of the table are on a disk. One that is damaged (unreadable, or its checksums are wrong) leaves the other in charge, and the table
//! says so. One that is sound and says nonsense is refused, whatever the other says: somebody wrote that, and the other may be older. The older table,
//! in the first sector, counts where there is none of GPT.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
mod fault;
mod header;
mod mbr;
mod partition;
mod reader;
mod table;

#[cfg(test)]
mod tests;

pub use fault::{Fault, Refusal};
pub use partition::{Name, Partition};
pub use reader::{Reader, Wanted};
pub use table::{Copy, Table};
pub use uguid::Guid;

/// Reads that it takes at most: of GPT the first sector, two headers and two arrays; else a chain of tables instead of the arrays.
pub const READS_MAX: usize = 3 + mbr::TABLES_MAX;

/// Bytes that an array of entries may have: 1,024 entries of the usual size. Usual are 128 of them.
pub const ARRAY_MAX: u32 = 128 << 10;
