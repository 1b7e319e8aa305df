//! Nodes of a tree: slotted pages of one block, read where they lie.
//!
//! `"node"`, level (one byte, 0 for a leaf), three zero bytes, then as 16-bit little-endian numbers: how many entries, where the
//! lowest of them begins, their bytes together, zero. Behind this header lie the offsets of the entries in the order of their keys,
//! and at the page's end the entries: lengths of key and value (16 bits each), key, value. Values of inner nodes are pointers; keys
//! below one are not smaller than the key before it, and smaller than the next one. The first key of an inner node is empty.

mod check;
mod edit;
mod page;

pub use check::{Expected, validate};
pub use page::Page;

/// Longest key.
pub const KEY_MAX: usize = 320;
/// Longest value.
pub const VALUE_MAX: usize = 1536;
/// No tree is as high: even nodes with the longest keys have eleven children.
pub const LEVEL_MAX: u8 = 16;

/// Bytes before the offsets.
const HEADER: usize = 16;
/// Bytes for entries and their offsets.
pub const CAPACITY: usize = crate::disk::BLOCK - HEADER;
/// Lengths of key and value.
const LENGTHS: usize = 4;
/// Bytes of an entry's offset.
const SLOT: usize = 2;
const TAG: [u8; 4] = *b"node";

/// Bytes that an entry takes, with its offset.
pub const fn entry_size(key: &[u8], value: &[u8]) -> usize {
    SLOT + LENGTHS + key.len() + value.len()
}

// After a split both halves and one more entry fit: see `Split`.
const _: () = assert!(SLOT + LENGTHS + KEY_MAX + VALUE_MAX <= CAPACITY / 2);
