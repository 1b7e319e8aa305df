//! Which units there are, by firmware's tables, and whom each serves.

use super::Refused;
use super::amd::Amd;
use super::intel::Intel;
use super::unit::Kind;
use crate::pci;
use crate::types::IommuKind;
use crate::x86::acpi::{self, Remapping};
use crate::x86::apic;
use alloc::vec::Vec;
use capos_acpi::{Dmar, Iommu, IvhdEntry, Ivrs, RemappingUnit, ScopeKind, SpecialKind};
use capos_pci::{Function, Port};

/// Whom a unit serves, as firmware says.
#[derive(Clone, Copy)]
pub enum Serves {
    Intel(RemappingUnit<'static>),
    Amd(Iommu<'static>),
}

/// A unit that firmware names.
pub struct Found {
    pub serves: Serves,
    pub outcome: Result<Kind, &'static str>,
}

impl Serves {
    pub fn kind(&self) -> IommuKind {
        match self {
            Serves::Intel(_) => IommuKind::Intel,
            Serves::Amd(_) => IommuKind::Amd,
        }
    }

    /// The id that requests of an I/O APIC carry, if it is served.
    pub fn io_apic(&self, id: u8) -> Option<u16> {
        match self {
            Serves::Intel(unit) => {
                let scope = unit.scopes.iter().find(|it| it.kind == ScopeKind::IoApic && it.id == id)?;
                u16::try_from(scope.function(&bus_behind)?).ok()
            }
            Serves::Amd(unit) => unit.devices.iter().find_map(|entry| match entry {
                IvhdEntry::Special { kind: SpecialKind::IoApic, id: named, source, .. } if named == id => {
                    Some(source)
                }
                _ => None,
            }),
        }
    }

    /// The id that requests of a function carry, if it is served. `rest` says whether it is also served as one that nobody names.
    pub fn function(&self, function: u16, rest: bool) -> Option<u16> {
        match self {
            _ if self.segment() != 0 => None,
            Serves::Intel(unit) if rest => unit.include_all.then(|| alias(function)),
            Serves::Intel(unit) => is_named(unit, function).then(|| alias(function)),
            Serves::Amd(unit) => unit.devices.id_of(function),
        }
    }

    fn segment(&self) -> u16 {
        match self {
            Serves::Intel(unit) => unit.segment,
            Serves::Amd(unit) => unit.segment,
        }
    }
}

/// The bus behind the bridge at `address`.
fn bus_behind(address: u32) -> Option<u8> {
    pci::find(address)?.header.buses.map(|buses| buses.secondary)
}

/// The bridge that `bus` is behind; none for a bus of the root complex.
fn bridge_to(bus: u8) -> Option<Function> {
    let all = (0..pci::count()).filter_map(pci::function);
    all.into_iter().find(|it| bus != 0 && it.header.buses.is_some_and(|buses| buses.secondary == bus))
}

/// The bridges on the way from a function to the processors, the nearest first, each with the bus behind it. Buses have higher numbers the
/// farther they are.
fn bridges(function: u16) -> impl Iterator<Item = (u8, Function)> {
    let mut bus = (function >> 8) as u8;
    core::iter::from_fn(move || {
        let behind = bus;
        let bridge = bridge_to(behind).filter(|bridge| bridge.address.bus() < behind)?;
        bus = bridge.address.bus();
        Some((behind, bridge))
    })
}

/// The id that requests of a function carry where they arrive: bridges to conventional PCI put their own there (VT-d, 3.4.1).
fn alias(function: u16) -> u16 {
    bridges(function).fold(function, |source, (behind, bridge)| match bridge.express.map(|it| it.port) {
        Some(Port::ToPci) => u16::from(behind) << 8,
        Some(_) => source,
        None => bridge.address.requester(),
    })
}

/// Whether a unit's scopes name the function, or a bridge that it is behind.
fn is_named(unit: &RemappingUnit<'_>, function: u16) -> bool {
    unit.scopes.iter().any(|scope| match (scope.kind, scope.function(&bus_behind)) {
        (ScopeKind::Endpoint, Some(named)) => named == u32::from(function),
        (ScopeKind::Bridge, Some(named)) => {
            named == u32::from(function)
                || bridges(function).any(|(_, bridge)| bridge.address.number() == named)
        }
        _ => false,
    })
}

/// Firmware's tables say something that keeps all from being used.
fn refused(kind: IommuKind, reason: &'static str) -> Vec<Refused> {
    let mut refused = Vec::new();
    if refused.try_reserve(1).is_ok() {
        refused.push((kind, reason));
    }
    refused
}

/// All units, none of them changed yet. An error is about what firmware says.
pub fn units() -> Result<Vec<Found>, Vec<Refused>> {
    match acpi::remapping() {
        Remapping::None => Ok(Vec::new()),
        Remapping::Broken => {
            Err(refused(IommuKind::Unknown, "firmware's table of it does not hold together"))
        }
        Remapping::Intel(dmar) => intel(&dmar),
        Remapping::Amd(ivrs) => amd(&ivrs),
    }
}

fn intel(dmar: &Dmar<'static>) -> Result<Vec<Found>, Vec<Refused>> {
    if !dmar.remaps_interrupts() {
        return Err(refused(IommuKind::Intel, "firmware says that interrupts are not remapped"));
    }
    let x2apic = apic::is_x2apic();
    collect(dmar.units().map(|unit| Found {
        serves: Serves::Intel(unit),
        outcome: Intel::find(unit.registers, x2apic).map(Kind::Intel),
    }))
}

fn amd(ivrs: &Ivrs<'static>) -> Result<Vec<Found>, Vec<Refused>> {
    collect(
        ivrs.units().map(|unit| Found {
            serves: Serves::Amd(unit),
            outcome: Amd::find(unit.registers).map(Kind::Amd),
        }),
    )
}

fn collect(found: impl Iterator<Item = Found>) -> Result<Vec<Found>, Vec<Refused>> {
    let mut units = Vec::new();
    for unit in found {
        units.try_reserve(1).map_err(|_| Vec::new())?;
        units.push(unit);
    }
    Ok(units)
}
