//! ELF64 for x86_64, as far as a capability kernel needs it: load segments of static programs,
//! relocations of position-independent ones, and symbols for backtraces.
//!
//! Input is untrusted. Headers are parsed from a private copy of the file's first bytes ([`HEADER_MAX`]), so that the owner of the
//! file cannot change them between check and use. See the System V ABI, chapters 4 and 5, and its AMD64 supplement.
#![no_std]

#[cfg(test)]
extern crate std;

mod bytes;
mod header;
mod policy;
mod relocation;
mod segment;
mod symbols;
#[cfg(test)]
mod tests;

pub use header::{ElfError, HEADER_MAX, Image, Kind};
pub use policy::check_user;
pub use relocation::{Relocation, Relocations};
pub use segment::{Access, Segment, Segments};
pub use symbols::Symbols;
