//! PCI configuration space, read without believing it: headers, base address registers and their sizes, capabilities, and the buses
//! behind bridges (PCI Local Bus 3.0; PCI Express Base 5.0, chapter 7; virtio 1.2, 4.1).
//!
//! Configuration space is an argument ([`Config`]), so this crate touches no hardware, and tests and fuzzers hand it any. A device says
//! about itself what it likes: every list ends, every register block lies inside of what the device decodes, and what cannot be is a
//! [`Fault`] of the function and of no other.
#![no_std]

#[cfg(not(any(target_os = "none", capos)))]
extern crate std;

mod address;
pub mod bar;
pub mod capability;
mod config;
mod describe;
mod express;
mod fault;
mod function;
mod header;
mod message;
#[cfg(not(any(target_os = "none", capos)))]
pub mod model;
mod plug;
mod power;
mod seat;
mod shown;
#[cfg(test)]
mod tests;
pub mod virtio;
mod walk;

pub use address::Address;
pub use bar::{Bar, Bars, Space};
pub use config::{COMMAND, Config, change_command, command};
pub use express::{Express, Port, Slot, SlotState};
pub use fault::Fault;
pub use function::Function;
pub use header::{Buses, Header};
pub use message::{Msi, MsiX};
pub use plug::{Windows, arrive};
pub use power::PowerManagement;
pub use seat::{Act, Seat, Seen};
pub use shown::Shown;
pub use walk::walk;
