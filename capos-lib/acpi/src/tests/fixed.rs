//! The fixed description table.

use super::builder::{fadt, gas, parsed, patched, table};
use crate::{AddressSpace, Fadt, GenericAddress, PortBlock};
use std::vec::Vec;

fn long() -> Vec<u8> {
    let mut body = fadt(0x5000)[36..].to_vec();
    body.resize(276 - 36, 0);
    table(b"FACP", &body)
}

fn io(bits: u8, port: u64) -> GenericAddress {
    GenericAddress { space: AddressSpace::Io, bit_width: bits, address: port }
}

#[test]
fn registers_of_an_old_table() {
    let bytes = fadt(0x5000);
    let fadt = Fadt::parse(parsed(&bytes)).unwrap();
    assert_eq!(fadt.dsdt(), Some(0x5000));
    assert_eq!(fadt.pm1_control(), [Some(io(16, 0x604)), None]);
    assert_eq!(fadt.reset(), Some((io(8, 0xcf9), 0x0f)));
    assert_eq!((fadt.sci_interrupt(), fadt.century_register()), (Some(9), Some(0x32)));
    assert_eq!(fadt.enable(), Some((0xb2, 2)));
    assert_eq!((fadt.sleep_control(), fadt.sleep_status()), (None, None));
    assert!(!fadt.is_hardware_reduced());
}

#[test]
fn wide_fields_go_before_narrow_ones() {
    let bytes = patched(long(), 140, &0x1_0000_5000u64.to_le_bytes());
    let bytes = patched(bytes, 172, &gas(1, 16, 0x1804));
    let fadt = Fadt::parse(parsed(&bytes)).unwrap();
    assert_eq!(fadt.dsdt(), Some(0x1_0000_5000));
    assert_eq!(fadt.pm1_control(), [Some(io(16, 0x1804)), None]);
}

#[test]
fn a_second_control_register() {
    let bytes = patched(fadt(0), 68, &0x704u32.to_le_bytes());
    let fadt = Fadt::parse(parsed(&bytes)).unwrap();
    assert_eq!(fadt.pm1_control()[1], Some(io(16, 0x704)));
    assert_eq!(fadt.dsdt(), None);
}

#[test]
fn reset_counts_only_when_the_flag_says_so() {
    let bytes = patched(fadt(0), 112, &0u32.to_le_bytes());
    assert_eq!(Fadt::parse(parsed(&bytes)).unwrap().reset(), None);
}

#[test]
fn a_hardware_reduced_machine_has_no_fixed_registers() {
    let bytes = patched(long(), 112, &(1u32 << 20 | 1 << 10).to_le_bytes());
    let bytes = patched(bytes, 244, &gas(0, 8, 0xfea0_0000));
    let bytes = patched(bytes, 116, &gas(0, 8, 0xfea0_0002));
    let fadt = Fadt::parse(parsed(&bytes)).unwrap();
    assert!(fadt.is_hardware_reduced());
    assert_eq!((fadt.pm1_control(), fadt.sci_interrupt(), fadt.enable()), ([None, None], None, None));
    assert_eq!(fadt.sleep_control().map(|it| (it.space, it.port())), Some((AddressSpace::Memory, None)));
    assert_eq!(fadt.ports().count(), 0);
}

#[test]
fn the_ports_of_power_management_are_all_listed() {
    let bytes = fadt(0);
    let fadt = Fadt::parse(parsed(&bytes)).unwrap();
    let ports: Vec<(u16, u16)> = fadt.ports().map(|PortBlock { base, length }| (base, length)).collect();
    assert_eq!(ports, [(0xb2, 1), (0x600, 4), (0x604, 2), (0x608, 4), (0x620, 16), (0xcf9, 1)]);
}

#[test]
fn ports_beyond_the_last_are_no_ports() {
    let bytes = patched(fadt(0), 56, &0x1_0600u32.to_le_bytes());
    let bytes = patched(bytes, 48, &0x1_00b2u32.to_le_bytes());
    let fadt = Fadt::parse(parsed(&bytes)).unwrap();
    assert!(fadt.ports().all(|block| block.base != 0x600 && block.base != 0xb2));
    assert_eq!(fadt.enable(), None);
    assert_eq!(io(8, 0x1_0000).port(), None);
}

#[test]
fn a_machine_that_is_always_in_acpi_mode() {
    let bytes = patched(fadt(0), 48, &0u32.to_le_bytes());
    assert_eq!(Fadt::parse(parsed(&bytes)).unwrap().enable(), None);
    let bytes = patched(fadt(0), 52, &[0]);
    assert_eq!(Fadt::parse(parsed(&bytes)).unwrap().enable(), None);
}

#[test]
fn a_table_that_ends_before_its_flags_is_refused() {
    let whole = fadt(0);
    assert!(Fadt::parse(parsed(&table(b"FACP", &whole[36..115]))).is_err());
    assert!(Fadt::parse(parsed(&table(b"FACP", &whole[36..116]))).is_ok());
    assert!(Fadt::parse(parsed(&table(b"DSDT", &whole[36..]))).is_err());
}
