//! The real machine: x86_64 as the Limine protocol hands it over.

pub mod acpi;
mod apic;
pub mod boot;
pub mod console;
pub mod cpu;
mod debug;
pub mod device;
pub mod dma;
pub mod entropy;
pub mod iommu;
pub mod irq;
pub mod mem;
mod message;
pub mod order;
mod paging;
pub mod panic;
pub mod pci;
pub mod port;
pub mod power;
pub mod ring;
mod smp;
pub mod start;
pub mod time;
mod traps;
pub mod user;
pub mod vm;
