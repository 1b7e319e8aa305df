//! Headers, and what is taken from devices at boot.

use super::{HERE, endpoint, here, read, with};
use crate::model::Device;
use crate::{Address, Buses, Function, Header};
use std::string::ToString;

fn header(device: Device) -> Header {
    read(device).header
}

#[test]
fn addresses_are_numbers() {
    let at = Address::new(0x12fb).unwrap();
    assert_eq!(
        (at.bus(), at.device(), at.function(), at.number(), at.requester()),
        (0x12, 31, 3, 0x12fb, 0x12fb)
    );
    assert_eq!(at.to_string(), "12:1f.3");
    assert_eq!((Address::device_of(0x12, 31).sibling(3), at.sibling(9).number()), (at, 0x12f9));
    assert_eq!((Address::new(0xffff).map(Address::number), Address::new(0x1_0000)), (Some(0xffff), None));
}

#[test]
fn an_endpoint_says_what_it_is() {
    let mut device = endpoint().line(1, 11).multifunction();
    device.put(0x08, &[0x10]);
    device.put(0x2c, &[0xf4, 0x1a, 0x00, 0x11]);
    let found = header(device);
    assert_eq!((found.vendor, found.device, found.class, found.revision), (0x1234, 0x11e8, 0xff_0000, 0x10));
    assert_eq!((found.subsystem, found.pin, found.line, found.kind), ((0x1af4, 0x1100), 1, 11, 0x80));
    assert!(found.is_multifunction() && found.layout() == 0 && found.buses.is_none());
    // There are four lines.
    assert_eq!(header(endpoint().line(5, 11)).pin, 0);
}

#[test]
fn where_nothing_answers_there_is_no_function() {
    assert_eq!(Function::read(&with(endpoint()), Address::new(HERE + 8).unwrap()), None);
    assert_eq!(Function::read(&with(Device::new(0xffff, 1, 0)), here()), None);
}

#[test]
fn a_bridge_leads_to_higher_buses() {
    let bridge =
        |secondary, subordinate| header(Device::new(1, 2, 0x06_0400).bridge(secondary, subordinate)).buses;
    assert_eq!(bridge(1, 3), Some(Buses { secondary: 1, subordinate: 3 }));
    assert_eq!((bridge(0, 0), bridge(0, 5), bridge(5, 4)), (None, None, None));
}

#[test]
fn a_device_loses_what_it_can_do_by_itself() {
    let mut device = endpoint();
    device.put(0x04, &[0x07, 0x00, 0x00, 0xf9]);
    let machine = with(device);
    Function::read(&machine, here()).unwrap().quiet(&machine);
    assert_eq!(machine.with(HERE, |device| device.get(0x04)), Some(0xf900_0403));
}

#[test]
fn a_device_that_translates_by_itself_stops() {
    let mut device = endpoint().capability(0x10, &[0; 0x3a]).extended(&[0x0f, 0, 1, 0, 0, 0, 0x05, 0x80]);
    device.allow(0x106, &[0xff, 0xff]);
    let machine = with(device);
    let function = Function::read(&machine, here()).unwrap();
    assert_eq!(function.ats, Some(0x100));
    function.quiet(&machine);
    assert_eq!(machine.with(HERE, |device| device.get(0x104)), Some(0x0005_0000));
}

#[test]
fn virtual_functions_are_no_more_and_requests_go_by_the_root() {
    // Access control that can do all, of which firmware has some on; virtual functions, of which there are some.
    let mut body = std::vec![0x0d, 0, 0x01, 0x11, 0x7f, 0, 0x61, 0, 0, 0, 0, 0];
    body.resize(0x10, 0);
    body.extend([0x10, 0, 1, 0, 0, 0, 0, 0, 0x09, 0]);
    let device = |place: usize| {
        let mut device = endpoint().capability(0x10, &[0; 0x3a]).extended(&body);
        device.allow(0x106, &[0xff, 0xff]);
        device.allow(place + 8, &[0xff, 0xff]);
        device
    };
    let machine = with(device(0x110));
    let function = Function::read(&machine, here()).unwrap();
    assert_eq!((function.access_control, function.virtual_functions), (Some(0x100), Some(0x110)));
    function.quiet(&machine);
    let (access, virtuals) = machine.with(HERE, |device| (device.get(0x104), device.get(0x118))).unwrap();
    assert_eq!((access, virtuals), (0x001f_007f, 0));
    // One that is not all there is none: behind it is another function.
    let mut cut = endpoint().capability(0x10, &[0; 0x3a]).extended(&[0, 0, 0x81, 0xff]);
    cut.put(0xff8, &[0x10, 0, 1, 0]);
    assert_eq!(read(cut).virtual_functions, None);
    let mut bridge =
        Device::new(1, 2, 0x06_0400).bridge(1, 1).capability(0x10, &[0x41; 0x3a]).extended(&body);
    bridge.allow(0x106, &[0xff, 0xff]);
    let machine = with(bridge);
    Function::read(&machine, here()).unwrap().quiet(&machine);
    assert_eq!(machine.with(HERE, |device| device.get(0x104)), Some(0x001f_007f));
}

#[test]
fn what_may_be_written_moves_nothing() {
    let device = header(endpoint());
    let writes = [(0x04, 2), (0x0c, 4), (0x28, 4), (0x2c, 4), (0x34, 4), (0x3c, 1), (0x44, 2), (0x100, 4)];
    assert!(writes.iter().all(|(register, bytes)| device.may_write(*register, *bytes)));
    let moves = [(0x10, 4), (0x0e, 4), (0x24, 4), (0x27, 1), (0x30, 4), (0x33, 1), (0x2e, 4), (0x0c, 5)];
    assert!(!moves.iter().any(|(register, bytes)| device.may_write(*register, *bytes)));
    let bridge = header(Device::new(1, 2, 0x06_0400).bridge(1, 1));
    assert!(bridge.may_write(0x40, 2) && !bridge.may_write(0x3e, 2) && !bridge.may_write(0x18, 1));
    assert!(!header(Device::new(1, 2, 0x06_0000)).may_write(0x90, 1));
    let mut card = Device::new(1, 2, 0x06_0700);
    card.put(0x0e, &[2]);
    assert!(!header(card).may_write(0x40, 4));
}

#[test]
fn a_bridge_lets_requests_pass() {
    for (secondary, command) in [(1, 0x0007), (0, 0x0003)] {
        let mut bridge = Device::new(1, 2, 0x06_0400).bridge(secondary, secondary);
        bridge.put(0x04, &[0x03, 0x00]);
        let machine = with(bridge);
        Function::read(&machine, here()).unwrap().quiet(&machine);
        assert_eq!(machine.with(HERE, |device| device.get(0x04)), Some(command), "{secondary}");
    }
}

#[test]
fn the_platform_stays_as_it_is() {
    let bridge = Device::new(1, 2, 0x06_0400).bridge(1, 1);
    for (device, quiet) in [
        (bridge, false),
        (Device::new(1, 2, 0x06_0000), false),
        (Device::new(1, 2, 0x06_0100), false),
        (Device::new(1, 2, 0x08_0600), false),
        // A device may call itself a bridge of some kind.
        (Device::new(1, 2, 0x06_8000), true),
        (Device::new(1, 2, 0x06_0400), true),
        (Device::new(1, 2, 0x01_0601), true),
    ] {
        let mut device = device;
        device.put(0x04, &[0x07, 0x00]);
        let machine = with(device);
        let function = Function::read(&machine, here()).unwrap();
        function.quiet(&machine);
        let command = machine.with(HERE, |device| device.get(0x04));
        assert_eq!(command, Some(if quiet { 0x0403 } else { 0x0007 }), "{:#x}", function.header.class);
        assert_eq!(function.header.is_platform(), !quiet);
    }
}
