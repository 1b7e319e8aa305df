use super::{endpoint, here, with};
use crate::model::Device;
use crate::{Function, Shown};
use std::vec::Vec;

/// Words that a driver may see, from `first` to `end`.
fn shown(device: Device, first: u16, end: u16) -> Vec<u16> {
    let machine = with(device);
    let function = Function::read(&machine, here()).unwrap();
    let shown = Shown::of(&function, &machine);
    (first..end).step_by(4).filter(|register| shown.has(*register)).collect()
}

fn words(first: u16, end: u16) -> impl Iterator<Item = u16> {
    (first..end).step_by(4)
}

#[test]
fn of_the_header_all_but_base_addresses() {
    let seen: Vec<u16> = words(0, 0x10).chain(words(0x28, 0x30)).chain(words(0x34, 0x40)).collect();
    assert_eq!(shown(endpoint(), 0, 0x1000), seen);
}

#[test]
fn of_capabilities_what_is_known_to_be_harmless() {
    // Messages: address and data behind the first word. Power, messages by a table; what nobody knows.
    let device = endpoint()
        .capability(0x05, &[0; 22])
        .capability(0x01, &[0; 6])
        .capability(0x11, &[0; 10])
        .capability(0x09, &[16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .capability(0x7f, &[0; 14]);
    let seen: Vec<u16> = words(0x40, 0x44)
        .chain(words(0x58, 0x60))
        .chain(words(0x60, 0x6c))
        .chain(words(0x6c, 0x70))
        .chain(words(0x7c, 0x80))
        .collect();
    assert_eq!(shown(device, 0x40, 0x100), seen);
    // Of a virtio device's blocks all, but for the one that reads registers.
    let block = |kind| [16, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut device = endpoint().capability(0x09, &block(1)).capability(0x09, &block(5));
    device.put(0, &[0xf4, 0x1a]);
    assert_eq!(shown(device, 0x40, 0x100), words(0x40, 0x54).collect::<Vec<_>>());
}

#[test]
fn of_virtual_functions_not_where_they_are_and_of_errors_not_by_what() {
    let mut body = std::vec![0x10, 0, 1, 0x14];
    body.resize(0x40, 0xee);
    body.extend([0x01, 0, 2, 0x18]);
    body.resize(0x80, 0xee);
    body.extend([0x15, 0, 1, 0x1c]);
    body.resize(0xc0, 0xee);
    // Multicast has addresses.
    body.extend([0x12, 0, 1, 0]);
    let device = || endpoint().extended(&body);
    let seen: Vec<u16> = words(0x100, 0x124)
        .chain(words(0x140, 0x15c))
        .chain(words(0x180, 0x1b4))
        .chain(words(0x1c0, 0x1c4))
        .collect();
    assert_eq!(shown(device().capability(0x10, &[0; 0x3a]), 0x100, 0x1000), seen);
    assert_eq!(shown(device(), 0x100, 0x1000), [], "no PCI Express");
}

#[test]
fn what_one_capability_hides_another_does_not_show() {
    // MSI-X would have three words, and in the second one messages begin, whose address is the third.
    let device = endpoint().capability(0x11, &[0; 2]).capability(0x05, &[0; 14]);
    assert_eq!(shown(device, 0x40, 0x100), [0x40, 0x44]);
    // Multicast, which has addresses, begins in what errors would have.
    let device = endpoint().extended(&[0x01, 0, 0x82, 0x10, 0, 0, 0, 0, 0x12, 0, 1, 0]);
    assert_eq!(shown(device.capability(0x10, &[0; 0x3a]), 0x100, 0x200), [0x100, 0x104, 0x108]);
}
