//! What probes share: reports through the test port, children made from boot files, and the audit of what is left behind.
//!
//! A probe says what it saw (numbers, codes, values); the lab case says what that has to be.
#![no_std]

extern crate alloc;

pub mod audit;
pub mod bare;
pub mod child;
pub mod echo;
pub mod keeper;
pub mod killer;
pub mod options;
pub mod report;

pub use audit::Audit;
pub use capos_mutate as mutate;
pub use child::{Limits, Nursery, factory};
pub use keeper::{Driver, Keeper, Unborn};
pub use killer::Killer;
pub use options::number;
pub use report::{Fields, Report};
