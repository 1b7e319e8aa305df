//! AMD's table of IOMMUs.

use super::builder::{parsed, table};
use crate::{AcpiError, Iommu, IvhdEntry, Ivrs, IvrsBlock, MemoryAccess, Signature, SpecialKind};
use std::vec::Vec;

/// The I/O APIC as QEMU's q35 names it: id 0, function 14.0.
const IO_APIC: &[u8] = &[72, 0, 0, 0, 0, 0xa0, 0, 1];
const ALL: &[u8] = &[1, 0, 0, 0];

fn ivrs(info: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::from(info.to_le_bytes());
    body.extend([0; 8]);
    body.extend(blocks.concat());
    table(b"IVRS", &body)
}

fn block(kind: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let length = (4 + rest.len() as u16).to_le_bytes();
    [&[kind, flags, length[0], length[1]], rest].concat()
}

fn ivhd(form: u8, function: u16, registers: u64, devices: &[&[u8]]) -> Vec<u8> {
    let mut rest = Vec::from(function.to_le_bytes());
    rest.extend([0x40, 0]);
    rest.extend(registers.to_le_bytes());
    rest.extend([2, 0, 0, 0, 0x44, 0, 0, 0]);
    if form != 0x10 {
        rest.extend(0x1234_5678_9abcu64.to_le_bytes());
        rest.extend([0; 8]);
    }
    rest.extend(devices.concat());
    block(form, 0xd1, &rest)
}

fn ivmd(kind: u8, flags: u8, functions: (u16, u16), base: u64, length: u64) -> Vec<u8> {
    let mut rest = Vec::from(functions.0.to_le_bytes());
    rest.extend(functions.1.to_le_bytes());
    rest.extend([0; 8]);
    rest.extend(base.to_le_bytes());
    rest.extend(length.to_le_bytes());
    block(kind, flags, &rest)
}

fn entries(devices: &[&[u8]]) -> Option<Vec<IvhdEntry>> {
    let bytes = ivrs(0, &[ivhd(0x10, 2, 0x1000, devices)]);
    let found = Ivrs::parse(parsed(&bytes)).ok()?.units().next()?.devices.iter().collect();
    Some(found)
}

fn functions(first: u16, last: u16, alias: Option<u16>) -> IvhdEntry {
    IvhdEntry::Functions { range: (first, last), alias, settings: 0 }
}

fn refused(bytes: &[u8], offset: usize) {
    let error = AcpiError::BadEntry { table: Signature(*b"IVRS"), offset };
    assert_eq!(Ivrs::parse(parsed(bytes)).err(), Some(error));
}

/// Something of every kind, for others to spoil.
pub fn sound() -> Vec<u8> {
    let range: [&[u8]; 4] = [&[67, 0, 2, 0, 0, 0xa0, 1, 0], &[0; 4], &[4, 0xff, 3, 0], IO_APIC];
    let old = ivhd(0x10, 2, 0x1000, &[ALL, IO_APIC]);
    ivrs(1, &[old, ivhd(0x11, 2, 0x1000, &range), ivmd(0x22, 1, (7, 9), 0, 1)])
}

#[test]
fn an_iommu_is_a_function_with_registers() {
    let bytes = ivrs(0x0020_3041, &[ivhd(0x10, 0x0010, 0xfed8_0000, &[ALL, IO_APIC])]);
    let ivrs = Ivrs::parse(parsed(&bytes)).unwrap();
    assert_eq!((ivrs.physical_bits(), ivrs.virtual_bits()), (48, 64));
    let unit = ivrs.units().next().unwrap();
    assert_eq!((unit.function, unit.capability, unit.registers, unit.segment), (0x10, 0x40, 0xfed8_0000, 2));
    assert_eq!((unit.form, unit.flags, unit.features, unit.extended_features), (0x10, 0xd1, 0x44, None));
    assert_eq!(unit.devices.id_of(0x1234), Some(0x1234));
}

#[test]
fn extended_features_count_where_firmware_vouches_for_them() {
    for form in [0x11, 0x40] {
        let of = |info| {
            let bytes = ivrs(info, &[ivhd(form, 2, 0x1000, &[ALL])]);
            Ivrs::parse(parsed(&bytes)).unwrap().units().next().unwrap().extended_features
        };
        assert_eq!((of(1), of(0)), (Some(0x1234_5678_9abc), None));
    }
}

#[test]
fn of_several_forms_the_newest_counts() {
    let blocks = [
        ivhd(0x10, 2, 0x1000, &[]),
        ivhd(0x11, 2, 0x1000, &[]),
        ivhd(0x40, 2, 0x1000, &[]),
        ivhd(0x10, 0x2002, 0x5000, &[]),
    ];
    let bytes = ivrs(0, &blocks);
    let units: Vec<Iommu<'_>> = Ivrs::parse(parsed(&bytes)).unwrap().units().collect();
    let forms: Vec<_> = units.iter().map(|unit| (unit.function, unit.form)).collect();
    assert_eq!(forms, [(2, 0x40), (0x2002, 0x10)]);
    refused(&ivrs(0, &[ivhd(0x10, 2, 0x1000, &[]), ivhd(0x10, 2, 0x3000, &[])]), 72);
    let many: Vec<Vec<u8>> = (0..70).map(|n| ivhd(0x10, n, 0x1000, &[])).collect();
    refused(&ivrs(0, &many), 48 + 64 * 24);
}

#[test]
fn device_entries_of_every_kind() {
    let range: [&[u8]; 3] = [&[3, 8, 0, 0], &[0, 0, 0, 0], &[4, 0xff, 0, 0]];
    let alias_range: [&[u8]; 2] = [&[67, 0, 2, 0, 0, 0xa0, 1, 0], &[4, 0xff, 3, 0]];
    let extended_range: [&[u8]; 2] = [&[71, 0, 5, 0, 0, 0, 0, 0], &[4, 1, 5, 0]];
    let mut named = Vec::from([240; 22]);
    (named[21], named[3]) = (3, 0);
    named.extend([0; 3]);
    let singles: [&[u8]; 6] = [
        &[2, 0x10, 0, 0],
        &[66, 0x18, 0, 0, 0, 0x20, 0, 0],
        &[70, 0x28, 0, 0, 1, 2, 3, 4],
        IO_APIC,
        &[72, 0, 0, 0xd7, 1, 0xa1, 0, 2],
        &named,
    ];
    let all = [&range[..], &alias_range, &extended_range, &singles].concat();
    assert_eq!(
        entries(&all).unwrap(),
        [
            functions(8, 0xff, None),
            functions(0x200, 0x3ff, Some(0x1a0)),
            functions(0x500, 0x501, None),
            functions(0x10, 0x10, None),
            functions(0x18, 0x18, Some(0x20)),
            functions(0x28, 0x28, None),
            IvhdEntry::Special { kind: SpecialKind::IoApic, id: 0, source: 0xa0, settings: 0 },
            IvhdEntry::Special { kind: SpecialKind::Hpet, id: 1, source: 0xa1, settings: 0xd7 },
            IvhdEntry::Other(240),
        ]
    );
    let bytes = ivrs(0, &[ivhd(0x10, 2, 0x1000, &all)]);
    let devices = Ivrs::parse(parsed(&bytes)).unwrap().units().next().unwrap().devices;
    let ids = [0x17, 0x18, 0x1ff, 0x200, 0x3ff, 0x400].map(|function| devices.id_of(function));
    assert_eq!(ids, [Some(0x17), Some(0x20), None, Some(0x1a0), Some(0x1a0), None]);
}

#[test]
fn device_entries_that_cannot_be_are_refused() {
    let wrong: [&[&[u8]]; 10] = [
        &[&[2, 0, 0]],
        &[&[66, 0, 0, 0, 0, 0, 0]],
        &[&[72, 0, 0, 0, 0, 0, 0]],
        &[&[240, 0, 0, 0]],
        &[&[130; 15]],
        &[&[200; 31]],
        // Ranges without an end, with another entry in between, backwards; an end alone.
        &[&[3, 8, 0, 0]],
        &[&[3, 8, 0, 0], ALL, &[4, 9, 0, 0]],
        &[&[3, 8, 0, 0], &[4, 7, 0, 0]],
        &[&[4, 9, 0, 0]],
    ];
    for devices in wrong {
        assert_eq!(entries(devices), None, "{devices:?}");
        refused(&ivrs(0, &[ivhd(0x11, 2, 0x1000, devices)]), 48);
    }
    assert_eq!(entries(&[&[130; 16], &[200; 32], &[0; 4]]).unwrap().len(), 2);
}

#[test]
fn memory_that_firmware_defined() {
    let blocks = [
        ivmd(0x20, 0b0111, (7, 9), 0x1000, 0x2000),
        ivmd(0x21, 0b0011, (7, 9), 0x1000, 0x2000),
        ivmd(0x22, 0b1111, (7, 9), 0, u64::MAX),
        ivmd(0x22, 0b0110, (7, 9), 0, 1),
    ];
    let bytes = ivrs(0, &blocks);
    let found: Vec<_> = Ivrs::parse(parsed(&bytes))
        .unwrap()
        .blocks()
        .map(|block| match block {
            IvrsBlock::Memory(memory) => (memory.functions, memory.access, memory.base, memory.length),
            other => panic!("{other:?}"),
        })
        .collect();
    let both = MemoryAccess::Direct { read: true, write: true };
    let reads = MemoryAccess::Direct { read: true, write: false };
    assert_eq!(found[0], ((0, 0xffff), both, 0x1000, 0x2000));
    assert_eq!(found[1], ((7, 7), reads, 0x1000, 0x2000));
    assert_eq!(found[2], ((7, 9), MemoryAccess::Excluded, 0, u64::MAX));
    assert_eq!(found[3], ((7, 9), MemoryAccess::None, 0, 1));
}

#[test]
fn blocks_that_cannot_be_are_refused_with_their_place() {
    refused(&ivrs(0, &[ivmd(0x20, 1, (0, 0), 0, 0)]), 48);
    refused(&ivrs(0, &[ivmd(0x20, 1, (0, 0), u64::MAX, 2)]), 48);
    refused(&ivrs(0, &[ivmd(0x22, 1, (9, 8), 0, 1)]), 48);
    refused(&ivrs(0, &[ivhd(0x10, 2, 0, &[])]), 48);
    refused(&ivrs(0, &[ivhd(0x10, 2, 0x1010, &[])]), 48);
    for (kind, length) in [(0x10u8, 23usize), (0x11, 39), (0x40, 39), (0x20, 31), (0x21, 31), (0x22, 31)] {
        let mut short = std::vec![0; length];
        (short[0], short[2], short[9]) = (kind, length as u8, 0x10);
        refused(&ivrs(0, &[block(9, 0, &[]), short]), 52);
    }
    refused(&ivrs(0, &[Vec::from([0x10, 0, 3, 0])]), 48);
    refused(&ivrs(0, &[Vec::from([0x10])]), 48);
    refused(&table(b"IVRS", &[0; 11]), 47);
    assert!(Ivrs::parse(parsed(&table(b"DMAR", &[0; 12]))).is_err());
}
