//! A server of HTTP/1.1 (RFC 9110 and 9112) without sockets and without a clock: bytes of one connection in, requests out, answers in, bytes out.
//!
//! Peers are hostile. What they may send has limits and what they may take has deadlines ([`Limits`]); whatever two servers could read in different
//! ways is refused. An answer has no field that a peer's bytes could get into, so none can be split ([`Response`]). Who may ask for what is for
//! [`Guard`] to say.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod asset;
mod authority;
mod body;
mod connection;
mod fault;
mod guard;
mod head;
mod response;
mod scan;
mod target;

#[cfg(test)]
mod tests;

pub use asset::{Asset, Tag, asset};
pub use authority::Authority;
pub use connection::{Connection, Limits, Request};
pub use fault::Fault;
pub use guard::{Guard, Refusal, Token, WeakToken};
pub use head::{Head, Method};
pub use response::{Body, Media, Response, Status};
pub use target::{Target, decoded};
