//! The ledger of devices: one record for each function, which says who has it, whether it may reach memory, and how much was given out of it;
//! and the audit log of what happened to devices.
//!
//! Nothing here touches a device. The kernel asks before it does something and says afterwards how it went, so that the order of things, and
//! what is refused when, can be tested without any.
#![no_std]

#[cfg(test)]
extern crate std;

mod books;
mod history;
mod record;
#[cfg(test)]
mod tests;

pub use books::{Books, Item, Wrong};
/// What may happen to them, as whoever reads the history knows it.
pub use capos_schema::hardware_audit_log::HardwareEvent as Event;
pub use history::{Entry, History, Read};
pub use record::{Backend, Phase, Record, Refusal, Trust};
