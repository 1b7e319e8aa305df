//! What functions can do, in words.

use super::{endpoint, here, with};
use crate::capability::{Extended, extended, list};
use crate::model::Device;
use crate::{Express, Function, Port, Slot, Space};
use std::string::{String, ToString};
use std::vec::Vec;

fn said(device: Device) -> Vec<String> {
    let machine = with(device);
    let function = Function::read(&machine, here()).unwrap();
    let words = |found| {
        let mut out = String::new();
        function.describe(&machine, found, &mut out).unwrap();
        out
    };
    list(&machine, here()).map(words).collect()
}

#[test]
fn a_device_that_can_everything() {
    let device = endpoint()
        .bar(0, 0xfe00_0000, 0x1000, 0)
        .capability(1, &[3, 0, 0b1011, 0, 0, 0])
        .capability(5, &[0x85, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .capability(0x11, &[0, 0x80, 0, 0, 0, 0, 0, 8, 0, 0])
        .capability(0x10, &[2, 0, 0, 0, 0, 0x10, 0, 0, 0, 0])
        .capability(9, &[0, 0])
        .capability(3, &[0, 0]);
    assert_eq!(
        said(device),
        [
            "power management, D3, keeps its state",
            "MSI on, 4 messages, 64 bits, maskable",
            "MSI-X on, 1 message, table in BAR 0 at 0x0, pending in BAR 0 at 0x800",
            "PCI Express endpoint, can be reset alone",
            "vendor's",
            "product data",
        ]
    );
}

#[test]
fn a_virtio_device() {
    let block = |kind, bar, length| [16, kind, bar, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0];
    let device = Device::new(0x1af4, 0x1044, 0)
        .bar(4, 0x80_0000_0000, 0x4000, 0b1100)
        .capability(9, &block(1, 4, 56))
        .capability(9, &block(3, 6, 1))
        .capability(9, &block(3, 5, 1));
    assert_eq!(
        said(device),
        [
            "virtio common, 56 bytes in BAR 4",
            "virtio, in no BAR",
            "the device's virtio registers are not inside of its BARs",
        ]
    );
}

#[test]
fn ports_slots_and_spaces() {
    let slot = Slot { number: 7, hot_plug: true, surprise: false, button: false, power: false };
    let root = Express { register: 0x40, port: Port::Root, can_reset: false, slot: Some(slot) };
    assert_eq!(root.to_string(), "root port, slot 7, hot plug");
    let spaces = [(true, true), (true, false), (false, true), (false, false)]
        .map(|(wide, prefetchable)| Space::Memory { wide, prefetchable }.to_string());
    assert_eq!(spaces[..2], ["memory, 64 bits, prefetchable", "memory, 64 bits"]);
    assert_eq!(spaces[2..], ["memory, 32 bits, prefetchable", "memory, 32 bits"]);
    let machine = with(endpoint().extended(&[0x0f, 0, 1, 0]));
    let found: Vec<String> = extended(&machine, here()).map(|it: Extended| it.to_string()).collect();
    assert_eq!(found, ["translating by itself"]);
}
