//! Machines: QEMU's command line, its process, its monitor, and what this host can offer them.

pub mod accel;
pub mod args;
pub mod debugger;
pub mod entropy;
pub mod firmware;
pub mod guest;
pub mod kvm;
pub mod monitor;
pub mod pages;
pub mod pci;

/// The program that makes machines.
pub fn qemu() -> String {
    std::env::var("QEMU").unwrap_or_else(|_| "qemu-system-x86_64".into())
}
