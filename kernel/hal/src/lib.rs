//! The machine, behind a safe API.
//!
//! This crate is the kernel's only room with unsafe code. Its callers cannot break memory safety through it: user-mappable memory is
//! [`mem::Frames`] and never holds Rust objects, frames outlive their mappings because mappings hold a [`sync::Ref`] to them, and user
//! addresses are never dereferenced.
//!
//! Two machines implement the same modules: `x86` on the target, `fake` on the host, chosen by the target alone, so that
//! `kernel-core` is tested on the host without a generic parameter anywhere.
#![no_std]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;

pub mod account;
pub mod arena;
mod atomics;
pub mod label;
pub mod lease;
mod lines;
mod lock;
pub mod order;
pub mod own;
pub mod pci;
pub mod sync;
mod types;

#[cfg(any(test, target_os = "none"))]
mod pure;

#[cfg(all(test, loom))]
mod models;

pub use capos_iommu::{Access, Fault as Refused, Reason};
pub use types::{
    BootInfo, BootModule, DmaFault, EntropyError, Fault, Handlers, IRQ_PLACES, IommuError, IommuInfo,
    IommuInterrupts, IommuKind, IommuState, IrqError, IrqInfo, IrqLine, MappedRegisters, MemError,
    MemoryRange, MessageEntry, MessagePlace, OutOfRange, PagesError, PanicAction, PciLine, Place, PortError,
    Protection, Registers, SpaceUsage, Start, SyscallHandler, TableInfo, VmError, WINDOW_MAX, Width, flags,
    message, message_source,
};

#[cfg(not(target_os = "none"))]
pub mod fake;
#[cfg(target_os = "none")]
mod x86;
/// What the real machine's IOMMU room asks of the others, so that it is tested on the host.
#[cfg(all(test, not(loom)))]
#[path = "stand_in/mod.rs"]
mod x86;

#[cfg(not(target_os = "none"))]
pub use fake::{
    acpi, boot, console, cpu, device, dma, entropy, iommu, irq, mem, panic, port, power, ring, time, user, vm,
};
#[cfg(target_os = "none")]
pub use x86::{
    acpi, boot, console, cpu, device, dma, entropy, iommu, irq, mem, panic, port, power, ring, start, time,
    user, vm,
};
