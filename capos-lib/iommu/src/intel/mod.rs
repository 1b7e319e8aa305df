//! Intel's units (VT-d).

mod capability;
mod command;
mod entries;
mod fault;
mod interrupt;
pub mod register;

pub use capability::{Capabilities, Unusable};
pub use command::{Command, wait};
pub use entries::{context, root};
pub use fault::{IN_USE, fault};
pub use interrupt::{interrupt_entry, io_apic_entry, message};
