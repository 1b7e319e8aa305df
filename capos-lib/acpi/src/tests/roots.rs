//! From the root pointer to the list of tables.

use super::builder::{Pieces, fix_checksum, patched, rsdp, table};
use crate::{AcpiError, Rsdp, Signature, Tables};
use std::format;
use std::string::ToString;
use std::vec::Vec;

fn machine(wide: bool) -> (Pieces, Rsdp) {
    let mut memory = Pieces::default();
    memory.put(0x3000, table(b"APIC", &[0; 8]));
    memory.put(0x4000, table(b"HPET", &[0; 20]));
    let (rsdt, xsdt) = ([0x3000u32, 0x4000], [0x3000u64, 0x4000]);
    memory.put(0x1000, table(b"RSDT", &rsdt.map(u32::to_le_bytes).concat()));
    memory.put(0x2000, table(b"XSDT", &xsdt.map(u64::to_le_bytes).concat()));
    (memory, Rsdp { revision: 2, rsdt: 0x1000, xsdt: wide.then_some(0x2000) })
}

fn names(memory: &Pieces, rsdp: &Rsdp) -> Result<Vec<Signature>, AcpiError> {
    let read = |address, length| memory.read(address, length);
    let tables = Tables::of(rsdp, &read)?;
    tables.iter().map(|table| table.map(|table| table.signature())).collect()
}

#[test]
fn a_root_pointer_of_old() {
    let mut bytes = rsdp(0x1000, 0x2000);
    bytes[15] = 0;
    fix_checksum(&mut bytes[..20], 8);
    let expected = Rsdp { revision: 0, rsdt: 0x1000, xsdt: None };
    assert_eq!(Rsdp::parse(&bytes), Ok(expected));
    assert_eq!(Rsdp::parse(&bytes[..20]), Ok(expected), "20 bytes are all that it has");
}

#[test]
fn a_root_pointer_of_today() {
    let bytes = rsdp(0x1000, 0x1_0000_2000);
    assert_eq!(Rsdp::parse(&bytes), Ok(Rsdp { revision: 2, rsdt: 0x1000, xsdt: Some(0x1_0000_2000) }));
    assert_eq!(Rsdp::parse(&rsdp(0x1000, 0)).map(|it| it.xsdt), Ok(None));
}

#[test]
fn every_changed_byte_of_a_root_pointer_is_noticed() {
    let good = rsdp(0x1000, 0x2000);
    for at in 0..36 {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        // The length may also grow beyond what is summed today, which is no error.
        if !(20..24).contains(&at) {
            assert_eq!(Rsdp::parse(&bytes), Err(AcpiError::NoRootPointer), "byte {at}");
        }
    }
    for len in 0..36 {
        assert_eq!(Rsdp::parse(&good[..len]), Err(AcpiError::NoRootPointer), "{len} bytes");
    }
}

#[test]
fn a_longer_root_pointer_is_read_as_far_as_it_is_known() {
    let mut bytes = rsdp(0x1000, 0x2000);
    bytes[20] = 48;
    assert!(Rsdp::parse(&bytes).is_ok());
    bytes[20] = 35;
    assert_eq!(Rsdp::parse(&bytes), Err(AcpiError::NoRootPointer));
}

#[test]
fn tables_are_listed_by_either_root() {
    for wide in [true, false] {
        let (memory, rsdp) = machine(wide);
        assert_eq!(names(&memory, &rsdp), Ok(Vec::from([Signature(*b"APIC"), Signature(*b"HPET")])));
    }
}

#[test]
fn a_broken_wide_root_gives_way_to_the_narrow_one() {
    let (mut memory, mut rsdp) = machine(true);
    memory.put(0x9000, table(b"XXXX", &[0; 16]));
    rsdp.xsdt = Some(0x9000);
    assert_eq!(names(&memory, &rsdp).map(|it| it.len()), Ok(2));
    rsdp.rsdt = 0;
    let wrong = AcpiError::WrongTable { expected: Signature(*b"XSDT"), found: Signature(*b"XXXX") };
    assert_eq!(names(&memory, &rsdp), Err(wrong));
}

#[test]
fn one_broken_table_does_not_hide_the_others() {
    let (mut memory, rsdp) = machine(true);
    memory = {
        let mut changed = Pieces::default();
        let mut bad = memory.read(0x3000, 44).unwrap().to_vec();
        bad[40] ^= 1;
        changed.put(0x3000, bad);
        changed.put(0x4000, memory.read(0x4000, 56).unwrap().to_vec());
        changed.put(0x2000, memory.read(0x2000, 52).unwrap().to_vec());
        changed
    };
    let read = |address, length| memory.read(address, length);
    let tables = Tables::of(&rsdp, &read).unwrap();
    assert_eq!(tables.table(0).unwrap().err(), Some(AcpiError::BadChecksum(Signature(*b"APIC"))));
    assert!(tables.find(b"APIC").is_none());
    assert!(tables.find(b"HPET").is_some());
    assert!(tables.table(2).is_none());
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let (_, rsdp) = machine(true);
    for length in [0u32, 35, 17 << 20, u32::MAX] {
        let mut memory = Pieces::default();
        memory.put(0x2000, patched(table(b"XSDT", &[]), 4, &length.to_le_bytes()));
        let narrow = Rsdp { rsdt: 0, ..rsdp };
        let error = AcpiError::BadLength { table: Signature(*b"XSDT"), length };
        assert_eq!(names(&memory, &narrow), Err(error));
    }
}

#[test]
fn a_table_outside_of_memory_is_an_error_of_its_own() {
    let (memory, rsdp) = machine(true);
    let read = |address, length| memory.read(address, length);
    let tables = Tables::of(&rsdp, &read).unwrap();
    assert_eq!(tables.load(u64::MAX).err(), Some(AcpiError::Unreadable(Signature(*b"????"))));
    let mut short = Pieces::default();
    short.put(0x2000, memory.read(0x2000, 40).unwrap().to_vec());
    let narrow = Rsdp { rsdt: 0, ..rsdp };
    assert_eq!(names(&short, &narrow), Err(AcpiError::Unreadable(Signature(*b"XSDT"))));
}

#[test]
fn a_list_of_a_thousand_tables_is_cut() {
    let mut memory = Pieces::default();
    memory.put(0x2000, table(b"XSDT", &[0; 8000]));
    let read = |address, length| memory.read(address, length);
    let rsdp = Rsdp { revision: 2, rsdt: 0, xsdt: Some(0x2000) };
    assert_eq!(Tables::of(&rsdp, &read).map(|it| it.count()), Ok(256));
}

#[test]
fn half_an_address_at_the_end_is_ignored() {
    let mut memory = Pieces::default();
    memory.put(0x2000, table(b"XSDT", &[0; 12]));
    let read = |address, length| memory.read(address, length);
    let rsdp = Rsdp { revision: 2, rsdt: 0, xsdt: Some(0x2000) };
    assert_eq!(Tables::of(&rsdp, &read).map(|it| it.count()), Ok(1));
}

#[test]
fn errors_blame_the_firmware_and_name_the_table() {
    let name = Signature(*b"AP\0C");
    assert_eq!(name.to_string(), "AP?C");
    for error in [
        AcpiError::NoRootPointer,
        AcpiError::Unreadable(name),
        AcpiError::BadChecksum(name),
        AcpiError::BadEntry { table: name, offset: 44 },
        AcpiError::BadLength { table: name, length: 1 },
        AcpiError::WrongTable { expected: name, found: name },
    ] {
        assert!(format!("{error}").starts_with("firmware's ACPI "), "{error}");
    }
}

#[test]
fn a_table_knows_its_parts() {
    let bytes = table(b"TEST", b"body");
    let parsed = super::builder::parsed(&bytes);
    assert_eq!((parsed.signature().0, parsed.revision(), parsed.body()), (*b"TEST", 1, &b"body"[..]));
    assert_eq!(parsed.bytes().len(), 40);
}
