//! Messages: whose they are, and what happens when there are too many.

use super::super::bindings::Waiter;
use super::{AT, COUNT, Driver, World, exception, plug};
use crate::device::{audit, registry};
use crate::trap::HANDLERS;
use capos_abi::{CapId, ExceptionCode, TransferSlot};
use capos_mem::Resource;
use capos_pci::model::Device as Plugged;
use capos_schema::Empty;
use capos_schema::device::{self, InterruptParams};
use capos_schema::interrupt;
use kernel_hal::fake::{self, pci};
use kernel_hal::message;

pub(super) fn ask(driver: &Driver, index: u16) -> Result<CapId, capos_abi::Cqe> {
    let params = InterruptParams { index };
    driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::INTERRUPT, &params)
}

fn acknowledge(driver: &Driver, line: CapId) {
    let done: Result<Empty, _> =
        driver.user.call(line, interrupt::INTERFACE_ID, interrupt::ACKNOWLEDGE, &Empty);
    done.expect("claimed");
}

fn fire(index: u16) -> bool {
    let line = fake::irq::fire(message(AT, index));
    line.into_iter().for_each(|line| (HANDLERS.irq)(line));
    line.is_some()
}

#[test]
fn a_message_is_one_vector_of_who_asks_for_it() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let used = || driver.user.process().account.used(Resource::Vectors);
    let first = ask(&driver, 0).expect("a message");
    let last = ask(&driver, COUNT - 1).expect("a message");
    assert_eq!(used(), 2);
    assert_eq!(exception(ask(&driver, 0)), ExceptionCode::Exists);
    assert_eq!(exception(ask(&driver, COUNT)), ExceptionCode::NotFound);
    assert_eq!(exception(ask(&driver, u16::MAX)), ExceptionCode::NotFound);
    driver.release(first);
    assert_eq!(used(), 1);
    ask(&driver, 0).expect("it was given back");
    driver.reset().expect("claimed");
    // Who has it still pays for it, but it is no more.
    let acknowledge: Result<Empty, _> =
        driver.user.call(last, interrupt::INTERFACE_ID, interrupt::ACKNOWLEDGE, &Empty);
    assert_eq!(exception(acknowledge), ExceptionCode::Disconnected);
    assert!(!fire(COUNT - 1), "nobody has it");
    ask(&driver, COUNT - 1).expect("the new generation's");
}

#[test]
fn a_function_without_a_table_has_one_message_and_one_without_messages_its_line() {
    let world = World::new();
    crate::device::registry::forget_all();
    // Messages by configuration space: one.
    pci::plug(AT, Plugged::new(0x1234, 0x11e8, 0).bar(0, super::BASE, super::SIZE, 0).capability(5, &[0; 8]));
    let driver = Driver::new(&world);
    ask(&driver, 0).expect("its message");
    assert_eq!(exception(ask(&driver, 1)), ExceptionCode::NotFound);
    assert!(fire(0));
    driver.release(driver.device);
    // A line, by which it may signal only while somebody listens.
    crate::device::registry::forget_all();
    pci::plug(AT, Plugged::new(0x1234, 0x11e8, 0).bar(0, super::BASE, super::SIZE, 0).line(1, 11));
    let is_off = || pci::with(AT, |device| device.get(4) & 1 << 10 != 0).expect("plugged in");
    let device = super::claim(&driver.user, "edu").expect("free");
    let driver = Driver { device, ..driver };
    assert!(is_off());
    let line = ask(&driver, 0).expect("its line");
    assert!(is_off());
    acknowledge(&driver, line);
    assert!(!is_off());
    assert_eq!(exception(ask(&driver, 0)), ExceptionCode::Exists);
    assert!(fake::irq::fire(11).is_some());
    driver.reset().expect("claimed");
    assert!(is_off() && fake::irq::fire(11).is_none());
}

#[test]
fn a_late_message_wakes_nobody() {
    let world = World::new();
    plug();
    let waiter = Waiter::new(&world);
    let device = super::claim(&waiter.user, "edu").expect("free");
    let driver = Driver { user: waiter.user, device };
    let target = ask(&driver, 0).expect("a message");
    let waiter = Waiter { user: driver.user, ..waiter };
    let signal = waiter.signaller(0b1, 0);
    let bind = |target| {
        waiter.bind((target, interrupt::INTERFACE_ID), interrupt::BIND, TransferSlot::moved(signal), 0)
    };
    assert_eq!(bind(target).outcome(), 0);
    assert!(fire(0));
    assert_eq!(waiter.bits(), 1);
    let late = fake::irq::fire(message(AT, 0)).expect("claimed");
    let driver = Driver { user: waiter.user, device };
    driver.reset().expect("claimed");
    (HANDLERS.irq)(late);
    let waiter = Waiter { user: driver.user, ..waiter };
    assert_eq!(waiter.bits(), 0);
}

#[test]
fn a_storm_is_not_heard_for_a_while_and_what_came_then_is_told_afterwards() {
    let world = World::new();
    plug();
    let waiter = Waiter::new(&world);
    let device = super::claim(&waiter.user, "edu").expect("free");
    let driver = Driver { user: waiter.user, device };
    let target = ask(&driver, 0).expect("a message");
    let waiter = Waiter { user: driver.user, ..waiter };
    let signal = waiter.signaller(0b1, 0);
    let bound =
        waiter.bind((target, interrupt::INTERFACE_ID), interrupt::BIND, TransferSlot::moved(signal), 0);
    assert_eq!(bound.outcome(), 0);
    let acknowledge: Result<Empty, _> =
        waiter.user.call(target, interrupt::INTERFACE_ID, interrupt::ACKNOWLEDGE, &Empty);
    acknowledge.expect("unmasked");
    let is_masked = || fake::irq::is_masked(message(AT, 0));
    // One whose driver looks each time may go on for ever.
    for _ in 0..1000 {
        fire(0);
        assert_eq!(waiter.bits(), 1);
    }
    assert!(!is_masked());
    // One whose driver does not look is cut short, and takes no memory.
    fake::fail_nth_allocation(0);
    let heard = (0..1000).take_while(|_| !is_masked() && fire(0)).count();
    assert!(fake::never_fail(), "nothing was allocated");
    assert!((64..=70).contains(&heard), "{heard}");
    assert_eq!(waiter.bits(), 1);
    // Time passes.
    fake::time::advance(2_000_000);
    (HANDLERS.timer)();
    assert!(!is_masked());
    fire(0);
    assert_eq!(waiter.bits(), 1);
}

#[test]
fn a_table_of_messages_may_lie_anywhere_behind_its_register() {
    const BASE: u64 = 0xfd00_0000;
    const TABLE: u32 = 5 << 20;
    let world = World::new();
    registry::forget_all();
    let mut capability = [0; 10];
    capability[0] = COUNT as u8 - 1;
    capability[2..6].copy_from_slice(&(TABLE | 1).to_le_bytes());
    capability[6..].copy_from_slice(&((TABLE + 0x1000) | 1).to_le_bytes());
    let device = Plugged::new(0x1234, 0x11e8, 0x00_ff00)
        .bar(0, super::BASE, super::SIZE, 0)
        .bar(1, BASE, 8 << 20, 0)
        .capability(0x11, &capability);
    pci::plug(AT, device);
    let table = super::table_at(BASE + u64::from(TABLE));
    table.flip(1, 3, 1);
    let user = world.start("driver");
    let device = super::claim(&user, "plain").expect("free");
    let driver = Driver { user, device };
    assert!(table.is_masked(1), "until somebody asks for it");
    let line = ask(&driver, 1).expect("a message");
    assert_eq!((wrong(), table.word(1, 0) & 0xfff0_0000), ("", 0xfee0_0000));
    acknowledge(&driver, line);
    assert!(!table.is_masked(1) && wrong().is_empty());
    table.flip(2, 3, 1);
    assert_eq!(wrong(), "messages");
    // It is the kernel's there, too; and what else is so far away can be had by mapping only.
    let window = driver.window_of(1);
    assert_eq!(exception(driver.read(window, TABLE, 4)), ExceptionCode::Denied);
    assert_eq!(exception(driver.write(window, TABLE + 8, 4, 0x31)), ExceptionCode::Denied);
    for offset in [2 << 20, TABLE - 4] {
        assert_eq!(exception(driver.read(window, offset, 4)), ExceptionCode::Unsupported);
        assert_eq!(exception(driver.write(window, offset, 4, 1)), ExceptionCode::Unsupported);
    }
    driver.read(window, (2 << 20) - 4, 4).expect("the last of those that are near");
}

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

#[test]
fn the_audit_sees_what_the_vector_table_has_beside_the_ledger() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let kept = ask(&driver, 0).expect("a message");
    assert_eq!(wrong(), "");
    // A vector of which the ledger knows is gone.
    fake::irq::release(fake::irq::claimed(message(AT, 0)).expect("it has one"));
    assert_eq!(wrong(), "routes");
    driver.release(kept);
    assert_eq!(wrong(), "");
    // One of which it does not know is there.
    let registers = kernel_hal::device::Registers::in_memory(super::MESSAGES, 4096).expect("host memory");
    let place = kernel_hal::MessagePlace::Table(registers);
    let entry = kernel_hal::MessageEntry { function: AT, entry: 1, place };
    fake::irq::claim_message(entry).expect("nobody has it");
    assert_eq!(wrong(), "routes");
}

#[test]
fn the_audit_sees_a_message_of_configuration_space_that_nobody_has() {
    let world = World::new();
    registry::forget_all();
    pci::plug(AT, Plugged::new(0x1234, 0x11e8, 0).bar(0, super::BASE, super::SIZE, 0).capability(5, &[0; 8]));
    let driver = Driver::new(&world);
    let msi = registry::find(AT).expect("memory").pci.msi.expect("plugged in with it");
    let at = capos_pci::Address::new(AT).expect("in range");
    assert_eq!(wrong(), "");
    msi.enable(&kernel_hal::pci::Access, at, true);
    assert_eq!(wrong(), "messages");
    ask(&driver, 0).expect("its message");
    assert_eq!(wrong(), "");
    // Another vector.
    let data = msi.register + 8;
    pci::with(AT, |device| device.put(data.into(), &[0xee])).expect("plugged in");
    assert_eq!(wrong(), "routes");
}
