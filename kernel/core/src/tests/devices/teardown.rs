//! That everything is taken back: what a device may still write, its messages, and what comes too late.

use super::{AT, BASE, Driver, Edu, SIZE, World, describe, entry, exception, plug, table};
use crate::device::{registry, teardown};
use capos_abi::ExceptionCode;
use capos_mem::Resource;
use capos_pci::model::Device as Plugged;
use capos_schema::device;
use capos_schema::device_manager::DeviceState;
use kernel_hal::fake::{pci, time};
use std::sync::Arc;

/// A driver whose device is at a transfer, and how many DMA pages that takes.
fn at_work(world: &World) -> (Arc<Edu>, Driver, u64) {
    let edu = plug();
    let driver = Driver::new(world);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 2);
    let queue = driver.queue();
    describe(&driver, queue, [token, 0x4_0000, 100, 1]);
    driver.publish(queue).expect("a good one");
    let used = driver.user.process().account.used(Resource::DmaPages);
    (edu, driver, used)
}

#[test]
fn what_a_device_may_still_write_stays_and_what_it_was_never_told_of_goes_unlocked() {
    let world = World::new();
    let (edu, driver, first) = at_work(&world);
    let account = driver.user.process().account.clone();
    let used = || account.used(Resource::DmaPages);
    driver.reset().expect("claimed");
    let pool = driver.pool();
    driver.buffer(pool, 9);
    assert_eq!(used(), first + 9);
    let function = registry::find(AT).expect("memory");
    let mut state = function.lock();
    let taken = teardown::quiesce(&function, &mut state);
    assert_eq!((taken.is_quiet(), used()), (false, first + 9), "nothing goes with the function locked");
    drop(state);
    taken.give_back();
    assert_eq!(used(), first);
    edu.finish();
    driver.call(device::START).expect("it is quiet");
    assert_eq!(used(), 0);
}

#[test]
fn a_device_reaches_no_memory_from_before_it_is_made_quiet() {
    // What begins something new while it is being reset may end it afterwards (QEMU 7.2's NVMe dies of that).
    let world = World::new();
    let (edu, driver, _) = at_work(&world);
    let reaches = || *edu.reaches.lock().expect("no panics");
    assert!(reaches(), "it was told of a transfer");
    driver.reset().expect("claimed");
    assert!(!reaches());
    edu.finish();
    driver.call(device::START).expect("it is quiet");
    driver.release(driver.device);
    assert!(!reaches());
}

#[test]
fn a_device_that_never_answers_its_reset_keeps_its_memory() {
    let world = World::new();
    let (edu, driver, used) = at_work(&world);
    let account = driver.user.process().account.clone();
    driver.reset().expect("claimed");
    time::advance(1_000_000_001);
    let function = registry::find(AT).expect("memory");
    for _ in 0..2 {
        assert_eq!(exception(driver.call(device::START)), ExceptionCode::DeviceFault);
        assert!(!function.lock().record.is_quiet() && function.is_kept());
    }
    driver.release(driver.device);
    assert_eq!((entry(&driver.user).state, function.settle()), (DeviceState::Draining, Ok(false)));
    time::advance(1_000_000_001);
    assert_eq!(function.settle(), Err(ExceptionCode::DeviceFault));
    assert_eq!((entry(&driver.user).state, account.used(Resource::DmaPages)), (DeviceState::Draining, used));
    edu.finish();
    assert_eq!((function.settle(), account.used(Resource::DmaPages)), (Ok(true), 0));
}

/// Whether the function may signal by messages: `control` is where their capability says so.
fn signals(bit: u32) -> bool {
    pci::with(AT, |device| device.get(0x40) >> 16 & bit != 0).expect("plugged in")
}

#[test]
fn no_message_of_before_is_sent_afterwards() {
    const MSIX: u32 = 1 << 15;
    const MSI: u32 = 1;
    let world = World::new();
    plug();
    let messages = table();
    let driver = Driver::new(&world);
    messages.flip(1, 3, 1);
    driver.reset().expect("claimed");
    assert!(signals(MSIX) && messages.is_masked(1), "nobody has asked for it");
    driver.release(driver.device);
    assert!(!signals(MSIX));
    // By configuration space: somebody has switched it on.
    registry::forget_all();
    pci::plug(AT, Plugged::new(0x1234, 0x11e8, 0).bar(0, BASE, SIZE, 0).capability(5, &[0; 8]));
    let driver = Driver::new(&world);
    let switch_on = || pci::with(AT, |device| device.put(0x42, &[1])).expect("plugged in");
    switch_on();
    driver.reset().expect("claimed");
    assert!(!signals(MSI));
    switch_on();
    driver.release(driver.device);
    assert!(!signals(MSI));
}

#[test]
fn an_interrupt_that_comes_after_a_reset_is_not_the_new_generations() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let function = registry::find(AT).expect("memory");
    let before = entry(&driver.user).generation;
    let account = driver.user.process().account.clone();
    let interrupt = function.interrupt(before, 0, &account).expect("a message");
    driver.reset().expect("claimed");
    assert_eq!(function.book(before, interrupt.line()), Err(ExceptionCode::Disconnected));
    assert!(function.lock().lines.is_empty());
}
