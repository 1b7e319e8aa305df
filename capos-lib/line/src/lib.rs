//! Line editing for terminals: bytes as typed go in, bytes for the screen come out.
//!
//! No IO, no clock: [`Keys`] turns bytes into keys, [`Editor`] turns keys into an edited line and into what the terminal must
//! show. Used by the shell (with history and completion) and by the console service's `readLine`.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod editor;
mod history;
mod keys;
mod screen;

pub use editor::{Editor, MAX_LINE, Outcome};
pub use history::History;
pub use keys::{Key, Keys};

#[cfg(test)]
mod tests;
