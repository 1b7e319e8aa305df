//! Switching off: the package and what follows from it.

use super::builder::{Pieces, S5_QEMU, dsdt, fadt, gas, parsed, patched, rsdp, table};
use crate::{AddressSpace, Fadt, RegisterWrite, Rsdp, SleepType, Tables, find_s5, soft_off};
use std::vec::Vec;

#[test]
fn packages_as_firmware_writes_them() {
    let zero = Some(SleepType { a: 0, b: 0 });
    assert_eq!(find_s5(S5_QEMU), zero);
    // With a root prefix, bytes of data, and a length of two bytes.
    assert_eq!(find_s5(b"\x08\\_S5_\x12\x0a\x04\x0a\x05\x0a\x07\0\0"), None, "the length is one too long");
    assert_eq!(find_s5(b"\x08\\_S5_\x12\x08\x04\x0a\x05\x0a\x07\0\0"), Some(SleepType { a: 5, b: 7 }));
    assert_eq!(find_s5(b"\x08_S5_\x12\x48\0\x04\x01\x01\0\0\0"), Some(SleepType { a: 1, b: 1 }));
    assert_eq!(find_s5(b"\x08_S5_\x12\x0b\x02\x0b\x05\0\x0c\x06\0\0\0\0"), Some(SleepType { a: 5, b: 6 }));
    assert_eq!(find_s5(b"\x08_S5_\x12\x0b\x01\x0e\x05\0\0\0\0\0\0\0"), Some(SleepType { a: 5, b: 0 }));
}

#[test]
fn what_only_looks_like_it_is_passed_over() {
    for aml in [
        &b""[..],
        b"_S5_",
        b"\x08_S5_",
        b"\x08_S5_\x12",
        b"\x08_S5_\x12\x00\x04\0\0",
        b"\x08_S5_\x12\x01\x04\0\0",
        b"\x08_S5_\x12\x03\x00\x05\x05",
        b"\x08_S5_\x12\x06\x04\x0a",
        b"\x08_S5_\x12\xff\xff\xff\xff\x04\0\0",
        b"\x08_S5_\x12\x06\x04\x0a\x08\0\0",
        b"\x08_S5_\x12\x06\x04_S4_",
        b"\x10_S5_\x12\x06\x04\0\0\0\0",
    ] {
        assert_eq!(find_s5(aml), None, "{aml:x?}");
    }
}

#[test]
fn the_right_one_is_found_behind_wrong_ones() {
    let mut aml = Vec::from(*b"\x11_S5_\x12\x08_S5_\xff_S5_");
    aml.extend(S5_QEMU);
    assert_eq!(find_s5(&aml), Some(SleepType { a: 0, b: 0 }));
}

/// The writes of a machine with this FADT, DSDT code and SSDT code.
fn writes(fadt: Vec<u8>, main: &[u8], secondary: &[u8]) -> Option<[Option<RegisterWrite>; 2]> {
    let mut memory = Pieces::default();
    memory.put(0x5000, dsdt(main));
    memory.put(0x6000, fadt);
    memory.put(0x7000, table(b"SSDT", secondary));
    let list = [0x6000u64, 0x7000].map(u64::to_le_bytes).concat();
    memory.put(0x2000, table(b"XSDT", &list));
    let read = |address, length| memory.read(address, length);
    let tables = Tables::of(&Rsdp::parse(&rsdp(0, 0x2000)).unwrap(), &read).unwrap();
    soft_off(&tables, &Fadt::parse(tables.find(b"FACP")?).unwrap())
}

const FIVE: &[u8] = b"\x08_S5_\x12\x06\x02\x0a\x05\x0a\x06";

#[test]
fn one_register_or_two() {
    let [first, second] = writes(fadt(0x5000), FIVE, b"").unwrap();
    assert_eq!(first.map(|it| (it.register.port(), it.value)), Some((Some(0x604), 5 << 10 | 1 << 13)));
    assert_eq!(second, None);
    let two = patched(fadt(0x5000), 68, &0x704u32.to_le_bytes());
    let [_, second] = writes(two, FIVE, b"").unwrap();
    assert_eq!(second.map(|it| (it.register.port(), it.value)), Some((Some(0x704), 6 << 10 | 1 << 13)));
}

#[test]
fn a_secondary_table_may_hold_the_package() {
    assert!(writes(fadt(0x5000), b"nothing here", FIVE).is_some());
    assert!(writes(fadt(0x9999), b"", FIVE).is_some(), "even without a readable DSDT");
    assert_eq!(writes(fadt(0x5000), b"nothing here", b"nor here"), None);
}

#[test]
fn a_hardware_reduced_machine_writes_its_sleep_register() {
    let mut body = fadt(0x5000)[36..].to_vec();
    body.resize(276 - 36, 0);
    let reduced = patched(table(b"FACP", &body), 112, &(1u32 << 20).to_le_bytes());
    assert_eq!(writes(reduced.clone(), FIVE, b""), None, "it has none");
    let reduced = patched(reduced, 244, &gas(0, 8, 0xfea0_0000));
    let [first, second] = writes(reduced, FIVE, b"").unwrap();
    let first = first.unwrap();
    assert_eq!((first.register.space, first.register.address), (AddressSpace::Memory, 0xfea0_0000));
    assert_eq!((first.value, second), (5 << 2 | 1 << 5, None));
}

#[test]
fn a_machine_without_any_register_cannot_be_switched_off() {
    assert_eq!(writes(patched(fadt(0x5000), 64, &[0; 4]), FIVE, b""), None);
}

#[test]
fn a_table_that_is_no_dsdt_is_not_searched() {
    assert_eq!(writes(fadt(0x7000), b"", b""), None);
    assert!(find_s5(parsed(&dsdt(FIVE)).body()).is_some());
}
