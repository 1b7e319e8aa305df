//! The loader's decisions, without the machine.
//!
//! `handoff` is entered by PVH or Multiboot2 and leaves by the Limine boot protocol (architecture section 9), so the kernel cannot
//! tell it from Limine. Everything that reads foreign bytes is here, in safe code with host tests: boot information ([`pvh`],
//! [`multiboot2`]), firmware tables ([`acpi`], [`efi`], [`smbios`]), the kernel's file ([`elf`]) and its requests ([`limine`]); and so
//! is the arithmetic of memory ([`map`], [`paging`]). The binary beside it does the reading and writing and the jump.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod acpi;
pub mod boot;
pub mod bytes;
pub mod clock;
pub mod efi;
pub mod elf;
pub mod limine;
pub mod map;
pub mod multiboot2;
pub mod paging;
pub mod physical;
pub mod pvh;
pub mod refusal;
pub mod smbios;

pub use refusal::Refusal;

/// Size of a page.
pub const PAGE: u64 = 4096;

/// Where the higher half direct map starts: the lowest address of the upper half with four-level paging.
pub const HHDM: u64 = 0xffff_8000_0000_0000;

/// The protocol loads kernels at or above this address.
pub const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

/// What the loader calls itself in the bootloader info response.
pub const NAME: &str = "handoff";

/// The version in the bootloader info response.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
