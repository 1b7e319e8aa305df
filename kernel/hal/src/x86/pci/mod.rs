//! PCI: which functions the machine has, as they were when they were found, and a way to their configuration space.

mod access;

pub use access::Raw;

use super::acpi;
use super::boot::requests;
use crate::order::LockRank;
use crate::sync::Lock;
use crate::types::PciLine;
use alloc::vec::Vec;
use capos_pci::{Address, Bar, Function, Space, Windows};
use core::ops::RangeInclusive;
use limine::memory_map::{Entry, EntryType};
use spin::Once;

/// In the order of their addresses. What was plugged in or out since the boot is there, or is not.
static FUNCTIONS: Lock<Vec<Function>> = Lock::new(LockRank::Device, Vec::new());
/// What ports let through to their slots, where that is nothing else.
static SLOTS: Once<Vec<(Address, Windows)>> = Once::new();

/// Finds all functions, and takes from devices what they can do by themselves. On the boot CPU, while the loader's memory map is still
/// there. Nothing in the boot relies on DMA: what the loader read is in memory.
pub(super) fn init() {
    let found = crate::pci::survey(&Raw, access::open, for_each_taken);
    found.iter().for_each(|function| function.quiet(&Raw));
    SLOTS.call_once(|| slots(&found));
    *FUNCTIONS.lock() = found;
}

/// Ports with slots where things come and go, and what they let through. A window that reaches into memory is none.
fn slots(functions: &[Function]) -> Vec<(Address, Windows)> {
    let mut slots = Vec::new();
    for function in functions.iter().filter(|function| function.hot_slot().is_some()) {
        let mut windows = Windows::read(&Raw, function.address);
        for window in [&mut windows.memory, &mut windows.prefetchable] {
            if window.as_ref().is_some_and(reaches_memory) {
                *window = None;
            }
        }
        if slots.try_reserve(1).is_ok() {
            slots.push((function.address, windows));
        }
    }
    slots
}

fn reaches_memory(window: &RangeInclusive<u64>) -> bool {
    let meets = |first: u64, last: u64| first <= *window.end() && *window.start() <= last;
    let mut reaches = false;
    for_each_taken(&mut |first, last| reaches |= meets(first, last));
    reaches
}

/// Finds what was plugged into the slot of a port, gives it its place, and takes from it what it can do by itself. How many functions came.
pub fn arrive(port: u32) -> usize {
    let slot = SLOTS.get().and_then(|slots| slots.iter().find(|(at, _)| at.number() == port));
    let Some(((_, windows), bus)) = slot.zip(crate::pci::bus_behind(port)) else { return 0 };
    let mut count = 0;
    capos_pci::arrive(&Raw, bus, windows, |mut function| {
        access::open(function.address);
        let mut functions = FUNCTIONS.lock();
        for other in functions.iter_mut() {
            function.keep_off_function(other);
        }
        let place = functions.partition_point(|other| other.address < function.address);
        let known = functions.get(place).is_some_and(|other| other.address == function.address);
        if !known && functions.try_reserve(1).is_ok() {
            functions.insert(place, function);
            count += 1;
        }
    });
    count
}

/// What was behind a port is no longer there.
pub fn depart(port: u32) {
    let Some(buses) = crate::pci::find(port).and_then(|port| port.header.buses) else { return };
    FUNCTIONS.lock().retain(|function| !buses.holds(function.address));
}

/// Memory, and what the kernel has, by first and last byte.
fn for_each_taken(taken: &mut dyn FnMut(u64, u64)) {
    let memory = requests::MEMORY_MAP.get_response().map_or(&[][..], |map| map.entries());
    for entry in memory.iter().filter(|entry| is_memory(entry)) {
        taken(entry.base, entry.base.saturating_add(entry.length.saturating_sub(1)));
    }
    acpi::for_each_own(taken);
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

/// Whether a function decodes any of the ports from `first` to `last`.
pub(super) fn decodes(first: u16, last: u16) -> bool {
    let decodes = |bar: &Bar| {
        bar.space == Space::Io
            && bar.is_placed()
            && bar.base <= u64::from(last)
            && u64::from(first) <= bar.last()
    };
    FUNCTIONS.lock().iter().any(|function| function.bars.iter().flatten().any(decodes))
}

/// How many functions there are.
pub fn count() -> usize {
    FUNCTIONS.lock().len()
}

/// Function number `index`, as it was when it was found.
pub fn function(index: usize) -> Option<Function> {
    FUNCTIONS.lock().get(index).copied()
}

/// The first function at or after `cursor`.
pub fn function_at_or_after(cursor: u32) -> Option<Function> {
    let functions = FUNCTIONS.lock();
    let index = functions.partition_point(|function| function.address.number() < cursor);
    functions.get(index).copied()
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
