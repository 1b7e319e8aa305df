//! The network stack without its IO: sockets ([`stack`]), who may reach what ([`scope`]), which names are known ([`names`]), and what time it is
//! ([`sntp`]). The protocols are smoltcp's.
//!
//! Packets are hostile: each word of one is read once, and what can not be is a typed error.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod dns;
pub mod frame;
pub mod names;
pub mod routers;
pub mod scope;
pub mod sntp;
pub mod stack;
