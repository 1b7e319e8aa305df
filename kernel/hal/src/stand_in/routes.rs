//! Lines and messages from their claim to their end: that audits see when a device, a controller or a unit has something else than it was told, and
//! that nothing is left of them.

use super::iommu::{self, MODELS};
use super::unit::{self, Model, SOURCE};
use super::{apic::io, controller, irq, traps::vectors};
use crate::device::Registers;
use crate::fake::device::{Model as Device, put};
use crate::fake::{Session, pci};
use crate::types::{IrqLine, MessageEntry, MessagePlace, PciLine, Width};
use capos_pci::Address;
use std::boxed::Box;
use std::sync::{Arc, Mutex};

/// Nothing that interrupts go through, and every unit.
const WAYS: [Option<Model>; 4] = [None, Some(MODELS[0]), Some(MODELS[1]), Some(MODELS[2])];
const TABLE: u64 = 0xfeb0_0000;
const MESSAGES: u16 = 4;
/// A function on the first bus, which units take for the one that they know.
const AT: u32 = 0x18;

/// A table of messages.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<[u64; 4 * MESSAGES as usize]>>);

impl Table {
    fn flip(&self, word: usize, bits: u64) {
        self.0.lock().expect("no panics")[word] ^= bits;
    }
}

impl Device for Table {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        self.0.lock().expect("no panics")[offset as usize / 4]
    }

    fn write(&mut self, offset: u64, _width: Width, value: u64) {
        self.0.lock().expect("no panics")[offset as usize / 4] = value;
    }
}

/// Has everything go through that, if it is anything.
fn go_through(way: Option<Model>) {
    match way {
        Some(model) => drop(iommu::start(model)),
        None => iommu::remove(),
    }
}

/// `damage` is seen, and so is that it is undone.
fn is_seen(line: IrqLine, what: &str, damage: &dyn Fn()) {
    assert!(irq::is_as_told(line.gsi), "{what}: before");
    damage();
    assert!(!irq::is_as_told(line.gsi), "{what}");
    damage();
    assert!(irq::is_as_told(line.gsi), "{what}: afterwards");
}

/// What a unit has of a line or message; then it is given back.
fn end(line: IrqLine, way: Option<Model>) {
    let vector = vectors::IRQ + line.place;
    if way.is_some() {
        is_seen(line, "another vector", &|| unit::divert(vector));
        assert!(unit::raises(vector));
    }
    irq::release(line);
    assert!(way.is_none() || !unit::raises(vector), "{way:?}: given back");
    assert!(!irq::is_as_told(line.gsi), "nobody has it");
}

#[test]
fn messages_in_a_table() {
    let _session = Session::start(1);
    let table = Table::default();
    put(TABLE, Box::new(table.clone()));
    for (entry, way) in (0..MESSAGES).zip(WAYS) {
        go_through(way);
        let registers = Registers::in_memory(TABLE, 4096).expect("host memory");
        let place = MessagePlace::Table(registers);
        let line = irq::claim_message(MessageEntry { function: SOURCE.into(), entry, place }).expect("free");
        let first = usize::from(entry) * 4;
        for masked in [true, false] {
            for (word, bits) in [(0, 1 << 12), (0, 1 << 20), (1, 1), (2, 1), (3, 1)] {
                is_seen(line, "table", &|| table.flip(first + word, bits));
            }
            if masked {
                irq::unmask(line);
            }
        }
        end(line, way);
        assert_eq!(table.0.lock().expect("no panics")[first + 3] & 1, 1, "masked");
    }
}

#[test]
fn messages_in_configuration_space() {
    let _session = Session::start(1);
    // With 64 bits of address, and masks or none.
    for (control, wide) in [(0, false), (1 << 7, true), (1 << 7 | 1 << 8, true)] {
        for way in WAYS {
            go_through(way);
            let mut capability = [0; 22];
            capability[..2].copy_from_slice(&u16::to_le_bytes(control));
            pci::plug(AT, capos_pci::model::Device::new(1, 2, 0xff_0000).capability(5, &capability));
            let found = crate::pci::find(AT).expect("plugged in");
            let (at, msi) = (Address::new(AT).expect("in range"), found.msi.expect("it has one"));
            let place = MessagePlace::Configuration(msi);
            let line = irq::claim_message(MessageEntry { function: AT, entry: 100, place });
            let line = line.expect("free");
            let flip = |register: u16, bits: u32| {
                let register = usize::from(msi.register + register);
                let change = |device: &mut capos_pci::model::Device| {
                    let word = device.get(register) ^ bits;
                    device.put(register, &word.to_le_bytes());
                };
                pci::with(AT, change).expect("plugged in");
            };
            irq::unmask(line);
            is_seen(line, "off", &|| flip(0, 1 << 16));
            is_seen(line, "address", &|| flip(4, 1 << 12));
            is_seen(line, "data", &|| flip(if wide { 12 } else { 8 }, 1));
            if wide {
                is_seen(line, "upper half", &|| flip(8, 1));
            }
            irq::mask(line);
            assert!(irq::is_as_told(line.gsi) && !msi.sends(&crate::pci::Access, at));
            end(line, way);
        }
    }
}

#[test]
fn lines_of_a_controller() {
    for (id, way) in (0..).zip(WAYS) {
        go_through(way);
        let first = u32::from(id) * controller::LINES;
        assert_eq!(io::add(id, controller::AT, first), controller::LINES);
        io::remap(&|other| (other == id).then(|| iommu::origin(0)).flatten());
        let at = 7;
        let line = irq::claim_line(PciLine { gsi: first + at, level: true, active_low: true }).expect("free");
        for masked in [true, false] {
            for (word, bits) in [(0, 1), (0, 1 << 13), (0, 1 << 15), (0, 1 << 16), (1, 1 << 25)] {
                is_seen(line, "entry", &|| controller::flip(at, word, bits));
            }
            // What the controller says of itself.
            controller::flip(at, 0, 1 << 12 | 1 << 14);
            if masked {
                irq::unmask(line);
            }
        }
        end(line, way);
    }
}
