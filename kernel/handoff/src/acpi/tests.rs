//! Tables as firmware writes them, and damaged ones.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::physical::fake::Fake;

fn seal(mut bytes: Vec<u8>, place: usize) -> Vec<u8> {
    bytes[place] = 0;
    let sum = bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    bytes[place] = sum.wrapping_neg();
    bytes
}

fn root_old(rsdt: u32) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0CAPOS \0".to_vec();
    bytes.extend(rsdt.to_le_bytes());
    seal(bytes, 8)
}

fn root_new(xsdt: u64) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0CAPOS \x02\0\0\0\0".to_vec();
    bytes.extend(36u32.to_le_bytes());
    bytes.extend(xsdt.to_le_bytes());
    bytes.extend([0; 4]);
    let mut bytes = seal(bytes, 32);
    // The old checksum covers the first twenty bytes alone.
    let old = seal(bytes[..20].to_vec(), 8);
    bytes[8] = old[8];
    seal(bytes, 32)
}

fn table_of(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.extend((36 + body.len() as u32).to_le_bytes());
    bytes.resize(36, 0);
    bytes.extend(body);
    seal(bytes, 9)
}

fn madt_bytes() -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    body.extend([0, 8, 1, 4, 1, 0, 0, 0]);
    body.extend([0, 8, 2, 5, 0, 0, 0, 0]);
    body.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    body.extend([9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
    body.extend([4, 6, 0xff, 0, 0, 1]);
    table_of(b"APIC", &body)
}

fn expected() -> Vec<MadtEntry> {
    vec![
        MadtEntry::Processor { uid: 0, apic_id: 0 },
        MadtEntry::Processor { uid: 1, apic_id: 4 },
        MadtEntry::IoApic(0xfec0_0000),
        MadtEntry::Processor { uid: 7, apic_id: 256 },
    ]
}

#[test]
fn processors_are_found_through_both_lists() {
    let madt_bytes = madt_bytes();
    let other = table_of(b"FACP", &[1, 2, 3]);
    let rsdt = table_of(b"RSDT", &[0x4000u32.to_le_bytes(), 0x5000u32.to_le_bytes()].concat());
    let xsdt = table_of(b"XSDT", &[0x4000u64.to_le_bytes(), 0x5000u64.to_le_bytes()].concat());
    for (root, list) in [(root_old(0x3000), &rsdt), (root_new(0x3000), &xsdt)] {
        let fake = Fake(vec![(0x2000, &root), (0x3000, list), (0x4000, &other), (0x5000, &madt_bytes)]);
        let found = find_root(&fake, &RootPointers { direct: 0x2000, ..RootPointers::default() }).unwrap();
        assert_eq!((found.at, found.length, found.is_copy), (0x2000, root.len() as u64, false));
        assert_eq!(madt(&fake, found).collect::<Vec<_>>(), expected());
    }
}

#[test]
fn the_bios_areas_are_searched() {
    let root = root_old(0);
    let pointer = 0x9fc0u16.to_le_bytes();
    let fake = Fake(vec![(0xf_5ad0, &root)]);
    assert_eq!(find_root(&fake, &RootPointers::default()).unwrap().at, 0xf_5ad0);
    let fake = Fake(vec![(0x40e, &pointer), (0x9_fc10, &root)]);
    assert_eq!(find_root(&fake, &RootPointers::default()).unwrap().at, 0x9_fc10);
}

#[test]
fn a_copy_is_the_last_resort() {
    let root = root_old(0);
    let places = RootPointers { copy: 0x6000, ..RootPointers::default() };
    let fake = Fake(vec![(0x6000, &root)]);
    assert!(find_root(&fake, &places).unwrap().is_copy);
    let fake = Fake(vec![(0x6000, &root), (0xf_0000, &root)]);
    assert!(!find_root(&fake, &places).unwrap().is_copy);
}

#[test]
fn damaged_roots_are_passed_over() {
    let mut root = root_new(0x3000);
    root[30] ^= 1;
    let places = RootPointers { direct: 0x2000, ..RootPointers::default() };
    assert_eq!(find_root(&Fake(vec![(0x2000, &root)]), &places), None);
    let mut old = root_old(0x3000);
    old[9] ^= 1;
    assert_eq!(find_root(&Fake(vec![(0x2000, &old)]), &places), None);
    assert_eq!(find_root(&Fake(vec![]), &RootPointers::default()), None);
}

#[test]
fn a_damaged_madt_ends_early() {
    let mut bytes = madt_bytes();
    bytes[44 + 8 + 1] = 0;
    let bytes = seal(bytes, 9);
    let rsdt = table_of(b"RSDT", &0x5000u32.to_le_bytes());
    let root = root_old(0x3000);
    let fake = Fake(vec![(0x2000, &root), (0x3000, &rsdt), (0x5000, &bytes)]);
    let root = RootPointer { at: 0x2000, length: 20, is_copy: false };
    assert_eq!(madt(&fake, root).count(), 1);
}

proptest::proptest! {
    #[test]
    fn any_madt_is_read_without_panic(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let entries = MadtEntries { rest: &body };
        proptest::prop_assert!(entries.count() <= 100);
    }
}
