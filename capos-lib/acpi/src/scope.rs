//! Device scopes: which functions something is about, as paths from a root bus (VT-d specification 4.1, 8.3.1).

use crate::bytes::u8_at;

/// Where a path begins in a scope.
const PATH: usize = 6;
const HOP: usize = 2;

/// What a scope is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScopeKind {
    /// One function.
    Endpoint,
    /// A bridge and everything behind it.
    Bridge,
    /// An I/O APIC; the path tells by which function it signals, its id is the MADT's.
    IoApic,
    /// An event timer that can send messages; the id is the HPET table's number.
    Hpet,
    /// A device of ACPI's name space; an ANDD of the same id has its name.
    Named,
    /// Some other kind.
    Other(u8),
}

/// One scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceScope<'m> {
    /// What it is about.
    pub kind: ScopeKind,
    /// Firmware's number of the I/O APIC, the event timer or the named device.
    pub id: u8,
    /// The bus that the path begins on.
    pub bus: u8,
    path: &'m [u8],
}

impl<'m> DeviceScope<'m> {
    /// Device and function of each hop. There is at least one; all but the last are bridges.
    pub fn path(&self) -> impl Iterator<Item = (u8, u8)> + 'm {
        self.path.chunks_exact(HOP).filter_map(|hop| Some((*hop.first()?, *hop.last()?)))
    }

    /// The function that the path ends at, as bus << 8 | device << 3 | function. `secondary` tells the bus behind a bridge.
    pub fn function(&self, secondary: &dyn Fn(u32) -> Option<u8>) -> Option<u32> {
        let mut at = None;
        for (device, function) in self.path() {
            let bus = match at {
                None => self.bus,
                Some(bridge) => secondary(bridge)?,
            };
            at = Some(u32::from(bus) << 8 | u32::from(device) << 3 | u32::from(function));
        }
        at
    }
}

/// The scopes of a structure, all checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scopes<'m>(&'m [u8]);

impl<'m> Scopes<'m> {
    /// `None` if some scope does not fit.
    pub(crate) fn checked(bytes: &'m [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (scope, after) = split(rest)?;
            read(scope)?;
            rest = after;
        }
        Some(Scopes(bytes))
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = DeviceScope<'m>> + 'm {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (scope, after) = split(rest)?;
            rest = after;
            read(scope)
        })
    }
}

/// The first scope and the rest. One has a path of at least one hop.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u8_at(rest, 1)?);
    if length < PATH + HOP || !length.is_multiple_of(HOP) {
        return None;
    }
    rest.split_at_checked(length)
}

/// `None` when a hop is no device of a bus.
fn read(scope: &[u8]) -> Option<DeviceScope<'_>> {
    let kind = match u8_at(scope, 0)? {
        1 => ScopeKind::Endpoint,
        2 => ScopeKind::Bridge,
        3 => ScopeKind::IoApic,
        4 => ScopeKind::Hpet,
        5 => ScopeKind::Named,
        other => ScopeKind::Other(other),
    };
    let found = DeviceScope { kind, id: u8_at(scope, 4)?, bus: u8_at(scope, 5)?, path: scope.get(PATH..)? };
    found.path().all(|(device, function)| device < 32 && function < 8).then_some(found)
}
