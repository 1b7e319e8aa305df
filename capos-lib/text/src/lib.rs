//! Text for people and for programs: aligned columns, sizes, times, and JSON lines.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod exposition;
mod json;
mod name;
mod report;
mod symbol;
mod table;
mod units;

pub use exposition::{Does, Exposition, Sample};
pub use json::Object;
pub use name::{is_plain, shown};
pub use report::{Report, Value};
pub use symbol::symbol;
pub use table::{Align, Table};
pub use units::{duration, http_date, pages, size, timestamp};

#[cfg(test)]
mod tests;
