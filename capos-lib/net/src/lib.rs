//! What a network stack decides beside the protocols: who may reach what ([`scope`]), which names are known ([`names`]), and what time it is
//! ([`sntp`]).
//!
//! Packets are hostile: each word of one is read once, and what can not be is a typed error.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod names;
pub mod scope;
pub mod sntp;
