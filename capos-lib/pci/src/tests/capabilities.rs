//! Lists of capabilities, PCI Express, power management.

use super::{HERE, endpoint, here, read, with};
use crate::capability::{extended, id, list};
use crate::model::Device;
use crate::{Express, Fault, Function, Port, Slot, SlotState};
use std::vec::Vec;

fn ids(device: Device) -> Vec<(u8, u16)> {
    list(&with(device), here()).map(|found| (found.id, found.register)).collect()
}

fn spoiled(changes: &[(usize, u8)]) -> Vec<(u8, u16)> {
    let mut device = endpoint().capability(1, &[0; 6]).capability(5, &[0; 8]);
    changes.iter().for_each(|(at, byte)| device.put(*at, &[*byte]));
    ids(device)
}

#[test]
fn the_list_is_in_order() {
    assert_eq!(spoiled(&[]), [(1, 0x40), (5, 0x48)]);
    assert_eq!(ids(endpoint()), []);
    // Firmware may have left the pointer where the device says that there is no list.
    assert_eq!(spoiled(&[(0x06, 0)]), []);
    // The low two bits are reserved, and id 0 is one that was given up.
    assert_eq!(spoiled(&[(0x34, 0x43), (0x40, 0)]), [(0, 0x40), (5, 0x48)]);
}

#[test]
fn a_list_that_leads_anywhere_ends() {
    assert_eq!(spoiled(&[(0x49, 0x40)]), [(1, 0x40), (5, 0x48)]);
    assert_eq!(spoiled(&[(0x41, 0x41)]), [(1, 0x40)]);
    assert_eq!(spoiled(&[(0x41, 0x10)]), [(1, 0x40)]);
    assert_eq!(spoiled(&[(0x48, 0xff)]), [(1, 0x40)]);
    let forward = |at: u8| if at % 4 == 1 { at.wrapping_add(3) } else { 0x10 };
    let mut whole = Device::of((0..=255).map(forward).collect());
    whole.put(0x34, &[0x40]);
    assert_eq!(ids(whole).len(), 48);
}

#[test]
fn the_extended_list_ends_as_well() {
    let of = |words: &[u32]| -> Vec<(u16, u8, u16)> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let machine = with(endpoint().extended(&bytes));
        extended(&machine, here()).map(|it| (it.id, it.version, it.register)).collect()
    };
    assert_eq!(of(&[0x1081_000f, 0, 0x1001_0003]), [(0x0f, 1, 0x100), (3, 1, 0x108)]);
    assert_eq!((of(&[]), of(&[u32::MAX])), (Vec::new(), Vec::new()));
    assert_eq!(of(&[0x1041_0001, 0x1001_0002]).len(), 2);
    assert_eq!(of(&[0x0041_0001, 0x1001_0002]).len(), 1);
    assert_eq!(extended(&with(endpoint()), here()).count(), 0);
}

/// Flags, device capabilities with or without the function's reset, then zeros up to the end of the slot's registers.
fn body(flags: u16, reset: bool, slot: u32) -> Vec<u8> {
    let mut out = Vec::from(flags.to_le_bytes());
    out.extend((u32::from(reset) << 28).to_le_bytes());
    out.extend([0; 12]);
    out.extend(slot.to_le_bytes());
    out.extend([0; 0x3c - 0x18]);
    out
}

#[test]
fn ports_of_every_kind() {
    let kinds = [
        (0, Port::Endpoint),
        (1, Port::LegacyEndpoint),
        (4, Port::Root),
        (5, Port::Upstream),
        (6, Port::Downstream),
        (7, Port::ToPci),
        (8, Port::FromPci),
        (9, Port::IntegratedEndpoint),
        (10, Port::EventCollector),
        (3, Port::Other(3)),
    ];
    for (number, port) in kinds {
        let found = read(endpoint().capability(id::EXPRESS, &body(2 | number << 4, false, 0))).express;
        assert_eq!(found, Some(Express { register: 0x40, port, can_reset: false, slot: None }));
    }
}

#[test]
fn a_function_that_can_be_reset_is() {
    for can in [true, false] {
        let machine = with(endpoint().capability(id::EXPRESS, &body(2, can, 0)));
        let express = Function::read(&machine, here()).unwrap().express.unwrap();
        assert_eq!(express.reset(&machine, here()), can);
        assert_eq!(machine.with(HERE, |device| device.get(0x48) & 0x8000 != 0), Some(can));
    }
    let machine = with(endpoint().capability(id::EXPRESS, &body(2, true, 0)));
    let express = Function::read(&machine, here()).unwrap().express.unwrap();
    assert!(!express.has_transactions_pending(&machine, here()));
    machine.with(HERE, |device| device.put(0x4a, &[0x20]));
    assert!(express.has_transactions_pending(&machine, here()));
}

#[test]
fn a_slot_reports_and_is_acknowledged() {
    let mut port =
        endpoint().capability(id::EXPRESS, &body(2 | 4 << 4 | 1 << 8, false, 7 << 19 | 0b110_0011));
    port.allow(0x40 + 0x1a, &[0, 0]);
    port.clear_by_writing(0x40 + 0x1a, &[0x1f, 1]);
    port.put(0x40 + 0x1a, &[0x49, 1]);
    let machine = with(port);
    let express = Function::read(&machine, here()).unwrap().express.unwrap();
    let slot = Slot { number: 7, hot_plug: true, surprise: true, button: true, power: true };
    assert_eq!(express.slot, Some(slot));
    let both = SlotState { occupied: true, button_pressed: true, changed: true };
    assert_eq!(express.slot_state(&machine, here(), false), Some(both));
    machine.writes();
    assert_eq!(express.slot_state(&machine, here(), true), Some(both));
    // Only events: other bits of the register may get a meaning.
    assert_eq!(machine.writes(), [(here(), 0x5a, 0x0109)]);
    let now = SlotState { occupied: true, button_pressed: false, changed: false };
    assert_eq!(express.slot_state(&machine, here(), true), Some(now));
    // Interrupts go off with the first word, whatever firmware wanted.
    machine.with(HERE, |device| device.put(0x58, &[0x29, 0]));
    let control = || machine.with(HERE, |device| device.get(0x58) & 0xffff);
    express.power_slot(&machine, here(), false);
    assert_eq!(control(), Some(0x0700));
    express.power_slot(&machine, here(), true);
    assert_eq!(control(), Some(0x0100));
    // A port without one, and a device that says it has one.
    for flags in [2 | 4 << 4, 2 | 1 << 8] {
        let machine = with(endpoint().capability(id::EXPRESS, &body(flags, false, u32::MAX)));
        let express = Function::read(&machine, here()).unwrap().express.unwrap();
        assert_eq!((express.slot, express.slot_state(&machine, here(), true)), (None, None));
        machine.writes();
        express.power_slot(&machine, here(), true);
        assert!(machine.writes().is_empty());
    }
}

#[test]
fn power_states_are_set_without_acknowledging_events() {
    let machine = with(endpoint().capability(id::POWER, &[3, 0, 0b1000, 0x80, 0, 0]));
    let power = Function::read(&machine, here()).unwrap().power.unwrap();
    assert!(power.no_soft_reset && power.state(&machine, here()) == 0);
    machine.writes();
    power.set_state(&machine, here(), 3);
    assert_eq!(machine.writes(), [(here(), 0x44, 0b1011)]);
    assert_eq!(power.state(&machine, here()), 3);
    let machine = with(endpoint().capability(id::POWER, &[3, 0, 0, 0, 0, 0]));
    assert!(!Function::read(&machine, here()).unwrap().power.unwrap().no_soft_reset);
}

#[test]
fn capabilities_at_the_end_of_space_are_refused() {
    let last = |id: u8, register: u8| {
        let mut device = endpoint();
        device.put(0x06, &[0x10]);
        device.put(0x34, &[register]);
        device.put(usize::from(register), &[id, 0]);
        read(device).fault
    };
    for (id, fits) in [(id::POWER, 0xf8), (id::MSI, 0xf4), (id::EXPRESS, 0xf4)] {
        assert_eq!((last(id, fits), last(id, fits + 4)), (None, Some(Fault::Truncated(id))), "{id}");
    }
    assert_eq!(last(id::MSIX, 0xf8), Some(Fault::Truncated(id::MSIX)));
    assert_eq!(last(0x42, 0xfc), None);
}
