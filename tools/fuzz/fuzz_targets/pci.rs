//! Configuration space of devices that say about themselves what they like.
//!
//! Input: 0, then what is answered to one read after the other; or another byte, then functions: place (16 bits), length, bytes, and which
//! of their bits can be written.
#![no_main]

use capos_pci::model::{Device, Machine};
use capos_pci::{Address, Config, Function, Windows, arrive, capability, virtio, walk};
use libfuzzer_sys::fuzz_target;
use std::cell::Cell;

const MOST: u32 = 0x1_0000;

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    if *kind == 0 {
        let answers = Answers { rest: Cell::new(rest), last: Cell::new(0) };
        let Some(at) = Address::new(8) else { return };
        if let Some(function) = Function::read(&answers, at) {
            check(&function);
            blocks(&answers, &function);
        }
        return;
    }
    let machine = Machine::new();
    plug(&machine, rest);
    let mut found = Vec::new();
    walk(&machine, |at, _| found.push(at));
    assert!(found.len() as u32 <= MOST && machine.writes().is_empty());
    let all = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), all, "one function was seen twice");
    for at in found {
        let before = machine.with(at.number(), |device| device.clone());
        let Some(function) = Function::read(&machine, at) else { continue };
        check(&function);
        blocks(&machine, &function);
        assert!(
            capability::list(&machine, at).count() <= 48 && capability::extended(&machine, at).count() <= 960
        );
        // Only sizing writes, and leaves no trace.
        assert!(machine.writes().iter().all(|it| it.1 == 4 || (0x10..0x28).contains(&it.1)));
        let after = machine.with(at.number(), |device| device.clone());
        let (Some(before), Some(after)) = (before, after) else { continue };
        assert!((0..0x100).step_by(4).all(|register| before.get(register) == after.get(register)));
        function.quiet(&machine);
        let _ = function.msi.map(|it| it.set(&machine, at, u64::from(u32::MAX), 0x41));
        function.msix.into_iter().for_each(|it| it.enable(&machine, at, true, true));
        let _ = function.express.map(|it| (it.slot_state(&machine, at, true), it.reset(&machine, at)));
        if let Some(buses) = function.header.buses {
            // As if it had just been plugged in behind this bridge.
            arrive(&machine, buses.secondary, &Windows::read(&machine, at), |function| check(&function));
        }
        function.power.into_iter().for_each(|it| it.set_state(&machine, at, 3));
        machine.writes();
    }
});

/// Answers in the order in which they are asked for; then the last again and again.
struct Answers<'i> {
    rest: Cell<&'i [u8]>,
    last: Cell<u32>,
}

impl Config for Answers<'_> {
    fn read32(&self, _: Address, _: u16) -> u32 {
        if let Some((word, rest)) = self.rest.get().split_first_chunk() {
            self.rest.set(rest);
            self.last.set(u32::from_le_bytes(*word));
        }
        self.last.get()
    }

    fn write32(&self, _: Address, _: u16, _: u32) {}

    fn write16(&self, _: Address, _: u16, _: u16) {}

    fn write8(&self, _: Address, _: u16, _: u8) {}
}

fn plug(machine: &Machine, mut rest: &[u8]) {
    while let [bus, place, length, tail @ ..] = rest {
        let length = usize::from(*length).min(tail.len() / 2);
        let (bytes, tail) = tail.split_at(length);
        let (writable, tail) = tail.split_at(length);
        let mut space = bytes.to_vec();
        space.resize(256, 0);
        let mut device = Device::of(space);
        device.allow(0, writable);
        // What sizing restores must be able to be restored.
        device.allow(4, &[0xff, 0xff, 0, 0]);
        machine.plug(u32::from(*bus) << 8 | u32::from(*place), device);
        rest = tail;
    }
}

/// Whatever is said, what is believed holds together.
fn check(function: &Function) {
    let bars: Vec<_> = function.bars.iter().flatten().collect();
    for (at, bar) in bars.iter().enumerate() {
        assert!(bar.size.is_power_of_two() && bar.base.checked_add(bar.size).is_some());
        assert!(bars.iter().skip(at + 1).all(|other| !other.overlaps(bar)));
    }
    if let Some(msix) = function.msix {
        for ((bar, offset), length) in
            [(msix.table, msix.table_bytes()), (msix.pending, msix.pending_bytes())]
        {
            let bar = function.bars[usize::from(bar)].expect("there is such a register");
            assert!(bar.is_memory() && bar.holds(offset, length));
        }
        assert!(msix.entry(msix.vectors - 1).is_some() && msix.entry(msix.vectors).is_none());
    }
}

fn blocks(config: &impl Config, function: &Function) {
    let mut words = String::new();
    for found in capability::list(config, function.address) {
        function.describe(config, found, &mut words).expect("a string takes everything");
    }
    use virtio::Block::{Common, Device, Interrupt, Notify};
    for found in virtio::blocks(config, function.address, &function.header, &function.bars).flatten() {
        if matches!(found.block, Common | Notify(_) | Interrupt | Device) {
            let bar = function.bars[usize::from(found.bar)].expect("there is such a register");
            assert!(bar.holds(found.offset, found.length));
        }
    }
}
