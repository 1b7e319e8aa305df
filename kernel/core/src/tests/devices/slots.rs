//! Devices that come and go.

use super::{Driver, World, claim_at, describe, exception};
use crate::cap::Object;
use crate::cap::device_manager::DeviceManager;
use crate::device::function::Function;
use crate::device::{audit, history, registry};
use capos_abi::{CapId, ExceptionCode};
use capos_ledger::{Event, Phase};
use capos_mem::Resource;
use capos_pci::model::Device as Plugged;
use capos_schema::Empty;
use capos_schema::device::{self, ConfigParams, ConfigResults, InfoResults, InterruptParams};
use capos_schema::device_manager::{self, AttendParams, AttendResults, DeviceState, ListParams, ListResults};
use capos_schema::device_mmio::{self, MapParams, MapResults};
use kernel_hal::Width;
use kernel_hal::fake::device::{Model, put};
use kernel_hal::fake::{self, pci};
use kernel_hal::sync::Ref;
use std::boxed::Box;
use std::sync::Arc;

/// A port, and function 0 of what is in its slot.
const PORT: u32 = 0x20;
const BUS: u8 = 2;
const HERE: u32 = 0x200;
/// Its registers, behind the port.
const BASE: u64 = 0xfe80_0000;
/// Capability of PCI Express: its slot's control and status.
const CONTROL: usize = 0x40 + 0x18;
const STATUS: usize = 0x40 + 0x1a;
const BUTTON: u8 = 1;
const CHANGED: u8 = 1 << 3;
const OCCUPIED: u8 = 1 << 6;
const POLL_NS: u64 = 100_000_000;

/// Registers that say that a transfer runs, as those of one that is no longer there do.
struct Runs;

impl Model for Runs {
    fn read(&mut self, _offset: u64, _width: Width) -> u64 {
        u64::MAX
    }

    fn write(&mut self, _offset: u64, _width: Width, _value: u64) {}
}

fn device() -> Plugged {
    Plugged::new(0x1234, 0x11e8, 0x00_ff00).bar(0, 0, 1 << 20, 0).capability(5, &[0; 8])
}

/// A machine with a port, in whose slot there is nothing.
pub(in crate::tests) fn empty_slot() {
    registry::forget_all();
    let mut express = [0; 0x20];
    // Its second version, a root port with a slot: hot-plug, button, and a switch for the power.
    express[0..2].copy_from_slice(&(2u16 | 4 << 4 | 1 << 8).to_le_bytes());
    express[0x12..0x16].copy_from_slice(&0b100_0011u32.to_le_bytes());
    let mut port = Plugged::new(0x1b36, 0x000c, 0x06_0400).bridge(BUS, BUS).capability(0x10, &express);
    port.put(0x04, &[0x07]);
    port.put(0x20, &[0x80, 0xfe, 0x80, 0xfe]);
    port.allow(STATUS, &[0, 0]);
    port.clear_by_writing(STATUS, &[0x1f, 1]);
    pci::plug(PORT, port);
}

fn report(bits: u8) {
    pci::with(PORT, |port| port.put(STATUS, &[bits])).expect("a port");
}

fn has_power() -> bool {
    pci::with(PORT, |port| port.get(CONTROL) & 1 << 10 == 0).expect("a port")
}

struct Manager {
    driver: super::super::User,
    id: CapId,
}

impl Manager {
    fn new(world: &World) -> Manager {
        let driver = world.start("devmgr");
        let id = driver.hold(Object::DeviceManager(DeviceManager));
        Manager { driver, id }
    }

    /// One look at the slot, a while after the last one. Whether something came or went.
    fn look(&self) -> bool {
        fake::time::advance(POLL_NS);
        let results: Result<AttendResults, _> = self.driver.call(
            self.id,
            device_manager::INTERFACE_ID,
            device_manager::ATTEND,
            &AttendParams { cursor: 0 },
        );
        let results = results.expect("there is a slot");
        assert_eq!(results.next, PORT + 1);
        results.changed
    }

    fn find(&self) -> Option<DeviceState> {
        let params = ListParams { cursor: HERE };
        let found: Result<ListResults, _> =
            self.driver.call(self.id, device_manager::INTERFACE_ID, device_manager::LIST, &params);
        found.ok().map(|found| found.state)
    }

    /// Plugs the device in, until it can be claimed.
    fn plug(&self) {
        pci::plug(HERE, device());
        report(OCCUPIED | CHANGED | BUTTON);
        assert!(!self.look() && has_power(), "it wakes up");
        assert!(self.look());
        assert_eq!(self.find(), Some(DeviceState::Free));
    }
}

/// A driver of what is in the slot.
fn drive(world: &World) -> Driver {
    let user = world.start("driver");
    let device = claim_at(&user, HERE, "edu").expect("free");
    Driver { user, device }
}

/// Which arrival the function is.
fn arrival(driver: &Driver) -> u32 {
    let info: Result<InfoResults, _> =
        driver.user.call(driver.device, device::INTERFACE_ID, device::INFO, &Empty);
    info.expect("it is its own").arrival
}

/// A device that was plugged in, and its driver, which has started it.
fn at_work(world: &World) -> (Manager, Arc<super::Edu>, Driver) {
    empty_slot();
    let manager = Manager::new(world);
    manager.look();
    manager.plug();
    let edu = Arc::new(super::Edu::default());
    put(BASE, Box::new(super::Front(edu.clone())));
    let driver = drive(world);
    driver.call(device::START).expect("it is quiet");
    (manager, edu, driver)
}

#[test]
fn what_is_plugged_in_has_a_place_and_can_be_claimed() {
    let world = World::new();
    empty_slot();
    let manager = Manager::new(&world);
    assert!(!manager.look() && !manager.look());
    let cursor = history::end();
    manager.plug();
    assert_eq!(history::read(cursor).expect("it came").entry.event, Event::Came);
    assert_eq!(pci::with(HERE, |device| device.get(0x10)), Some(BASE as u32));
    assert_eq!(pci::with(HERE, |device| device.get(0x04) & 0x0406), Some(0x0400), "it can do nothing yet");
    put(BASE, Box::new(super::Front(super::Edu::default().into())));
    let driver = drive(&world);
    driver.call(device::START).expect("it is quiet");
    let window = driver.window();
    assert_eq!(driver.read(window, 0, 4), Ok(0x0100_00ed));
}

#[test]
fn who_has_what_is_asked_to_go_has_nothing_any_more_and_then_it_has_no_power() {
    let world = World::new();
    let (manager, edu, driver) = at_work(&world);
    let before = arrival(&driver);
    driver.reset().expect("its own");
    assert_eq!(arrival(&driver), before, "a reset is not that");
    driver.call(device::START).expect("it is quiet");
    let pool = driver.pool();
    let (buffer, token) = driver.buffer(pool, 1);
    let queue = driver.queue();
    let window = driver.window();
    let line = driver.user.call_for_cap(
        driver.device,
        device::INTERFACE_ID,
        device::INTERRUPT,
        &InterruptParams { index: 0 },
    );
    line.expect("its message");
    describe(&driver, queue, [token, 0x4_0000, 64, 1]);
    driver.publish(queue).expect("a good one");
    report(OCCUPIED | BUTTON);
    assert!(manager.look());
    assert_eq!(pci::with(HERE, |device| device.get(0x04) & 4), Some(0));
    assert_eq!(manager.find(), Some(DeviceState::Gone));
    for refused in [
        exception(driver.call(device::START)),
        exception(driver.read(window, 0, 4)),
        exception(driver.token(buffer)),
        exception(driver.publish(queue)),
        exception(driver.reset()),
        exception(driver.user.call::<ConfigResults>(
            driver.device,
            device::INTERFACE_ID,
            device::CONFIG,
            &ConfigParams { offset: 0, width: 4 },
        )),
    ] {
        assert_eq!(refused, ExceptionCode::Disconnected);
    }
    // It goes on with what it was told: that is kept, and it has power.
    let findings = || audit::look_at(&registry::find(HERE).expect("known"));
    assert!(!manager.look() && has_power());
    assert_eq!((findings().kept_pages > 0, findings().wrong), (true, ""));
    edu.finish();
    manager.look();
    assert!(!has_power() && findings().kept_pages == 0);
    pci::unplug(HERE);
    report(CHANGED);
    assert!(manager.look());
    assert_eq!(manager.find(), None);
    // Another one in its place is nobody's, whatever the old capabilities are told.
    manager.plug();
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::Disconnected);
    driver.release(driver.device);
    assert_eq!(manager.find(), Some(DeviceState::Free));
    assert!(arrival(&drive(&world)) > before, "it had no power");
}

#[test]
fn memory_of_one_that_never_becomes_quiet_goes_after_its_power() {
    let world = World::new();
    let (manager, edu, driver) = at_work(&world);
    let pool = driver.pool();
    driver.buffer(pool, 4);
    *edu.runs.lock().expect("no panics") = true;
    let kept = || audit::look_at(&registry::find(HERE).expect("known")).kept_pages;
    report(OCCUPIED | BUTTON);
    manager.look();
    let looks = (0..100).take_while(|_| !manager.look() && has_power()).count();
    assert_eq!((looks, kept() > 0), (9, true));
    assert!(manager.look());
    assert!(!manager.look() && !has_power(), "it may still be in the slot");
}

#[test]
fn what_is_pulled_out_is_taken_back_all_the_same() {
    let world = World::new();
    let (manager, _, driver) = at_work(&world);
    let pool = driver.pool();
    driver.buffer(pool, 4);
    let window = driver.window();
    // From now on everything answers with ones.
    fake::device::remove(BASE);
    put(BASE, Box::new(Runs));
    pci::unplug(HERE);
    report(CHANGED);
    assert!(manager.look());
    let read: Result<u64, _> = driver.read(window, 0, 4);
    assert_eq!(exception(read), ExceptionCode::Disconnected);
    assert!(!manager.look() && !has_power());
    assert!(manager.look());
    assert_eq!(manager.find(), None);
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::Disconnected);
}

/// A driver that has registers mapped, two pages of them, and where.
fn with_registers(world: &World) -> (Manager, Driver, u64) {
    empty_slot();
    let manager = Manager::new(world);
    manager.look();
    manager.plug();
    let user = world.start("driver");
    let device = claim_at(&user, HERE, "plain").expect("free");
    let driver = Driver { user, device };
    let params = MapParams { offset: 0, size: 8192, writable: true };
    let mapped: Result<MapResults, _> =
        driver.user.call(driver.window(), device_mmio::INTERFACE_ID, device_mmio::MAP, &params);
    let address = mapped.expect("its own").address;
    (manager, driver, address)
}

#[test]
fn registers_of_what_is_gone_read_as_ones_and_take_what_is_written() {
    let world = World::new();
    let (manager, driver, address) = with_registers(&world);
    let process = driver.user.process();
    let (space, account) = (&process.space, &process.account);
    let before = account.used(Resource::MemoryPages);
    report(OCCUPIED | BUTTON);
    assert!(manager.look());
    let mut seen = [0; 16];
    space.peek(address + 8184, &mut seen[..8]).expect("it is mapped");
    assert_eq!(seen[..8], [0xff; 8]);
    space.poke(address, &[1, 2, 3]).expect("as it was");
    assert!(space.registers(0).is_none(), "nothing of the device is left");
    assert_eq!(audit::look_at(&registry::find(HERE).expect("known")).wrong, "");
    // They are memory of its own, until it takes them out.
    assert_eq!(account.used(Resource::MemoryPages), before + 2);
    space.unmap(address, 2).expect("its own");
    assert_eq!(account.used(Resource::MemoryPages), before);
}

#[test]
fn registers_of_what_is_gone_are_taken_away_where_there_is_no_memory() {
    let world = World::new();
    let (manager, driver, address) = with_registers(&world);
    let process = driver.user.process();
    let free = process.account.limit(Resource::MemoryPages) - process.account.used(Resource::MemoryPages);
    process.account.charge(Resource::MemoryPages, free).expect("it has so much");
    report(OCCUPIED | BUTTON);
    assert!(manager.look());
    assert!(process.space.peek(address, &mut [0]).is_err());
    process.account.refund(Resource::MemoryPages, free);
}

#[test]
fn who_was_looked_at_before_it_went_is_not_known_afterwards() {
    const THERE: u32 = 0x28;
    let _world = World::new();
    registry::forget_all();
    pci::plug(THERE, device());
    let before = kernel_hal::pci::find(THERE).unwrap();
    pci::unplug(THERE);
    let late = Ref::try_new(Function::new(before)).unwrap();
    assert_eq!(registry::enter(late.clone()).err(), Some(ExceptionCode::NotFound));
    assert!(registry::known(THERE).is_none());
    assert_eq!(late.lock().record.phase(), Phase::Gone, "whoever found it meanwhile cannot claim it");
}
