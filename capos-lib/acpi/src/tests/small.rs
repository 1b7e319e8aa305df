//! HPET and MCFG.

use super::builder::{gas, parsed, table};
use crate::{AcpiError, EcamWindow, Hpet, Mcfg, Signature};
use std::vec::Vec;

fn hpet(register: [u8; 12]) -> Vec<u8> {
    let mut body = Vec::from([0x01, 0xa2, 0x86, 0x80]);
    body.extend(register);
    body.extend([0, 0, 1, 0]);
    table(b"HPET", &body)
}

#[test]
fn the_event_timer_has_an_address() {
    let bytes = hpet(gas(0, 64, 0xfed0_0000));
    assert_eq!(Hpet::parse(parsed(&bytes)), Ok(Hpet { number: 0, address: 0xfed0_0000 }));
}

#[test]
fn an_event_timer_without_address_or_in_ports_is_refused() {
    let error = AcpiError::BadEntry { table: Signature(*b"HPET"), offset: 40 };
    for register in [gas(0, 64, 0), gas(1, 64, 0x100), gas(2, 64, 0x100)] {
        assert_eq!(Hpet::parse(parsed(&hpet(register))), Err(error));
    }
    assert!(Hpet::parse(parsed(&table(b"HPET", &[0; 16]))).is_err());
    assert!(Hpet::parse(parsed(&table(b"MCFG", &[0; 20]))).is_err());
}

fn mcfg(windows: &[(u64, u16, u8, u8)]) -> Vec<u8> {
    let mut body = Vec::from([0; 8]);
    for (address, segment, first, last) in windows {
        body.extend(address.to_le_bytes());
        body.extend(segment.to_le_bytes());
        body.extend([*first, *last, 0, 0, 0, 0]);
    }
    table(b"MCFG", &body)
}

#[test]
fn configuration_windows_are_listed() {
    let bytes = mcfg(&[(0xb000_0000, 0, 0, 255), (0x1_0000_0000, 1, 16, 16)]);
    let windows: Vec<EcamWindow> = Mcfg::parse(parsed(&bytes)).unwrap().windows().collect();
    assert_eq!(windows[0], EcamWindow { address: 0xb000_0000, segment: 0, buses: (0, 255) });
    assert_eq!(windows[1], EcamWindow { address: 0x1_0000_0000, segment: 1, buses: (16, 16) });
}

#[test]
fn a_table_without_windows_is_sound() {
    assert_eq!(Mcfg::parse(parsed(&mcfg(&[]))).unwrap().windows().count(), 0);
}

#[test]
fn broken_windows_are_refused_with_their_place() {
    let refused = |bytes: &[u8], offset| {
        let error = AcpiError::BadEntry { table: Signature(*b"MCFG"), offset };
        assert_eq!(Mcfg::parse(parsed(bytes)).err(), Some(error));
    };
    refused(&mcfg(&[(1, 0, 0, 255), (1, 0, 9, 8)]), 60);
    refused(&table(b"MCFG", &[0; 8 + 17]), 60);
    refused(&table(b"MCFG", &[0; 7]), 43);
}
