//! Boot images: everything that a machine can be started from, made of the same [`Contents`].
//!
//! - [`package()`]: the archive that a PVH boot takes as `-initrd`.
//! - [`grub::iso`] and [`grub::disk`]: GRUB loads handoff.elf by Multiboot2, with the kernel and each boot file as modules. One image
//!   boots on BIOS and UEFI; the ISO also from a USB stick.
//! - [`limine::Limine::iso`] and [`limine::Limine::disk`]: real Limine, where its binaries are on this machine.
//!
//! The same contents give the same bytes: every identifier comes from a hash of the contents, every date is [`EPOCH`], every list is
//! sorted. No loop device and no root are needed: mtools writes file systems into files, xorriso writes the ISO, the partition table is ours.

pub mod contents;
pub mod disk;
pub mod error;
pub mod fat;
pub mod grub;
mod iso;
pub mod limine;
pub mod package;
mod tool;
pub mod tree;

#[cfg(test)]
mod tests;

pub use contents::{BootFile, Contents};
pub use error::Error;
pub use package::package;

use std::path::{Path, PathBuf};

/// The date of everything in an image: 2026-01-01 00:00:00 UTC, in seconds since 1970.
pub const EPOCH: u64 = 1_767_225_600;

/// An image that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Where it is.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
}

impl Report {
    fn of(path: &Path) -> Result<Report, Error> {
        let bytes = std::fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        Ok(Report { path: path.to_owned(), bytes })
    }
}
