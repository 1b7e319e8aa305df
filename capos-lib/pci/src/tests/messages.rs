//! Interrupts as messages.

use super::{HERE, endpoint, here, read, with};
use crate::capability::id;
use crate::{Fault, Function, Msi, MsiX};
use std::vec::Vec;

fn msi(control: u16) -> Vec<u8> {
    let mut body = Vec::from(control.to_le_bytes());
    body.extend([0; 20]);
    body
}

#[test]
fn messages_in_configuration_space() {
    let of = |control| read(endpoint().capability(id::MSI, &msi(control))).msi.unwrap();
    assert_eq!(of(0), Msi { register: 0x40, vectors: 1, wide: false, maskable: false });
    assert_eq!(of(0x018a), Msi { register: 0x40, vectors: 32, wide: true, maskable: true });
    assert_eq!((of(0x0c).vectors, of(0x0e).vectors), (1, 1));
}

#[test]
fn a_message_is_written_where_the_device_has_it() {
    for (control, address, words) in [
        (0x00, 0xfee0_0000u64, [(0x44, 0xfee0_0000), (0x48, 0x41)].as_slice()),
        (0x80, 0x1_fee0_0000, &[(0x44, 0xfee0_0000), (0x48, 1), (0x4c, 0x41)]),
        (0x100, 0xfee0_0000, &[(0x44, 0xfee0_0000), (0x48, 0x41), (0x4c, 0)]),
        (0x180, 0xfee0_0000, &[(0x44, 0xfee0_0000), (0x48, 0), (0x4c, 0x41), (0x50, 0)]),
    ] {
        let machine = with(endpoint().capability(id::MSI, &msi(control)));
        let msi = Function::read(&machine, here()).unwrap().msi.unwrap();
        machine.writes();
        assert!(msi.set(&machine, here(), address, 0x41));
        let written: Vec<(u16, u32)> = machine.writes().iter().map(|it| (it.1, it.2)).collect();
        assert_eq!(written, words, "{control:#x}");
        assert_eq!(msi.set_masked(&machine, here(), true), control & 0x100 != 0);
    }
    let machine = with(endpoint().capability(id::MSI, &msi(0)));
    let msi = Function::read(&machine, here()).unwrap().msi.unwrap();
    machine.writes();
    assert!(!msi.set(&machine, here(), 1 << 32, 0x41));
    assert!(machine.writes().is_empty());
}

#[test]
fn one_message_is_enabled_whatever_firmware_left() {
    let machine = with(endpoint().capability(id::MSI, &msi(0x00ff)));
    let msi = Function::read(&machine, here()).unwrap().msi.unwrap();
    msi.enable(&machine, here(), true);
    assert_eq!(machine.with(HERE, |device| device.get(0x40) >> 16), Some(0x008f));
    assert!(msi.is_enabled(&machine, here()));
    msi.enable(&machine, here(), false);
    assert!(!msi.is_enabled(&machine, here()));
}

fn msix(vectors: u16, table: u32, pending: u32) -> Vec<u8> {
    let mut body = Vec::from((vectors - 1).to_le_bytes());
    body.extend(table.to_le_bytes());
    body.extend(pending.to_le_bytes());
    body
}

/// With 4 KiB of memory in register 0, 32 KiB in 2 and ports in 4.
fn tables(vectors: u16, table: u32, pending: u32) -> Function {
    let device = endpoint().bar(0, 0xfe00_0000, 0x1000, 0).bar(2, 0x1_0000_0000, 0x8000, 0b100);
    read(device.bar(4, 0xc000, 0x100, 1).capability(id::MSIX, &msix(vectors, table, pending)))
}

#[test]
fn tables_lie_inside_of_the_devices_memory() {
    let found = tables(3, 0x800, 0xc00).msix.unwrap();
    assert_eq!(found, MsiX { register: 0x40, vectors: 3, table: (0, 0x800), pending: (0, 0xc00) });
    assert_eq!((found.table_bytes(), found.pending_bytes()), (48, 8));
    assert_eq!((found.entry(0), found.entry(2), found.entry(3)), (Some(0), Some(0x20), None));
    let most = tables(2048, 2, 0).msix.unwrap();
    assert_eq!((most.vectors, most.table, most.pending_bytes()), (2048, (2, 0), 256));
}

#[test]
fn tables_that_lie_elsewhere_are_refused() {
    let wrong = [
        // Beyond the end by one entry, or by one word of pending bits.
        (2, 0xff0, 0),
        (1, 0, 0x1000),
        (2048, 0, 2),
        // In ports, in a register that is not there, in the upper half of another one, in one that cannot be.
        (1, 4, 0),
        (1, 1, 0),
        (1, 0, 3),
        (1, 6, 0),
        (1, 0, 7),
        // The same bytes.
        (1, 0, 0),
        (2, 0, 0x18),
        (129, 0x10, 0),
    ];
    for (vectors, table, pending) in wrong {
        let function = tables(vectors, table, pending);
        assert_eq!((function.fault, function.msix), (Some(Fault::Messages), None), "{table:#x} {pending:#x}");
    }
    for (vectors, table, pending) in [(2, 0xfe0, 0), (1, 0, 0xff8), (2, 0, 0x20), (64, 8, 0), (1, 2, 0)] {
        assert_eq!(tables(vectors, table, pending).fault, None, "{table:#x} {pending:#x}");
    }
}

#[test]
fn messages_by_table_are_enabled_and_masked_together() {
    let machine = with(endpoint().bar(0, 0xfe00_0000, 0x1000, 0).capability(id::MSIX, &msix(4, 0, 0x800)));
    let msix = Function::read(&machine, here()).unwrap().msix.unwrap();
    let control = || machine.with(HERE, |device| device.get(0x40) >> 16);
    msix.enable(&machine, here(), true, true);
    assert_eq!((control(), msix.is_enabled(&machine, here())), (Some(0xc003), true));
    msix.enable(&machine, here(), true, false);
    assert_eq!(control(), Some(0x8003));
    msix.enable(&machine, here(), false, false);
    assert_eq!((control(), msix.is_enabled(&machine, here())), (Some(0x0003), false));
}
