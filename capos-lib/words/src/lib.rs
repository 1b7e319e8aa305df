//! Command lines: what a person typed, as data.
//!
//! Words with quotes, pipelines, and grants (`with NAME=MINE`); completion and suggestions for what was mistyped. Everything
//! here is pure: the shell looks up names and does the calls.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod complete;
mod context;
mod grants;
mod line;

pub use complete::{Completion, closest, complete};
pub use context::Context;
pub use grants::{Grant, Launch, LaunchError};
pub use line::{CommandLine, LineError, split};

#[cfg(test)]
mod tests;
