//! Which blocks are free.
//!
//! A bitmap for each group of blocks says so, and three levels of nodes above the bitmaps say of each its checksum, how many blocks
//! it has taken, and which of its two copies counts. All of them lie at fixed places, each twice; who writes one writes the copy that
//! does not count. So the maps need no space of their own choosing, a mount reads none of them, and what was never written is free.
//! Between writings of the maps, superblocks carry a log of what changed.

mod layout;
mod log;
mod map;
mod state;
mod summary;

pub use layout::{GROUP, Layout, TOP};
#[cfg(test)]
pub use log::Extent;
pub use log::{LOG_MAX, Log, Span};
pub use map::Map;
pub use state::Space;
pub use summary::{Entry, FANOUT, Summary};
