//! What comes and goes while the machine runs.

use super::endpoint;
use crate::model::{Device, Machine};
use crate::{Act, Address, Bar, Fault, Function, Seat, Seen, Windows, arrive};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use std::vec::Vec;

const PORT: u32 = 0x10;
const BUS: u8 = 3;
const HERE: u32 = 0x300;
const WAIT: u64 = 100_000_000;

fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 8 } else { 512 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A port with these windows: 1 MiB at 0xfe80_0000, and 1 GiB from 2 TiB on.
fn port() -> Device {
    let mut port = Device::new(0x1b36, 0x000c, 0x06_0400).bridge(BUS, BUS);
    port.put(0x04, &[0x07]);
    port.put(0x20, &[0x80, 0xfe, 0x80, 0xfe]);
    port.put(0x24, &[0x01, 0x00, 0xf1, 0x3f]);
    port.put(0x28, &[0, 2, 0, 0, 0, 2, 0, 0]);
    port
}

fn windows() -> Windows {
    let machine = Machine::new();
    machine.plug(PORT, port());
    Windows::read(&machine, Address::new(PORT).unwrap())
}

fn plugged(machine: &Machine) -> Vec<Function> {
    let mut found = Vec::new();
    arrive(machine, BUS, &windows(), |function| found.push(function));
    found
}

#[test]
fn windows_are_what_firmware_gave_the_port() {
    let Windows { memory, prefetchable } = windows();
    assert_eq!(memory, Some(0xfe80_0000..=0xfe8f_ffff));
    assert_eq!(prefetchable, Some(0x200_0000_0000..=0x200_3fff_ffff));
    let read = |change: &dyn Fn(&mut Device)| {
        let (machine, mut device) = (Machine::new(), port());
        change(&mut device);
        machine.plug(PORT, device);
        Windows::read(&machine, Address::new(PORT).unwrap())
    };
    // Closed: its begin is behind its end. And a port that lets nothing through.
    assert_eq!(read(&|port| port.put(0x20, &[0x90, 0xfe, 0x80, 0xfe])).memory, None);
    assert_eq!(read(&|port| port.put(0x04, &[0])), Windows::default());
    // Without upper halves what stands there is nothing.
    let narrow = read(&|port| port.put(0x24, &[0x00, 0xc0, 0xf0, 0xcf])).prefetchable;
    assert_eq!(narrow, Some(0xc000_0000..=0xcfff_ffff));
    // What is in both is given out once.
    let twice = read(&|port| port.put(0x24, &[0x80, 0xfe, 0x90, 0xfe]));
    assert_eq!(twice, Windows { memory: Some(0xfe80_0000..=0xfe8f_ffff), prefetchable: None });
    let beside = read(&|port| port.put(0x24, &[0x90, 0xfe, 0x90, 0xfe])).prefetchable;
    assert_eq!(beside, Some(0xfe90_0000..=0xfe9f_ffff));
}

#[test]
fn what_is_plugged_in_gets_a_place_and_can_do_nothing() {
    let machine = Machine::new();
    let device = endpoint().bar(1, 0, 0x1000, 0).bar(2, 0, 0x20, 1).bar(4, 0, 0x4000, 0b1100).multifunction();
    machine.plug(HERE, device);
    machine.plug(HERE + 5, endpoint().bar(0, 0, 0x1_0000, 0));
    machine.plug(HERE + 8, endpoint());
    let found = plugged(&machine);
    let places: Vec<(u32, Vec<(u8, u64)>)> = found
        .iter()
        .map(|it| (it.address.number(), it.bars.iter().flatten().map(|bar| (bar.index, bar.base)).collect()))
        .collect();
    // The largest first; a register for ports gets nothing.
    let first = [(1, 0xfe81_0000), (2, 0), (4, 0x200_0000_0000)].into();
    assert_eq!(places, [(HERE, first), (HERE + 5, [(0, 0xfe80_0000)].into())]);
    assert!(found.iter().all(|it| it.fault.is_none()));
    assert_eq!(machine.with(HERE, |device| device.get(0x04) & 0x0407), Some(0x0400));
}

#[test]
fn what_does_not_fit_or_does_not_obey_is_nobodys() {
    let machine = Machine::new();
    machine.plug(HERE, endpoint().bar(0, 0, 0x20_0000, 0));
    assert_eq!(plugged(&machine)[0].fault, Some(Fault::NoRoom(0)));
    // A register of 32 bits does not reach a window above them.
    machine.plug(HERE, endpoint().bar(0, 0, 0x20_0000, 0b1000));
    assert_eq!(plugged(&machine)[0].fault, Some(Fault::NoRoom(0)));
    let mut deaf = endpoint().bar(0, 0, 0x1000, 0);
    deaf.put(0x10, &[0, 0, 0x40]);
    deaf.allow(0x10, &[0, 0xf0, 0x0f, 0xff]);
    machine.plug(HERE, deaf);
    assert!(plugged(&machine)[0].fault.is_some());
    machine.unplug(HERE);
    assert!(plugged(&machine).is_empty());
}

const EMPTY: Seen =
    Seen { occupied: false, pressed: false, changed: false, answers: false, quiet: false, switchable: true };
const FULL: Seen = Seen { occupied: true, answers: true, ..EMPTY };

#[test]
fn a_device_comes_and_is_asked_to_go() {
    let mut seat = Seat::new(false);
    assert_eq!(seat.step(EMPTY, 0), Act::Nothing);
    // QEMU presses the button for it.
    let came = Seen { pressed: true, changed: true, answers: false, ..FULL };
    assert_eq!(seat.step(came, WAIT), Act::PowerOn);
    assert_eq!(seat.step(FULL, WAIT + 1), Act::Nothing, "it wakes up");
    assert_eq!(seat.step(Seen { answers: false, ..FULL }, 3 * WAIT), Act::Nothing);
    assert_eq!(seat.step(FULL, 4 * WAIT), Act::Look);
    assert_eq!(seat.step(FULL, 5 * WAIT), Act::Nothing);
    assert_eq!(seat.step(Seen { pressed: true, ..FULL }, 6 * WAIT), Act::TakeBack);
    assert_eq!(seat.step(FULL, 7 * WAIT), Act::Nothing, "it may still do something");
    assert_eq!(seat.step(Seen { quiet: true, ..FULL }, 8 * WAIT), Act::PowerOff);
    assert_eq!(seat.step(EMPTY, 9 * WAIT), Act::Forget);
    assert_eq!(seat.step(FULL, 10 * WAIT), Act::PowerOn);
}

#[test]
fn one_that_is_never_quiet_loses_its_power() {
    let mut seat = Seat::new(true);
    assert_eq!(seat.step(Seen { pressed: true, ..FULL }, 0), Act::TakeBack);
    assert_eq!(seat.step(FULL, 9 * WAIT), Act::Nothing);
    assert_eq!(seat.step(FULL, 10 * WAIT), Act::PowerOff);
    assert_eq!(seat.step(FULL, 11 * WAIT), Act::Forget);
    // It is still there: the button brings it back.
    assert_eq!(seat.step(FULL, 12 * WAIT), Act::Nothing);
    assert_eq!(seat.step(Seen { pressed: true, ..FULL }, 13 * WAIT), Act::PowerOn);
    // Where there is no switch it has to be pulled out.
    let mut seat = Seat::new(true);
    let full = Seen { switchable: false, ..FULL };
    assert_eq!(seat.step(Seen { pressed: true, ..full }, 0), Act::TakeBack);
    assert_eq!(seat.step(full, 10 * WAIT), Act::PowerOff);
    assert_eq!(seat.step(full, 90 * WAIT), Act::Nothing);
    assert_eq!(seat.step(Seen { occupied: false, ..full }, 91 * WAIT), Act::Forget);
}

#[test]
fn one_that_goes_unannounced_is_taken_back_all_the_same() {
    for seen in [EMPTY, Seen { changed: true, ..FULL }] {
        let mut seat = Seat::new(true);
        assert_eq!(seat.step(seen, 0), Act::TakeBack);
        assert_eq!(seat.step(EMPTY, 1), Act::PowerOff);
        assert_eq!(seat.step(EMPTY, 2), Act::Forget);
        assert_eq!(seat.step(EMPTY, 3), Act::Nothing);
    }
}

/// Which acts may follow which, whatever the slot reports.
fn may_follow(last: Act, next: Act) -> bool {
    match next {
        Act::Nothing => true,
        Act::PowerOn => last == Act::Forget,
        Act::Look => last == Act::PowerOn,
        Act::TakeBack => last == Act::Look,
        Act::PowerOff => matches!(last, Act::TakeBack | Act::PowerOn),
        Act::Forget => last == Act::PowerOff,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_is_forgotten_that_has_power_and_may_write(
        full in any::<bool>(),
        switchable in any::<bool>(),
        steps in prop::collection::vec((any::<[bool; 5]>(), 0..4 * WAIT), 1..200),
    ) {
        let mut seat = Seat::new(full);
        let mut last = if full { Act::Look } else { Act::Forget };
        let mut now = 0;
        for ([occupied, pressed, changed, answers, quiet], pause) in steps {
            now += pause;
            let seen = Seen { occupied, pressed, changed, answers, quiet, switchable };
            let act = seat.step(seen, now);
            prop_assert!(may_follow(last, act), "{:?} after {:?}", act, last);
            prop_assert!(act != Act::Forget || switchable || quiet || !occupied);
            prop_assert!(act != Act::Look || answers && occupied);
            if act != Act::Nothing {
                last = act;
            }
        }
    }

    #[test]
    fn places_are_inside_of_the_windows_and_apart(
        shapes in prop::collection::vec((0usize..8, 0usize..6, 4u32..34, 0usize..4), 0..24),
    ) {
        let machine = Machine::new();
        let mut devices: Vec<Device> = (0..8).map(|_| endpoint().multifunction()).collect();
        for (function, index, shift, kind) in shapes {
            let flags = [0b0000, 0b1000, 0b0100, 0b1100][kind];
            let wide = flags & 0b100 != 0;
            if (!wide || index < 5) && (wide || shift < 32) {
                devices[function] = devices[function].clone().bar(index, 0, 1 << shift, flags);
            }
        }
        for (number, device) in (HERE..).zip(devices) {
            machine.plug(number, device);
        }
        let windows = windows();
        let found = plugged(&machine);
        prop_assert_eq!(found.len(), 8);
        let bars: Vec<Bar> = found.iter().flat_map(|it| it.bars.iter().flatten().copied()).filter(Bar::is_placed).collect();
        for (at, bar) in bars.iter().enumerate() {
            prop_assert!(bar.base.is_multiple_of(bar.size));
            prop_assert!(windows.each().any(|window| window.contains(&bar.base) && window.contains(&bar.last())));
            prop_assert!(bars.iter().skip(at + 1).all(|other| !other.overlaps(bar)));
        }
        // What has none is nobody's.
        for function in &found {
            let placed = function.bars.iter().flatten().all(Bar::is_placed);
            prop_assert!(placed || function.fault.is_some());
        }
    }
}
