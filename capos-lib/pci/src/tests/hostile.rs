//! Whatever configuration space says: an answer, a fault, and an end.

use super::{HERE, here, with};
use crate::model::Device;
use crate::virtio::blocks;
use crate::{Address, Config, Function, Shown, walk};
use core::cell::Cell;
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use std::vec::Vec;

fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 8 } else { 512 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A device that never says the same twice.
struct Noise(Cell<u64>);

impl Config for Noise {
    fn read32(&self, _: Address, _: u16) -> u32 {
        self.0.set(self.0.get().wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        (self.0.get() >> 32) as u32
    }

    fn write32(&self, _: Address, _: u16, _: u32) {}

    fn write16(&self, _: Address, _: u16, _: u16) {}

    fn write8(&self, _: Address, _: u16, _: u8) {}
}

fn check(function: &Function) {
    let bars: Vec<_> = function.bars.iter().flatten().collect();
    for (at, bar) in bars.iter().enumerate() {
        assert!(bar.size.is_power_of_two() && bar.base.is_multiple_of(bar.size));
        assert!(bar.base.checked_add(bar.size).is_some());
        assert!(bars.iter().skip(at + 1).all(|other| !other.overlaps(bar)));
    }
    if let Some(msix) = function.msix {
        let bar = |index: u8| function.bars[usize::from(index)].unwrap();
        assert!(bar(msix.table.0).holds(msix.table.1, msix.table_bytes()));
        assert!(bar(msix.pending.0).holds(msix.pending.1, msix.pending_bytes()));
    }
    assert!(function.msi.is_none_or(|msi| msi.vectors.is_power_of_two() && msi.vectors <= 32));
}

fn space() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 256)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_space(bytes in space(), writable in space(), kind in 0u8..3, virtio in any::<bool>()) {
        let mut device = Device::of(bytes);
        device.allow(0, &writable);
        device.put(0x0e, &[kind]);
        device.put(0x06, &[0x10]);
        if virtio {
            device.put(0, &[0xf4, 0x1a]);
        }
        let machine = with(device);
        if let Some(function) = Function::read(&machine, here()) {
            check(&function);
            blocks(&machine, here(), &function.header, &function.bars).for_each(drop);
            // Of what is written nothing is beyond COMMAND and the base address registers.
            prop_assert!(machine.writes().iter().all(|write| write.1 == 4 || (0x10..0x28).contains(&write.1)));
            let shown = Shown::of(&function, &machine);
            prop_assert!((0x10..0x28).chain([0x30, 0x1000, u16::MAX]).all(|register| !shown.has(register)));
            function.quiet(&machine);
        }
    }

    #[test]
    fn sizing_restores_what_can_be_written(values in space(), sizes in prop::collection::vec(4u32..32, 6), command in any::<u8>()) {
        let mut device = Device::new(1, 2, 0xff_0000);
        for (index, log) in sizes.iter().enumerate() {
            let value = u32::from_le_bytes([values[index], values[index + 8], values[index + 16], values[index + 24]]);
            device.put(0x10 + 4 * index, &(value >> log << log).to_le_bytes());
            device.allow(0x10 + 4 * index, &(u32::MAX << log).to_le_bytes());
        }
        device.put(0x04, &[command & 0x47]);
        let machine = with(device.clone());
        let function = Function::read(&machine, here()).unwrap();
        check(&function);
        for register in (0..0x40).step_by(4) {
            prop_assert_eq!(machine.with(HERE, |now| now.get(register)), Some(device.get(register)));
        }
    }

    #[test]
    fn any_answers(seed in any::<u64>()) {
        let noise = Noise(Cell::new(seed));
        if let Some(function) = Function::read(&noise, here()) {
            check(&function);
            blocks(&noise, here(), &function.header, &function.bars).for_each(drop);
        }
    }

    #[test]
    fn any_buses(seed in any::<u64>()) {
        let (noise, mut seen) = (Noise(Cell::new(seed)), 0u32);
        walk(&noise, |_, _| seen += 1);
        prop_assert!(seen <= 0x1_0000);
    }
}
