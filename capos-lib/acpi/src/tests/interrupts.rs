//! The table of interrupt controllers.

use super::builder::{parsed, table};
use crate::{AcpiError, IsaRoute, Madt, MadtEntry, Signalling, Signature};
use std::vec::Vec;

const LEVEL_LOW: Signalling = Signalling { active_low: true, level: true };

fn madt(entries: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::from(0xfee0_0000u32.to_le_bytes());
    body.extend(1u32.to_le_bytes());
    entries.iter().for_each(|entry| body.extend(*entry));
    table(b"APIC", &body)
}

const CPU0: &[u8] = &[0, 8, 0, 0, 1, 0, 0, 0];
const CPU1_OFF: &[u8] = &[0, 8, 1, 1, 0, 0, 0, 0];
const CPU2_LATER: &[u8] = &[0, 8, 2, 2, 2, 0, 0, 0];
const X2: &[u8] = &[9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0];
const IO: &[u8] = &[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0];
const TIMER: &[u8] = &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0];
const SCI: &[u8] = &[2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0];

fn entries(bytes: &[u8]) -> Vec<MadtEntry> {
    Madt::parse(parsed(bytes)).unwrap().entries().collect()
}

#[test]
fn processors_are_listed_when_they_may_be_started() {
    let bytes = madt(&[CPU0, CPU1_OFF, CPU2_LATER, X2]);
    let madt = Madt::parse(parsed(&bytes)).unwrap();
    assert_eq!(madt.processors().collect::<Vec<_>>(), [0, 256]);
    let later = MadtEntry::Processor { apic_id: 2, enabled: false, online_capable: true };
    assert!(madt.entries().any(|entry| entry == later));
}

#[test]
fn io_apics_and_the_local_apic_have_addresses() {
    let bytes = madt(&[IO]);
    let madt = Madt::parse(parsed(&bytes)).unwrap();
    assert_eq!(madt.local_apic(), 0xfee0_0000);
    assert!(madt.has_legacy_pics());
    let first = MadtEntry::IoApic { id: 0, address: 0xfec0_0000, gsi_base: 0 };
    assert_eq!(madt.entries().next(), Some(first));
}

#[test]
fn the_local_apic_may_be_moved_beyond_four_gigabytes() {
    let moved = [5, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    let bytes = madt(&[CPU0, &moved]);
    assert_eq!(Madt::parse(parsed(&bytes)).unwrap().local_apic(), 0x1_0000_0000);
}

#[test]
fn isa_lines_are_wired_one_to_one_unless_overridden() {
    let bytes = madt(&[TIMER, SCI]);
    let madt = Madt::parse(parsed(&bytes)).unwrap();
    assert_eq!(madt.isa(0), IsaRoute { gsi: 2, signalling: Signalling::ISA });
    assert_eq!(madt.isa(4), IsaRoute { gsi: 4, signalling: Signalling::ISA });
    assert_eq!(madt.isa(9), IsaRoute { gsi: 9, signalling: LEVEL_LOW });
}

#[test]
fn signalling_follows_the_flags_of_the_specification() {
    let of = |flags: u8| {
        let bytes = madt(&[&[2, 10, 0, 5, 5, 0, 0, 0, flags, 0]]);
        Madt::parse(parsed(&bytes)).unwrap().isa(5).signalling
    };
    // Polarity in bits 0 and 1, trigger mode in bits 2 and 3; 2 is reserved.
    assert_eq!(of(0b00_00), Signalling::ISA);
    assert_eq!(of(0b01_01), Signalling::ISA);
    assert_eq!(of(0b10_10), Signalling::ISA);
    assert_eq!(of(0b11_01), Signalling { active_low: false, level: true });
    assert_eq!(of(0b01_11), Signalling { active_low: true, level: false });
    assert_eq!(of(0b11_11), LEVEL_LOW);
}

#[test]
fn lines_of_pci_follow_overrides_and_else_their_bus() {
    // As QEMU has them: active high, which PCI is not, by level.
    let wired = [2, 10, 0, 10, 20, 0, 0, 0, 0b11_01, 0];
    let as_the_bus = [2, 10, 0, 11, 11, 0, 0, 0, 0, 0];
    let bytes = madt(&[TIMER, &wired, &as_the_bus]);
    let madt = Madt::parse(parsed(&bytes)).unwrap();
    let high = Signalling { active_low: false, level: true };
    assert_eq!(madt.pci(10), IsaRoute { gsi: 20, signalling: high });
    assert_eq!(madt.pci(11), IsaRoute { gsi: 11, signalling: LEVEL_LOW });
    assert_eq!(madt.pci(5), IsaRoute { gsi: 5, signalling: LEVEL_LOW });
}

#[test]
fn non_maskable_interrupts_of_both_kinds() {
    let source = [3, 8, 0x0f, 0, 17, 0, 0, 0];
    let all = [4, 6, 0xff, 0, 0, 1];
    let one = [4, 6, 3, 0x0f, 0, 0];
    let wide = [10, 12, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0];
    assert_eq!(
        entries(&madt(&[&source, &all, &one, &wide])),
        [
            MadtEntry::NmiSource { gsi: 17, signalling: LEVEL_LOW },
            MadtEntry::LocalNmi { processor: None, lint: 1, signalling: Signalling::ISA },
            MadtEntry::LocalNmi { processor: Some(3), lint: 0, signalling: LEVEL_LOW },
            MadtEntry::LocalNmi { processor: None, lint: 1, signalling: Signalling::ISA },
        ]
    );
}

#[test]
fn unknown_kinds_are_passed_over() {
    assert_eq!(entries(&madt(&[&[0x80, 3, 9], CPU0])).first(), Some(&MadtEntry::Other(0x80)));
    assert_eq!(entries(&madt(&[&[0x80, 2], CPU0])).len(), 2);
}

#[test]
fn entries_that_do_not_fit_are_refused_with_their_place() {
    let refused = |entries: &[&[u8]], offset| {
        let bytes = madt(entries);
        let error = AcpiError::BadEntry { table: Signature(*b"APIC"), offset };
        assert_eq!(Madt::parse(parsed(&bytes)).err(), Some(error));
    };
    refused(&[&[0, 0]], 44);
    refused(&[&[0, 1]], 44);
    refused(&[&[0]], 44);
    refused(&[CPU0, &[0, 9, 0, 0, 1, 0, 0, 0]], 52);
    for (kind, len) in [(0u8, 7u8), (1, 11), (2, 9), (3, 7), (4, 5), (5, 11), (9, 11), (10, 8)] {
        let mut short = std::vec![0; usize::from(len)];
        (short[0], short[1]) = (kind, len);
        refused(&[CPU0, IO, &short], 64);
    }
}

#[test]
fn another_table_is_not_this_one() {
    let bytes = table(b"HPET", &[0; 40]);
    let error = AcpiError::WrongTable { expected: Signature(*b"APIC"), found: Signature(*b"HPET") };
    assert_eq!(Madt::parse(parsed(&bytes)).err(), Some(error));
    assert!(Madt::parse(parsed(&table(b"APIC", &[0; 7]))).is_err());
}
