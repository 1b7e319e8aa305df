//! The ACPI tables that the kernel needs, as checked views of firmware's bytes (ACPI specification 6.5, chapter 5).
//!
//! Physical memory is an argument ([`Memory`]): this crate maps nothing and follows no address by itself, which keeps it free of
//! unsafe code and lets tests and fuzzers hand it any machine. There is no AML interpreter; of AML only the `_S5_` package is
//! looked for, since switching the machine off takes nothing more. See docs/decisions/0005-own-acpi-table-parser.md.
#![no_std]

#[cfg(test)]
extern crate std;

mod bytes;
mod dmar;
mod error;
mod facts;
mod fadt;
mod gas;
mod hpet;
mod ivhd;
mod ivrs;
mod madt;
mod mcfg;
mod power;
mod rsdp;
mod scope;
mod sleep;
mod table;
mod tables;
#[cfg(test)]
mod tests;

pub use dmar::{Dmar, DmarEntry, RemappingUnit, ReservedMemory};
pub use error::{AcpiError, Signature};
pub use facts::{Say, facts};
pub use fadt::{Fadt, PortBlock};
pub use gas::{AddressSpace, GenericAddress};
pub use hpet::Hpet;
pub use ivhd::{Devices, IvhdEntry, SpecialKind};
pub use ivrs::{DefinedMemory, Iommu, Ivrs, IvrsBlock, MemoryAccess};
pub use madt::{IsaRoute, Madt, MadtEntry, Signalling};
pub use mcfg::{EcamWindow, Mcfg};
pub use power::{RegisterWrite, soft_off};
pub use rsdp::{RSDP_MAX, Rsdp};
pub use scope::{DeviceScope, ScopeKind, Scopes};
pub use sleep::{SleepType, find_s5};
pub use table::{HEADER_LEN, Table};
pub use tables::{Memory, Tables};
