//! ACPI: what the firmware says about the machine, read once at boot. A machine without it, or with tables that do not hold
//! together, gets the defaults that every PC has.

mod register;

use super::apic::io::{self, Trigger};
use super::boot::requests;
use super::cpu::probe::features;
use super::mem::phys;
use super::paging::{PAGE, mmio};
use crate::types::{PciLine, TableInfo};
use alloc::vec::Vec;
use capos_acpi::{
    Dmar, Fadt, Hpet, IsaRoute, Ivrs, Madt, MadtEntry, Mcfg, Memory, RSDP_MAX, RegisterWrite, Rsdp, Say,
    Signalling, Table, Tables, facts as facts_of, soft_off as find_soft_off,
};
use register::write;
use spin::Once;
use x86_64::instructions::port::Port;

/// Where PCs have their first I/O interrupt controller.
const IO_APIC: u64 = 0xfec0_0000;

/// Where messages to processors go, and with them the local interrupt controllers (Intel SDM vol. 3, 10.11.1).
const MESSAGES: (u64, u64) = (0xfee0_0000, 0xfeef_ffff);
/// Registers of an IOMMU of AMD's (specification 48882, 3.4).
const AMD_UNIT: u64 = 16 << 10;
const ISA_LINES: u8 = 16;

/// What was found.
struct Found {
    /// Those that are sound. Looking at memory maps it, so that is done once.
    tables: Vec<Table<'static>>,
    fadt: Option<Fadt<'static>>,
    madt: Option<Madt<'static>>,
    hpet: Option<u64>,
    soft_off: Option<[Option<RegisterWrite>; 2]>,
    ports: Vec<(u16, u16)>,
}

static FOUND: Once<Found> = Once::new();
static MEMORY: Memory<'static> = &read;

/// Firmware's bytes at a physical address.
fn read(address: u64, length: usize) -> Option<&'static [u8]> {
    let end = address.checked_add(length as u64)?;
    if end > 1 << features().physical_bits {
        return None;
    }
    // SAFETY: firmware's tables do not change; where there are none the bytes make no table.
    let bytes = unsafe { mmio::view(address, length) };
    (bytes.len() == length).then_some(bytes)
}

/// Reads the tables. On the boot CPU, while the loader's answers are still there.
pub(super) fn init() {
    let Some(tables) = find_tables() else { return };
    let fadt = tables.find(b"FACP").and_then(|table| Fadt::parse(table).ok());
    let madt = tables.find(b"APIC").and_then(|table| Madt::parse(table).ok());
    let hpet = tables.find(b"HPET").and_then(|table| Hpet::parse(table).ok()).map(|hpet| hpet.address);
    let soft_off = fadt.as_ref().and_then(|fadt| find_soft_off(&tables, fadt));
    let mut ports = Vec::new();
    for block in fadt.iter().flat_map(Fadt::ports) {
        if ports.try_reserve(1).is_ok() {
            ports.push((block.base, block.base.saturating_add(block.length - 1)));
        }
    }
    let mut sound = Vec::new();
    for table in tables.iter().flatten() {
        if sound.try_reserve(1).is_ok() {
            sound.push(table);
        }
    }
    FOUND.call_once(|| Found { tables: sound, fadt, madt, hpet, soft_off, ports });
}

impl Found {
    fn find(&self, name: &[u8; 4]) -> Option<Table<'static>> {
        self.tables.iter().find(|table| table.signature().0 == *name).copied()
    }
}

fn find_tables() -> Option<Tables<'static>> {
    let address = requests::RSDP.get_response()?.address() as u64;
    // Up to base revision 2 the loader gives an address in its direct map; from 3 on a physical one.
    let address = address.checked_sub(phys::offset()).unwrap_or(address);
    let rsdp = Rsdp::parse(read(address, RSDP_MAX)?).ok()?;
    Tables::of(&rsdp, MEMORY).ok()
}

/// Sets up all I/O interrupt controllers.
pub(super) fn init_interrupts() {
    let mut lines = 0;
    for entry in FOUND.get().and_then(|found| found.madt).iter().flat_map(Madt::entries) {
        if let MadtEntry::IoApic { id, address, gsi_base } = entry {
            lines += io::add(id, u64::from(address), gsi_base);
        }
    }
    if lines == 0 {
        io::add(0, IO_APIC, 0);
    }
}

/// What firmware says of IOMMUs.
pub(super) enum Remapping {
    /// Nothing.
    None,
    /// Nothing that holds together.
    Broken,
    Intel(Dmar<'static>),
    Amd(Ivrs<'static>),
}

/// What firmware says of IOMMUs. There is one kind or the other.
pub(super) fn remapping() -> Remapping {
    let Some(found) = FOUND.get() else { return Remapping::None };
    if let Some(table) = found.find(b"DMAR") {
        return Dmar::parse(table).map_or(Remapping::Broken, Remapping::Intel);
    }
    match found.find(b"IVRS").map(Ivrs::parse) {
        Some(Ok(ivrs)) => Remapping::Amd(ivrs),
        Some(Err(_)) => Remapping::Broken,
        None => Remapping::None,
    }
}

/// Registers of the HPET.
pub(super) fn hpet_address() -> Option<u64> {
    FOUND.get()?.hpet
}

/// Where ISA line `irq` arrives, if the firmware says.
pub(super) fn isa_route(irq: u8) -> Option<(u32, Trigger)> {
    let route = FOUND.get()?.madt?.isa(irq);
    let trigger = Trigger { active_low: route.signalling.active_low, level: route.signalling.level };
    Some((route.gsi, trigger))
}

/// Where ISA line `irq` arrives if firmware has wired lines of PCI to it. A number that no ISA line has can only be a global interrupt.
pub(super) fn pci_line(irq: u8) -> PciLine {
    let madt = FOUND.get().and_then(|found| found.madt).filter(|_| irq < ISA_LINES);
    let wired = IsaRoute { gsi: u32::from(irq), signalling: Signalling::PCI };
    let IsaRoute { gsi, signalling } = madt.map_or(wired, |madt| madt.pci(irq));
    PciLine { gsi, active_low: signalling.active_low, level: signalling.level }
}

/// Where the configuration space of a bus of segment 0 is in memory.
pub(super) fn configuration(bus: u8) -> Option<u64> {
    let table = FOUND.get()?.find(b"MCFG")?;
    let window = Mcfg::parse(table)
        .ok()?
        .windows()
        .find(|window| window.segment == 0 && (window.buses.0..=window.buses.1).contains(&bus))?;
    window.address.checked_add(u64::from(bus) << 20)
}

/// Memory that the tables name and nobody else is to have, by first and last byte: what messages to processors go to, and registers of
/// interrupt controllers, the event timer, remapping units, and configuration space.
pub(super) fn for_each_own(own: &mut dyn FnMut(u64, u64)) {
    own(MESSAGES.0, MESSAGES.1);
    own(IO_APIC, IO_APIC + (PAGE - 1));
    let Some(found) = FOUND.get() else { return };
    let mut page = |address: u64| own(address, address.saturating_add(PAGE - 1));
    found.hpet.into_iter().for_each(&mut page);
    for entry in found.madt.iter().flat_map(Madt::entries) {
        if let MadtEntry::IoApic { address, .. } = entry {
            page(u64::from(address));
        }
    }
    if let Some(dmar) = found.find(b"DMAR").and_then(|table| Dmar::parse(table).ok()) {
        dmar.units().for_each(|unit| page(unit.registers));
    }
    if let Some(ivrs) = found.find(b"IVRS").and_then(|table| Ivrs::parse(table).ok()) {
        ivrs.units().for_each(|unit| own(unit.registers, unit.registers.saturating_add(AMD_UNIT - 1)));
    }
    if let Some(mcfg) = found.find(b"MCFG").and_then(|table| Mcfg::parse(table).ok()) {
        for window in mcfg.windows() {
            let bus = |bus: u8, more: u64| window.address.saturating_add((u64::from(bus) + more) << 20);
            own(bus(window.buses.0, 0), bus(window.buses.1, 1).saturating_sub(1));
        }
    }
}

/// The local APIC input (0 or 1) that the platform's NMI comes in on. `None` when the firmware names none, or not the same one for all
/// processors: it numbers those in a way of its own.
pub(super) fn nmi_input() -> Option<u8> {
    let madt = FOUND.get()?.madt?;
    let mut inputs = madt.entries().filter_map(|entry| match entry {
        MadtEntry::LocalNmi { lint, .. } => Some(lint),
        _ => None,
    });
    let first = inputs.next()?;
    (first <= 1 && inputs.all(|other| other == first)).then_some(first)
}

/// Port ranges of power management, ends included.
pub(super) fn ports() -> &'static [(u16, u16)] {
    FOUND.get().map_or(&[], |found| &found.ports)
}

/// Resets the machine, if the firmware says how.
pub(super) fn reset() {
    if let Some((register, value)) = FOUND.get().and_then(|found| found.fadt).and_then(|fadt| fadt.reset()) {
        write(&register, u16::from(value));
    }
}

/// Switches the machine off, if the firmware says how.
pub(super) fn switch_off() {
    let Some(found) = FOUND.get() else { return };
    let Some(steps) = &found.soft_off else { return };
    if let Some((port, value)) = found.fadt.and_then(|fadt| fadt.enable()) {
        // SAFETY: the firmware's own port and value for "ACPI is in charge now"; only called to end everything.
        unsafe { Port::new(port).write(value) };
    }
    steps.iter().flatten().for_each(|step| write(&step.register, step.value));
}

/// Whether the machine has ACPI.
pub fn is_present() -> bool {
    FOUND.get().is_some()
}

/// Table number `index`. Broken tables are passed over.
pub fn table(index: usize) -> Option<TableInfo> {
    let table = FOUND.get()?.tables.get(index)?;
    let length = u32::try_from(table.bytes().len()).unwrap_or(u32::MAX);
    Some(TableInfo { signature: table.signature().0, length, revision: table.revision() })
}

/// Says what table number `index` says. `false` beyond the last.
pub fn facts(index: usize, say: Say<'_>) -> bool {
    let table = FOUND.get().and_then(|found| found.tables.get(index));
    table.map(|table| facts_of(*table, say)).is_some()
}
