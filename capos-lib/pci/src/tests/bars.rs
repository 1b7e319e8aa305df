//! Base address registers.

use super::{HERE, endpoint, here, read, with};
use crate::model::Device;
use crate::{Bar, Fault, Function, Space};
use std::vec::Vec;

const NARROW: Space = Space::Memory { wide: false, prefetchable: false };

fn bars(device: Device) -> Vec<Bar> {
    let function = read(device);
    assert_eq!(function.fault, None);
    function.bars.iter().flatten().copied().collect()
}

fn fault(device: Device) -> Option<Fault> {
    let function = read(device);
    assert_eq!(function.bars, [None; 6]);
    function.fault
}

#[test]
fn each_kind_has_its_size() {
    let device = endpoint()
        .bar(0, 0xfebf_0000, 0x1000, 0)
        .bar(1, 0xc040, 0x20, 1)
        .bar(2, 0xfe00_0000, 0x4000, 8)
        .bar(4, 0x40_0000_0000, 0x2_0000_0000, 0b1100);
    assert_eq!(
        bars(device),
        [
            Bar { index: 0, base: 0xfebf_0000, size: 0x1000, space: NARROW },
            Bar { index: 1, base: 0xc040, size: 0x20, space: Space::Io },
            Bar {
                index: 2,
                base: 0xfe00_0000,
                size: 0x4000,
                space: Space::Memory { wide: false, prefetchable: true }
            },
            Bar {
                index: 4,
                base: 0x40_0000_0000,
                size: 0x2_0000_0000,
                space: Space::Memory { wide: true, prefetchable: true }
            },
        ]
    );
}

#[test]
fn the_smallest_and_the_largest() {
    let found = bars(endpoint().bar(0, 0xfff0, 4, 1).bar(1, 0, 16, 0).bar(2, 0, 1 << 63, 0b100));
    assert_eq!(found.iter().map(|bar| bar.size).collect::<Vec<_>>(), [4, 16, 1 << 63]);
    assert_eq!(found.iter().map(Bar::is_placed).collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn ports_of_sixteen_bits() {
    let mut device = endpoint().bar(0, 0xc000, 0x100, 1);
    device.allow(0x10, &[0, 0xff, 0, 0]);
    assert_eq!(bars(device)[0].size, 0x100);
}

#[test]
fn sizing_leaves_everything_as_it_was_and_decodes_nothing_meanwhile() {
    let mut device = endpoint().bar(0, 0xfebf_0000, 0x1000, 0).bar(2, 0x1_0000_0000, 0x1000, 0b100);
    device.put(0x04, &[0x07, 0x01, 0, 0xf9]);
    let machine = with(device.clone());
    Function::read(&machine, here()).unwrap();
    for register in (0..0x100).step_by(4) {
        let now = machine.with(HERE, |device| device.get(register));
        assert_eq!(now, Some(device.get(register)), "{register:#x}");
    }
    let writes = machine.writes();
    // Only what decodes goes off, and status bits are not acknowledged on the way.
    assert_eq!((writes[0].1, writes[0].2), (0x04, 0x04));
    assert_eq!(writes.last().map(|it| (it.1, it.2)), Some((0x04, 0x07)));
    assert!(writes[1..writes.len() - 1].iter().all(|write| (0x10..0x28).contains(&write.1)));
}

#[test]
fn a_function_that_decodes_nothing_is_not_made_to() {
    let machine = with(endpoint().bar(0, 0, 0x1000, 0));
    Function::read(&machine, here()).unwrap();
    assert!(machine.writes().iter().all(|write| write.1 != 0x04));
}

#[test]
fn registers_without_a_size_are_refused() {
    let mut holes = endpoint().bar(0, 0, 0x1000, 0);
    holes.allow(0x10, &[0, 0x10, 0xf0, 0xff]);
    assert_eq!(fault(holes), Some(Fault::NoSize(0)));
    let mut narrow = endpoint().bar(1, 0, 0x1000, 0b100);
    narrow.allow(0x18, &[0xff, 0xff, 0, 0]);
    assert_eq!(fault(narrow), Some(Fault::NoSize(1)));
}

#[test]
fn registers_of_no_kind_are_refused() {
    assert_eq!(fault(endpoint().bar(3, 0, 0x1000, 0b110)), Some(Fault::NoKind(3)));
    let mut last = endpoint();
    last.put(0x24, &[0b100]);
    assert_eq!(fault(last), Some(Fault::NoKind(5)));
}

#[test]
fn registers_that_are_where_they_cannot_be_are_refused() {
    assert_eq!(fault(endpoint().bar(0, 0xffff_ffff_ffff_f000, 0x1000, 0b100)), Some(Fault::Misplaced(0)));
    assert_eq!(fault(endpoint().bar(0, 0x1_0000, 0x100, 1)), Some(Fault::Misplaced(0)));
    assert_eq!(bars(endpoint().bar(0, 0xffff_f000, 0x1000, 0)).len(), 1);
}

#[test]
fn registers_that_overlap_are_refused() {
    let device = |second: u64| endpoint().bar(0, 0xfe00_0000, 0x4000, 0).bar(1, second, 0x1000, 0);
    assert_eq!(fault_of(device(0xfe00_3000)), Some(Fault::Overlap(0, 1)));
    assert_eq!(fault_of(device(0xfe00_4000)), None);
    // Ports are not memory, and what is nowhere overlaps nothing.
    assert_eq!(fault_of(endpoint().bar(0, 0xc000, 0x1000, 0).bar(1, 0xc000, 0x100, 1)), None);
    assert_eq!(fault_of(endpoint().bar(0, 0, 0x1000, 0).bar(1, 0, 0x1000, 0)), None);
}

fn fault_of(device: Device) -> Option<Fault> {
    read(device).fault
}

#[test]
fn bridges_have_two_and_host_bridges_keep_theirs() {
    let bridge = Device::new(0x1b36, 0x000c, 0x06_0400).bridge(1, 1).bar(0, 0xfe00_0000, 0x1000, 0);
    assert_eq!(bars(bridge).len(), 1);
    let machine = with(Device::new(0x8086, 0x29c0, 0x06_0000).bar(0, 0xfe00_0000, 0x1000, 0));
    assert_eq!(Function::read(&machine, here()).unwrap().bars, [None; 6]);
    assert!(machine.writes().is_empty());
}

#[test]
fn a_device_that_answers_elsewhere_is_refused() {
    let device = endpoint().bar(0, 0xfe00_0000, 0x1000, 0).capability(0x14, &[0, 0]);
    assert_eq!(read(device).fault, Some(Fault::Elsewhere));
}

#[test]
fn what_belongs_to_others_is_kept_off() {
    let one = read(endpoint().bar(0, 0xfe00_0000, 0x1000, 0).bar(1, 0xc000, 0x20, 1));
    let kept = |first, last| {
        let mut one = one;
        one.keep_off(first, last);
        one.fault
    };
    let taken = Some(Fault::Taken(0));
    assert_eq!((kept(0, 0xfdff_ffff), kept(0xfe00_1000, u64::MAX)), (None, None));
    assert_eq!((kept(0, 0xfe00_0000), kept(0xfe00_0fff, u64::MAX), kept(0, u64::MAX)), (taken, taken, taken));
    // Ports are not memory.
    assert_eq!(kept(0xc000, 0xc000), None);
    let beside = |base, flags| {
        let mut one = one;
        one.keep_off_function(&read(endpoint().bar(4, base, 0x40, flags)));
        one.fault
    };
    assert_eq!((beside(0xfe00_0fc0, 0), beside(0xfe00_1000, 0)), (taken, None));
    assert_eq!(
        (beside(0xc000, 1), beside(0xc000, 0), beside(0xc040, 1)),
        (Some(Fault::Taken(1)), None, None)
    );
    // What is wrong with it itself comes first.
    let mut faulty = read(endpoint().bar(3, 0, 0x1000, 0b110));
    faulty.keep_off_function(&one);
    assert_eq!(faulty.fault, Some(Fault::NoKind(3)));
}

#[test]
fn a_function_that_was_reset_is_put_back() {
    let whole = endpoint().bar(0, 0xfe00_0000, 0x1000, 0).bar(1, 0xc000, 0x20, 1).bar(
        4,
        0x12_0000_0000,
        1 << 32,
        0b1100,
    );
    let machine = with(whole.clone());
    let function = Function::read(&machine, here()).unwrap();
    machine.with(HERE, |device| {
        device.put(0x10, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0, 0, 0])
    });
    function.restore_bars(&machine);
    for register in (0x10..0x28).step_by(4) {
        assert_eq!(
            machine.with(HERE, |device| device.get(register)),
            Some(whole.get(register)),
            "{register:#x}"
        );
    }
}
