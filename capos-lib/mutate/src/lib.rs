//! Hostile input, repeatable by seed: numbers at the edges of their range, submissions and ELF images that are almost right.
//!
//! Probes feed it to the real kernel; tests and fuzzers on the host use the same. No clock, no globals: a seed is all there is.
#![no_std]

pub mod elf;
pub mod rng;
pub mod sqe;

pub use elf::{Patch, Patches};
pub use rng::Rng;
pub use sqe::Knowledge;
