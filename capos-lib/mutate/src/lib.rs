//! Hostile input, repeatable by seed: numbers at the edges of their range, submissions, frames and ELF images that are almost
//! right, and patterns that betray where something went.
//!
//! Probes feed it to the real kernel; tests and fuzzers on the host use the same. No clock, no globals: a seed is all there is.
#![no_std]

pub mod elf;
pub mod frame;
pub mod pattern;
pub mod rng;
pub mod sqe;

pub use elf::{Patch, Patches};
pub use pattern::Pattern;
pub use rng::Rng;
pub use sqe::Knowledge;
