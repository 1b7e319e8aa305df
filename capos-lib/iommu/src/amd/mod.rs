//! AMD's units (AMD-Vi). Section numbers are those of 48882, 3.09.

mod command;
mod device;
mod event;
mod interrupt;
pub mod register;

pub use command::{Command, wait};
pub use device::DeviceEntry;
pub use event::event;
pub use interrupt::{interrupt_entry, io_apic_entry, message};
