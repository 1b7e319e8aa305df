//! Scheduling as data structures: who runs next ([`RunQueue`]), what is due when ([`Deadlines`]), who has had its share ([`Bucket`]),
//! and which processors have nothing to do ([`Idlers`]).
//!
//! None knows a clock or a CPU. Room is made when a thread or a timer is created, where running out of memory can be answered;
//! making something ready, picking it and taking it out again never allocates and costs the same however many there are.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bucket;
pub mod deadlines;
pub mod idlers;
pub mod loans;
pub mod priority;
pub mod run_queue;

pub use bucket::{Bucket, PERIOD_NS};
pub use deadlines::{Deadlines, Key};
pub use idlers::{Idlers, Placed};
pub use loans::Loans;
pub use priority::{Priority, Rank, ReadyBitmap};
pub use run_queue::{Handle, RunQueue};

/// The kernel heap has no room. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;
