//! PCI: the functions that a test plugs in; until then a host bridge.

use super::heap::unfailing;
use crate::types::PciLine;
use capos_pci::model::{Device, Machine};
use capos_pci::{Address, Config, Function, Windows};
use std::sync::Mutex;
use std::vec::Vec;

static MACHINE: Machine = Machine::new();
/// The memory of the machine, by first and last byte.
static MEMORY: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

pub(super) fn reset() {
    MACHINE.clear();
    MEMORY.lock().expect("nobody panics with it").clear();
    plug(0, Device::new(0x8086, 0x1237, 0x06_0000));
}

/// Plugs a function in at `address` (bus << 8 | device << 3 | function), for tests.
pub fn plug(address: u32, device: Device) {
    unfailing(|| MACHINE.plug(address, device));
}

/// There is memory from `first` to `last`, for tests.
pub fn put_memory(first: u64, last: u64) {
    unfailing(|| MEMORY.lock().expect("nobody panics with it").push((first, last)));
}

/// Takes a function out, for tests: from then on nothing answers.
pub fn unplug(address: u32) {
    unfailing(|| MACHINE.unplug(address));
}

/// Has `work` done with a function's configuration space, for tests.
pub fn with<R>(address: u32, work: impl FnOnce(&mut Device) -> R) -> Option<R> {
    MACHINE.with(address, work)
}

/// Every function, read anew: a test plugs them in when it likes.
fn functions() -> Vec<Function> {
    unfailing(|| {
        let memory = MEMORY.lock().expect("nobody panics with it");
        let taken = |taken: &mut dyn FnMut(u64, u64)| {
            memory.iter().for_each(|(first, last)| taken(*first, *last));
        };
        crate::pci::survey(&MACHINE, |_| {}, taken)
    })
}

/// How many functions there are.
pub fn count() -> usize {
    functions().len()
}

/// Function number `index`.
pub fn function(index: usize) -> Option<Function> {
    functions().get(index).copied()
}

/// The first function at or after `cursor`.
pub fn function_at_or_after(cursor: u32) -> Option<Function> {
    functions().into_iter().find(|function| function.address.number() >= cursor)
}

/// Gives what a test plugged in behind a port its place. How many functions there are.
pub fn arrive(port: u32) -> usize {
    let mut count = 0;
    if let Some((at, bus)) = Address::new(port).zip(crate::pci::bus_behind(port)) {
        capos_pci::arrive(&Raw, bus, &Windows::read(&Raw, at), |_| count += 1);
    }
    count
}

/// What was behind a port is no longer there: a test has taken it out.
pub fn depart(_port: u32) {}

/// Where the interrupt line of a function arrives.
pub fn line(address: u32) -> Option<PciLine> {
    let header = crate::pci::find(address)?.header;
    (header.pin != 0 && !matches!(header.line, 0 | 2 | 255)).then_some(PciLine {
        gsi: u32::from(header.line),
        active_low: true,
        level: true,
    })
}

/// The configuration space of all of them; a write is none of the allocations that are to fail.
pub struct Raw;

impl Config for Raw {
    fn read32(&self, at: Address, register: u16) -> u32 {
        MACHINE.read32(at, register)
    }

    fn write32(&self, at: Address, register: u16, value: u32) {
        unfailing(|| MACHINE.write32(at, register, value));
    }

    fn write16(&self, at: Address, register: u16, value: u16) {
        unfailing(|| MACHINE.write16(at, register, value));
    }

    fn write8(&self, at: Address, register: u16, value: u8) {
        unfailing(|| MACHINE.write8(at, register, value));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::{Session, irq};
    use crate::pci::{find, read, write};
    use crate::types::Width;
    use capos_pci::command;

    const HERE: u32 = 0x18;

    fn plug_one() {
        let device = Device::new(0x1234, 0x11e8, 0xff_0000).bar(0, 0xfe00_0000, 0x1000, 0).line(1, 11);
        plug(HERE, device);
    }

    #[test]
    fn what_is_plugged_in_is_there_until_it_is_taken_out() {
        let _session = Session::start(1);
        assert_eq!((count(), function(0).map(|it| it.address.number())), (1, Some(0)));
        plug_one();
        assert_eq!((count(), find(HERE).map(|it| it.header.device)), (2, Some(0x11e8)));
        assert_eq!(function_at_or_after(1), find(HERE));
        assert_eq!((read(HERE, 2, Width::Two), read(HERE, 2, Width::Four)), (Some(0x11e8), None));
        unplug(HERE);
        assert_eq!((count(), find(HERE), read(HERE, 2, Width::Two)), (1, None, Some(0xffff)));
    }

    #[test]
    fn functions_do_not_move() {
        let _session = Session::start(1);
        plug_one();
        assert_eq!(write(HERE, 4, Width::Two, u32::from(command::BUS_MASTER)), Some(()));
        assert_eq!(write(HERE, 0x10, Width::Four, 0), None);
        assert_eq!((read(HERE, 4, Width::Two), read(HERE, 0x10, Width::Four)), (Some(4), Some(0xfe00_0000)));
        with(HERE, |device| device.put(0x10, &[0; 4]));
        assert_eq!(find(HERE).and_then(|it| it.bars[0]).map(|bar| bar.base), Some(0));
    }

    #[test]
    fn a_function_has_the_line_that_firmware_wrote_down() {
        let _session = Session::start(1);
        plug_one();
        let line = line(HERE).unwrap();
        assert_eq!((line.gsi, line.level, line.active_low), (11, true, true));
        assert_eq!(irq::claim_line(line).map(|it| it.gsi), Ok(11));
        plug(HERE, Device::new(1, 2, 0xff_0000).line(0, 11));
        assert_eq!(super::line(HERE), None);
        plug(HERE, Device::new(1, 2, 0xff_0000).line(1, 255));
        assert_eq!(super::line(HERE), None);
    }
}
