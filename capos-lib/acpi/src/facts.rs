//! What the tables say, in words. Without physical addresses: these are for who looks at a machine, and none of them leaves the kernel.

use crate::dmar::{Dmar, DmarEntry};
use crate::error::Signature;
use crate::hpet::Hpet;
use crate::ivhd::{IvhdEntry, SpecialKind};
use crate::ivrs::{DefinedMemory, Ivrs, IvrsBlock, MemoryAccess};
use crate::madt::{IsaRoute, Madt, MadtEntry, Signalling};
use crate::mcfg::Mcfg;
use crate::scope::{DeviceScope, ScopeKind, Scopes};
use crate::table::Table;
use core::fmt;

/// Is told one fact after the other.
pub type Say<'s> = &'s mut dyn FnMut(fmt::Arguments<'_>);

/// Tells what `table` says, if it is one of those that the kernel reads. A broken one says what is wrong with it.
pub fn facts(table: Table<'_>, say: Say<'_>) {
    let Signature(name) = table.signature();
    let result = match &name {
        b"APIC" => Madt::parse(table).map(|madt| of_madt(&madt, say)),
        b"MCFG" => Mcfg::parse(table).map(|mcfg| of_mcfg(&mcfg, say)),
        b"HPET" => Hpet::parse(table).map(|hpet| say(format_args!("event timer {}", hpet.number))),
        b"DMAR" => Dmar::parse(table).map(|dmar| of_dmar(&dmar, say)),
        b"IVRS" => Ivrs::parse(table).map(|ivrs| of_ivrs(&ivrs, say)),
        _ => Ok(()),
    };
    if let Err(error) = result {
        say(format_args!("{error}"));
    }
}

fn of_madt(madt: &Madt<'_>, say: Say<'_>) {
    say(format_args!("processors that may be started: {}", madt.processors().count()));
    if madt.has_legacy_pics() {
        say(format_args!("8259 interrupt controllers are there as well"));
    }
    for entry in madt.entries() {
        match entry {
            MadtEntry::IoApic { id, gsi_base, .. } => {
                say(format_args!("I/O APIC {id}, from GSI {gsi_base} on"))
            }
            MadtEntry::Override { irq, route: IsaRoute { gsi, signalling } } => {
                say(format_args!("ISA line {irq} arrives at GSI {gsi}, {signalling}"));
            }
            MadtEntry::NmiSource { gsi, signalling } => say(format_args!("NMI at GSI {gsi}, {signalling}")),
            MadtEntry::LocalNmi { processor: Some(processor), lint, .. } => {
                say(format_args!("NMI at input {lint} of processor {processor}"));
            }
            MadtEntry::LocalNmi { processor: None, lint, .. } => {
                say(format_args!("NMI at input {lint} of every processor"));
            }
            MadtEntry::Processor { .. } | MadtEntry::AddressOverride(_) | MadtEntry::Other(_) => {}
        }
    }
}

impl fmt::Display for Signalling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.level { "level" } else { "edge" };
        let active = if self.active_low { "low" } else { "high" };
        write!(f, "by {by}, active {active}")
    }
}

fn of_mcfg(mcfg: &Mcfg<'_>, say: Say<'_>) {
    for window in mcfg.windows() {
        let (first, last) = window.buses;
        say(format_args!(
            "configuration space of segment {}, buses {first:02x} to {last:02x}",
            window.segment
        ));
    }
}

fn of_dmar(dmar: &Dmar<'_>, say: Say<'_>) {
    say(format_args!("DMA reaches addresses of {} bits", dmar.address_bits()));
    let remaps = if dmar.remaps_interrupts() { "can" } else { "cannot" };
    say(format_args!("interrupts {remaps} be remapped"));
    if dmar.opts_out_of_x2apic() {
        say(format_args!("firmware asks for no x2APIC mode"));
    }
    let mut units = 0;
    for entry in dmar.entries() {
        match entry {
            DmarEntry::Unit(unit) => {
                if unit.include_all {
                    say(format_args!("unit {units}: all of segment {} that no other names", unit.segment));
                }
                each(unit.scopes, &mut |scope| {
                    say(format_args!("unit {units}: {scope} of segment {}", unit.segment));
                });
                units += 1;
            }
            DmarEntry::Reserved(memory) => {
                let kib = (memory.limit - memory.base) / 1024 + 1;
                each(memory.scopes, &mut |scope| {
                    say(format_args!("{kib} KiB of memory reserved for {scope}"))
                });
            }
            DmarEntry::RootPorts { segment, all: true, .. } => {
                say(format_args!(
                    "what is behind any root port of segment {segment} may translate by itself"
                ));
            }
            DmarEntry::RootPorts { scopes, .. } => {
                each(scopes, &mut |scope| say(format_args!("{scope} may translate by itself")));
            }
            DmarEntry::Other(_) => {}
        }
    }
}

fn each(scopes: Scopes<'_>, say: &mut dyn FnMut(DeviceScope<'_>)) {
    scopes.iter().for_each(say);
}

impl fmt::Display for DeviceScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ScopeKind::Endpoint => f.write_str("function ")?,
            ScopeKind::Bridge => f.write_str("what is behind bridge ")?,
            ScopeKind::IoApic => write!(f, "I/O APIC {} as ", self.id)?,
            ScopeKind::Hpet => write!(f, "event timer {} as ", self.id)?,
            ScopeKind::Named => write!(f, "named device {} as ", self.id)?,
            ScopeKind::Other(kind) => write!(f, "something of kind {kind} as ")?,
        }
        write!(f, "{:02x}:", self.bus)?;
        for (hop, (device, function)) in self.path().enumerate() {
            let then = if hop == 0 { "" } else { "/" };
            write!(f, "{then}{device:02x}.{function}")?;
        }
        Ok(())
    }
}

/// A function by the id that its requests carry.
struct Id(u16);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.0 >> 8, self.0 >> 3 & 0x1f, self.0 & 7)
    }
}

fn of_ivrs(ivrs: &Ivrs<'_>, say: Say<'_>) {
    say(format_args!("DMA reaches addresses of {} bits", ivrs.physical_bits()));
    if ivrs.virtual_bits() != 0 {
        say(format_args!("before translation they have {}", ivrs.virtual_bits()));
    }
    for (number, unit) in ivrs.units().enumerate() {
        let (function, segment) = (Id(unit.function), unit.segment);
        say(format_args!(
            "unit {number}: function {function} of segment {segment}, in form {:#x}",
            unit.form
        ));
        unit.devices.iter().for_each(|entry| of_entry(number, entry, say));
    }
    for block in ivrs.blocks() {
        if let IvrsBlock::Memory(memory) = block {
            of_memory(&memory, say);
        }
    }
}

fn of_entry(unit: usize, entry: IvhdEntry, say: Say<'_>) {
    match entry {
        IvhdEntry::Functions { range: (0, u16::MAX), alias: None, .. } => {
            say(format_args!("unit {unit}: every function"));
        }
        IvhdEntry::Functions { range: (first, last), alias: None, .. } if first == last => {
            say(format_args!("unit {unit}: function {}", Id(first)));
        }
        IvhdEntry::Functions { range: (first, last), alias: None, .. } => {
            say(format_args!("unit {unit}: functions {} to {}", Id(first), Id(last)));
        }
        IvhdEntry::Functions { range: (first, last), alias: Some(alias), .. } => {
            say(format_args!("unit {unit}: functions {} to {} as {}", Id(first), Id(last), Id(alias)));
        }
        IvhdEntry::Special { kind, id, source, .. } => {
            let what = match kind {
                SpecialKind::IoApic => "I/O APIC",
                SpecialKind::Hpet => "event timer",
                SpecialKind::Other(_) => "something",
            };
            say(format_args!("unit {unit}: {what} {id} as {}", Id(source)));
        }
        IvhdEntry::Other(_) => {}
    }
}

fn of_memory(memory: &DefinedMemory, say: Say<'_>) {
    let how = match memory.access {
        MemoryAccess::Direct { read: true, write: true } => "to read and write",
        MemoryAccess::Direct { read: true, write: false } => "to read",
        MemoryAccess::Direct { read: false, write: true } => "to write",
        MemoryAccess::Direct { .. } | MemoryAccess::None => "to no purpose",
        MemoryAccess::Excluded => "past the IOMMU",
    };
    let (first, last) = memory.functions;
    let kib = memory.length.div_ceil(1024);
    say(format_args!("{kib} KiB of memory reserved for functions {} to {}, {how}", Id(first), Id(last)));
}
