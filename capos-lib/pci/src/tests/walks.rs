//! Buses behind bridges.

use super::endpoint;
use crate::model::{Device, Machine};
use crate::walk;
use std::vec::Vec;

fn bridge(secondary: u8, subordinate: u8) -> Device {
    Device::new(0x1b36, 0x000c, 0x06_0400).bridge(secondary, subordinate)
}

fn host() -> Device {
    Device::new(0x8086, 0x29c0, 0x06_0000)
}

fn seen(functions: &[(u32, Device)]) -> Vec<u32> {
    let machine = Machine::new();
    functions.iter().for_each(|(address, device)| machine.plug(*address, device.clone()));
    let mut seen = Vec::new();
    walk(&machine, |at, _| seen.push(at.number()));
    assert!(machine.writes().is_empty());
    seen
}

#[test]
fn bridges_behind_bridges() {
    let machine = [
        (0x0000, host()),
        (0x0010, bridge(1, 3)),
        (0x0100, bridge(2, 3)),
        (0x0218, bridge(3, 3)),
        (0x03f8, endpoint()),
    ];
    assert_eq!(seen(&machine), [0x0000, 0x0010, 0x0100, 0x0218, 0x03f8]);
    // What no bridge leads to is not there.
    assert_eq!(seen(&[(0x0000, host()), (0x0100, endpoint())]), [0x0000]);
}

#[test]
fn functions_of_a_device() {
    let several = [(0x0018, endpoint().multifunction()), (0x001a, endpoint()), (0x001f, endpoint())];
    assert_eq!(seen(&several), [0x0018, 0x001a, 0x001f]);
    assert_eq!(seen(&[(0x0018, endpoint()), (0x001a, endpoint())]), [0x0018]);
    // Without function 0 there is no device.
    assert_eq!(seen(&[(0x0019, endpoint())]), []);
    assert_eq!(
        seen(&[(0x0018, bridge(1, 1).multifunction()), (0x0019, bridge(2, 2)), (0x0200, endpoint())]),
        [0x0018, 0x0019, 0x0200]
    );
}

#[test]
fn bridges_that_lead_back_or_to_one_bus_lead_there_once() {
    let machine =
        [(0x0008, bridge(1, 255)), (0x0010, bridge(1, 1)), (0x0100, bridge(1, 1)), (0x0108, bridge(0, 9))];
    assert_eq!(seen(&machine), [0x0008, 0x0010, 0x0100, 0x0108]);
}

#[test]
fn the_last_of_everything() {
    let machine = [(0x0008, bridge(255, 255)), (0xfff8, endpoint().multifunction()), (0xffff, endpoint())];
    assert_eq!(seen(&machine), [0x0008, 0xfff8, 0xffff]);
}

#[test]
fn a_second_root_has_all_buses_looked_at() {
    let machine = [(0x0000, host()), (0x0010, host()), (0x8000, bridge(0x81, 0x82)), (0x8100, endpoint())];
    assert_eq!(seen(&machine), [0x0000, 0x0010, 0x8000, 0x8100]);
}
