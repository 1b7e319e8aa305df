//! The boot package of a PVH boot: `newc` archives, read as checked views and written page aligned.
//!
//! A virtual machine monitor hands exactly one blob to the loader (`-initrd`), so `kernel.elf` and the boot files travel in one
//! archive. `newc` is the format that every such tool already knows (cpio(5), "New ASCII Format"). Two things are ours: the
//! [`Writer`] pads names with NULs so that each file's data starts on a page boundary and the kernel can map it where it lies, and the
//! [`Archive`] reader believes nothing: each number is checked against the bytes that are really there, and a fault says where.
#![no_std]

#[cfg(test)]
extern crate std;

mod header;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{Archive, CpioError, Entries, Entry, Fault};
pub use writer::{WriteError, Writer};

/// File data starts at a multiple of this in archives that [`Writer`] makes.
pub const DATA_ALIGNMENT: usize = 4096;

/// The longest name, counted with its padding, that the reader accepts.
pub const MAX_NAME_SIZE: usize = 2 * DATA_ALIGNMENT;

/// The name of the entry that ends an archive.
pub const TRAILER: &str = "TRAILER!!!";
