//! Messages of every interface, as flat structs with fixed offsets.
//!
//! A message is one Cap'n Proto segment without a segment table: root pointer, data section, pointer section, then the bytes
//! of its texts and data. Any Cap'n Proto implementation reads and writes it; this crate does so without walking a pointer
//! graph and without memory of its own, so that the kernel can use it on the IPC path (architecture.md, section 3).
//!
//! `wire` and `error` are written by hand, everything else comes from the `.capnp` files by `tools/gen`.
#![no_std]

pub mod error;
#[expect(
    missing_docs,
    reason = "the schema's comments are on interfaces and methods; fields are named to need none"
)]
mod generated;
pub mod wire;

pub use error::{DecodeError, EncodeError};
pub use generated::*;
pub use wire::{ANY, Decode, Empty, Encode};

/// The name of the interface with this id, if it is one of ours.
pub fn interface_name(id: u64) -> Option<&'static str> {
    INTERFACES.iter().find(|(_, known)| *known == id).map(|(name, _)| *name)
}

/// The id of the interface of this name, if there is one.
pub fn interface_id(name: &str) -> Option<u64> {
    INTERFACES.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}
