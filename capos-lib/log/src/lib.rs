//! The kernel log without the kernel: a bounded buffer that overwrites its oldest records, readers with cursors that learn what
//! they missed, and a token bucket that keeps one writer from drowning the others.
//!
//! Time is an argument. Nothing here allocates, so the log works from the first line of boot to the last line of a panic.
#![no_std]

#[cfg(test)]
extern crate std;

mod budget;
mod bytes;
mod record;
mod ring;
#[cfg(test)]
mod tests;

pub use budget::LogBudget;
pub use record::{Level, NewRecord, RECORD_OVERHEAD, Record};
pub use ring::LogRing;
