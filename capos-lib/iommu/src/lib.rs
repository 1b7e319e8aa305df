//! What IOMMUs read and write: tables that translate what devices address, commands, faults, and entries of interrupts.
//!
//! Two kinds: Intel's (VT-d, "Intel Virtualization Technology for Directed I/O", 5.0; the sections below are of that) and AMD's (AMD-Vi, "AMD I/O
//! Virtualization Technology (IOMMU) Specification", 48882, 3.09). Nothing here touches a register: memory for tables is an argument
//! ([`Memory`]), and everything else is numbers in and numbers out. What a unit gets and when is the machine's room's matter.
//!
//! Of both only what the kernel uses: no PASIDs, no page requests, no device TLBs (a device that translates for itself would have to be
//! believed), no first-stage tables.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod amd;
mod fault;
pub mod intel;
mod memory;
mod tables;
#[cfg(test)]
mod tests;

pub use fault::{Access, Fault, Reason};
pub use memory::Memory;
pub use tables::{Format, MapError, Tables};

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Where writes of a device are interrupts, not memory, whatever its tables say (3.14; 48882, 2.1.3): nothing is mapped there.
pub const INTERRUPTS: core::ops::Range<u64> = 0xfee0_0000..0xfef0_0000;

/// Entries of a table of interrupts, of which the kernel uses those whose numbers are vectors: a vector has one owner in the whole machine,
/// and so has the entry of its number.
pub const INTERRUPT_ENTRIES: usize = 256;

/// An interrupt as a processor gets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupt {
    /// The vector.
    pub vector: u8,
    /// The id of the processor's local APIC.
    pub destination: u32,
    /// Whether the line signals by level.
    pub level: bool,
}

/// What a device writes to raise an interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Where.
    pub address: u32,
    /// What.
    pub data: u32,
}
