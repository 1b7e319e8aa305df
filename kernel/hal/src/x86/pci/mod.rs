//! PCI: which functions the machine has, as they were at boot, and a way to their configuration space.

mod access;

pub use access::Raw;

use super::acpi;
use super::boot::requests;
use crate::types::PciLine;
use alloc::vec::Vec;
use capos_pci::{Function, Space, walk};
use limine::memory_map::{Entry, EntryType};
use spin::Once;

/// In the order of their addresses.
static FUNCTIONS: Once<Vec<Function>> = Once::new();

/// Finds all functions, and takes from devices what they can do by themselves. On the boot CPU, while the loader's memory map is still
/// there. Nothing in the boot relies on DMA: what the loader read is in memory.
pub(super) fn init() {
    FUNCTIONS.call_once(|| {
        let mut found = Vec::new();
        walk(&Raw, |at, _| {
            access::open(at);
            if let Some(function) = Function::read(&Raw, at)
                && found.try_reserve(1).is_ok()
            {
                found.push(function);
            }
        });
        found.iter().for_each(|function| function.quiet(&Raw));
        keep_apart(&mut found);
        found
    });
}

/// Whoever gets the registers of a device must get nothing else: neither memory nor what the kernel or another device has there.
fn keep_apart(functions: &mut [Function]) {
    let memory = requests::MEMORY_MAP.get_response().map_or(&[][..], |map| map.entries());
    for function in functions.iter_mut() {
        for entry in memory.iter().filter(|entry| is_memory(entry)) {
            function.keep_off(entry.base, entry.base.saturating_add(entry.length.saturating_sub(1)));
        }
        acpi::for_each_own(&mut |first, last| function.keep_off(first, last));
    }
    for index in 1..functions.len() {
        let (before, rest) = functions.split_at_mut(index);
        let Some(function) = rest.first_mut() else { return };
        for other in before {
            function.keep_off_function(other);
            other.keep_off_function(function);
        }
    }
}

fn is_memory(entry: &Entry) -> bool {
    [
        EntryType::USABLE,
        EntryType::BOOTLOADER_RECLAIMABLE,
        EntryType::EXECUTABLE_AND_MODULES,
        EntryType::ACPI_RECLAIMABLE,
        EntryType::ACPI_NVS,
    ]
    .contains(&entry.entry_type)
}

fn functions() -> &'static [Function] {
    FUNCTIONS.get().map_or(&[], |functions| functions)
}

/// Ports that functions decode, ends included.
pub(super) fn ports() -> impl Iterator<Item = (u16, u16)> {
    let bars = functions().iter().flat_map(|function| function.bars.iter().flatten());
    bars.filter(|bar| bar.space == Space::Io && bar.is_placed()).filter_map(|bar| {
        let first = u16::try_from(bar.base).ok()?;
        let last = u16::try_from(bar.size - 1).ok()?;
        Some((first, first.saturating_add(last)))
    })
}

/// How many functions there are.
pub fn count() -> usize {
    functions().len()
}

/// Function number `index`, as it was at boot.
pub fn function(index: usize) -> Option<Function> {
    functions().get(index).copied()
}

/// The first function at or after `cursor`.
pub fn function_at_or_after(cursor: u32) -> Option<Function> {
    let index = functions().partition_point(|function| function.address.number() < cursor);
    function(index)
}

/// Where the interrupt line of a function arrives. `None` if it has none, or firmware did not wire it.
///
/// Firmware writes down the line of the old interrupt controllers that it wired the function to (PCI 3.0, 6.2.4), and the MADT says where that
/// one arrives and how it signals: on QEMU 5, 9, 10 and 11 are wired one to one, by level and active high (flags 0x0d). Chipsets wire the
/// same line to an input of its own as well (q35: 16 to 23), about which only AML would tell; that one stays masked.
pub fn line(address: u32) -> Option<PciLine> {
    let header = crate::pci::find(address)?.header;
    match header.line {
        _ if header.pin == 0 => None,
        // The timer, and the cascade of the old controllers: nothing is wired there. 255 says so.
        0 | 2 | 255 => None,
        irq => Some(acpi::pci_line(irq)),
    }
}
