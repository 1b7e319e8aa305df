//! Intel's table of remapping units.

use super::builder::{parsed, table};
use crate::{AcpiError, DeviceScope, Dmar, DmarEntry, ScopeKind, Signature};
use std::vec::Vec;

/// The I/O APIC as QEMU's q35 names it: id 0, function 0 of a bus that exists for nothing else.
const IO_APIC: &[u8] = &[3, 8, 0, 0, 0, 0xff, 0, 0];
/// Behind two bridges: from bus 0 by 1c.4 and 00.0 to 02.1.
const DEEP: &[u8] = &[1, 12, 0, 0, 0, 0, 0x1c, 4, 0, 0, 2, 1];
const BRIDGE: &[u8] = &[2, 8, 0, 0, 0, 0, 1, 0];
const HPET: &[u8] = &[4, 8, 0, 0, 7, 0xfa, 0x1f, 3];

fn dmar(flags: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::from([38, flags]);
    body.extend([0; 10]);
    body.extend(entries.concat());
    table(b"DMAR", &body)
}

fn entry(kind: u8, body: &[u8], scopes: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::from([kind, 0, 0, 0]);
    out.extend(body);
    out.extend(scopes.concat());
    let length = out.len() as u16;
    out[2..4].copy_from_slice(&length.to_le_bytes());
    out
}

fn drhd(flags: u8, segment: u8, registers: u64, scopes: &[&[u8]]) -> Vec<u8> {
    entry(0, &[&[flags, 0, segment, 0], &registers.to_le_bytes()[..]].concat(), scopes)
}

fn rmrr(base: u64, limit: u64, scopes: &[&[u8]]) -> Vec<u8> {
    let body: [&[u8]; 3] = [&[0, 0, 0, 0], &base.to_le_bytes(), &limit.to_le_bytes()];
    entry(1, &body.concat(), scopes)
}

fn refused(bytes: &[u8], offset: usize) {
    let error = AcpiError::BadEntry { table: Signature(*b"DMAR"), offset };
    assert_eq!(Dmar::parse(parsed(bytes)).err(), Some(error));
}

/// Something of every kind, for others to spoil.
pub fn sound() -> Vec<u8> {
    let ports = entry(2, &[0, 0, 0, 0], &[BRIDGE]);
    dmar(1, &[drhd(0, 0, 0x1000, &[DEEP, HPET]), drhd(1, 0, 0x2000, &[IO_APIC]), rmrr(0, 9, &[DEEP]), ports])
}

#[test]
fn a_q35_has_one_unit_for_everything() {
    let bytes = dmar(1, &[drhd(1, 0, 0xfed9_0000, &[IO_APIC])]);
    let dmar = Dmar::parse(parsed(&bytes)).unwrap();
    assert_eq!((dmar.address_bits(), dmar.remaps_interrupts(), dmar.opts_out_of_x2apic()), (39, true, false));
    let units: Vec<_> = dmar.units().collect();
    assert_eq!(units.len(), 1);
    assert_eq!((units[0].registers, units[0].segment, units[0].include_all), (0xfed9_0000, 0, true));
    let scopes: Vec<DeviceScope<'_>> = units[0].scopes.iter().collect();
    assert_eq!(
        (scopes[0].kind, scopes[0].id, scopes[0].function(&|_| None)),
        (ScopeKind::IoApic, 0, Some(0xff00))
    );
}

#[test]
fn scopes_lead_through_bridges() {
    let bytes = dmar(2, &[drhd(0, 3, 0x1000, &[DEEP, BRIDGE, HPET, &[5, 8, 0, 0, 1, 0, 0, 0]])]);
    let dmar = Dmar::parse(parsed(&bytes)).unwrap();
    assert!(!dmar.remaps_interrupts() && dmar.opts_out_of_x2apic());
    let unit = dmar.units().next().unwrap();
    assert_eq!((unit.segment, unit.include_all), (3, false));
    let scopes: Vec<DeviceScope<'_>> = unit.scopes.iter().collect();
    let kinds: Vec<ScopeKind> = scopes.iter().map(|scope| scope.kind).collect();
    assert_eq!(kinds, [ScopeKind::Endpoint, ScopeKind::Bridge, ScopeKind::Hpet, ScopeKind::Named]);
    assert_eq!(scopes[0].path().collect::<Vec<_>>(), [(0x1c, 4), (0, 0), (2, 1)]);
    let behind = |bridge| match bridge {
        0x00e4 => Some(5),
        0x0500 => Some(6),
        _ => None,
    };
    assert_eq!(scopes[0].function(&behind), Some(0x0611));
    assert_eq!(scopes[0].function(&|bridge| (bridge == 0x00e4).then_some(5)), None);
    assert_eq!((scopes[2].id, scopes[2].function(&|_| None)), (7, Some(0xfafb)));
}

#[test]
fn reserved_memory_and_root_ports() {
    let atsr = |flags| entry(2, &[flags, 0, 1, 0], &[BRIDGE]);
    let bytes = dmar(0, &[rmrr(0x8000, 0xffff, &[DEEP]), atsr(1), atsr(0), entry(3, &[0; 16], &[])]);
    let entries: Vec<_> = Dmar::parse(parsed(&bytes)).unwrap().entries().collect();
    let DmarEntry::Reserved(memory) = entries[0] else { panic!("{entries:?}") };
    assert_eq!((memory.base, memory.limit, memory.scopes.iter().count()), (0x8000, 0xffff, 1));
    assert!(matches!(entries[1], DmarEntry::RootPorts { segment: 1, all: true, .. }));
    assert!(
        matches!(entries[2], DmarEntry::RootPorts { all: false, scopes, .. } if scopes.iter().count() == 1)
    );
    assert_eq!(entries[3..], [DmarEntry::Other(3)]);
}

#[test]
fn structures_that_do_not_fit_are_refused_with_their_place() {
    let sound = drhd(1, 0, 0x1000, &[]);
    let with = |second: Vec<u8>| dmar(0, &[sound.clone(), second]);
    for length in [0u8, 3, 5] {
        refused(&with(Vec::from([9, 0, length, 0])), 64);
    }
    refused(&with(Vec::from([9, 0])), 64);
    for (kind, length) in [(0u8, 15usize), (1, 23), (2, 7)] {
        let mut short = std::vec![0x10; length];
        short[..4].copy_from_slice(&[kind, 0, length as u8, 0]);
        refused(&with(short), 64);
    }
    refused(&table(b"DMAR", &[0; 11]), 47);
    assert!(Dmar::parse(parsed(&table(b"IVRS", &[0; 12]))).is_err());
    assert!(Dmar::parse(parsed(&table(b"DMAR", &[0; 12]))).is_ok());
}

#[test]
fn scopes_that_cannot_be_are_refused_with_their_structure() {
    let no_path = [1u8, 6, 0, 0, 0, 0];
    let half_a_hop = [1u8, 9, 0, 0, 0, 0, 1, 0, 1];
    let too_long = [1u8, 10, 0, 0, 0, 0, 1, 0];
    let device_32 = [1u8, 8, 0, 0, 0, 0, 32, 0];
    let function_8 = [2u8, 8, 0, 0, 0, 0, 0, 8];
    for scope in [&no_path[..], &half_a_hop, &too_long, &device_32, &function_8, &[1], &[1, 0]] {
        refused(&dmar(0, &[drhd(1, 0, 0x1000, &[IO_APIC, scope])]), 48);
        refused(&dmar(0, &[rmrr(0, 1, &[scope])]), 48);
        refused(&dmar(0, &[entry(2, &[0; 4], &[scope])]), 48);
    }
}

#[test]
fn units_and_memory_that_cannot_be_are_refused() {
    refused(&dmar(0, &[drhd(1, 0, 0, &[])]), 48);
    refused(&dmar(0, &[drhd(1, 0, 0x1800, &[])]), 48);
    refused(&dmar(0, &[rmrr(2, 1, &[])]), 48);
    // Who would bring up both would bring up one of them twice.
    refused(&dmar(0, &[drhd(0, 0, 0x1000, &[]), drhd(1, 0, 0x2000, &[]), drhd(1, 0, 0x1000, &[])]), 80);
    let many: Vec<Vec<u8>> = (1..200).map(|n| drhd(0, 0, n * 0x1000, &[])).collect();
    refused(&dmar(0, &many), 48 + 128 * 16);
}
