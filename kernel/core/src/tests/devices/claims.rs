//! Who has a function, and what happens when it is given up.

use super::{AT, Driver, OWNER, World, claim, claim_at, entry, exception, is_master, plug};
use crate::cap::Object;
use crate::cap::device_manager::DeviceManager;
use crate::device::{history, registry};
use crate::task::end;
use crate::task::process::Status;
use capos_abi::ExceptionCode;
use capos_ledger::Event;
use capos_mem::Resource;
use capos_pci::model::Device as Plugged;
use capos_schema::Empty;
use capos_schema::device::{self, ConfigParams, ConfigResults, InfoResults};
use capos_schema::device_manager::{self, ClaimParams, DeviceState, SettleParams, SettleResults};
use kernel_hal::fake::pci;
use std::vec::Vec;

#[test]
fn a_function_is_claimed_once_and_by_what_it_is() {
    let world = World::new();
    plug();
    let user = world.start("manager");
    assert_eq!(entry(&user).state, DeviceState::Free);
    assert_eq!(exception(claim(&user, "no such")), ExceptionCode::NotFound);
    assert_eq!(exception(claim(&user, "virtio")), ExceptionCode::Unsupported);
    assert_eq!(entry(&user).state, DeviceState::Free);
    let manager = user.hold(Object::DeviceManager(DeviceManager));
    let settle = |address| {
        let params = SettleParams { address };
        user.call::<SettleResults>(manager, device_manager::INTERFACE_ID, device_manager::SETTLE, &params)
    };
    assert!(settle(AT).expect("it is there").settled);
    assert_eq!(exception(settle(0xff)), ExceptionCode::NotFound);
    let device = claim(&user, "edu").expect("free");
    assert_eq!(exception(claim(&user, "edu")), ExceptionCode::Exists);
    let listed = entry(&user);
    assert_eq!((listed.state, listed.owner), (DeviceState::Claimed, OWNER));
    let info: InfoResults =
        user.call(device, device::INTERFACE_ID, device::INFO, &Empty).expect("it says what it is");
    assert_eq!(
        (info.vendor, info.device, info.messages, info.generation),
        (0x1234, 0x11e8, 4, listed.generation)
    );
}

#[test]
fn bridges_and_what_is_not_there_are_nobodys() {
    let world = World::new();
    plug();
    let user = world.start("manager");
    let manager = user.hold(Object::DeviceManager(DeviceManager));
    for (address, code) in
        [(0, ExceptionCode::Denied), (0x50, ExceptionCode::NotFound), (1 << 20, ExceptionCode::NotFound)]
    {
        let params = ClaimParams { address, policy: "plain", owner: 1 };
        let claimed =
            user.call_for_cap(manager, device_manager::INTERFACE_ID, device_manager::CLAIM, &params);
        assert_eq!(exception(claimed), code);
    }
    let listed: device_manager::ListResults = user
        .call(
            manager,
            device_manager::INTERFACE_ID,
            device_manager::LIST,
            &device_manager::ListParams { cursor: 0 },
        )
        .expect("the host bridge");
    assert!(listed.bridge);
}

#[test]
fn it_reaches_memory_only_while_its_owner_lets_it() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    assert!(!is_master());
    driver.call(device::START).expect("it is quiet");
    driver.call(device::START).expect("it does already");
    assert!(is_master());
    assert_eq!(entry(&driver.user).state, DeviceState::Running);
    driver.reset().expect("it is claimed");
    assert!(!is_master());
    assert_eq!(entry(&driver.user).state, DeviceState::Claimed);
    driver.call(device::START).expect("it is quiet again");
    driver.release(driver.device);
    assert!(!is_master());
    assert_eq!(entry(&driver.user).state, DeviceState::Free);
}

#[test]
fn who_dies_leaves_nothing_behind() {
    let world = World::new();
    plug();
    let watcher = world.start("manager");
    let driver = Driver::new(&world);
    let window = driver.window();
    driver.read(window, 0, 4).expect("identification");
    let pool = driver.pool();
    let (buffer, _) = driver.buffer(pool, 3);
    driver.queue();
    driver.call(device::START).expect("quiet");
    assert!(driver.user.process().account.used(Resource::DmaPages) > 3);
    let _ = buffer;
    end::end_process(driver.user.process(), Status::Killed);
    World::stir_all();
    assert!(!is_master());
    assert_eq!((entry(&watcher).state, entry(&watcher).owner), (DeviceState::Free, 0));
}

#[test]
fn what_is_not_quiet_is_nobodys_until_it_is() {
    let world = World::new();
    let edu = plug();
    let user = world.start("manager");
    let driver = Driver::new(&world);
    let pool = driver.pool();
    let (_, token) = driver.buffer(pool, 1);
    let queue = driver.queue();
    super::dma::describe(&driver, queue, [token, 0x4_0000, 64, 1]);
    driver.publish(queue).expect("a good descriptor");
    let before = kernel_hal::mem::free_pages();
    end::end_process(driver.user.process(), Status::Killed);
    World::stir_all();
    // It still copies: the memory that it was told of stays, and so does whose it is.
    assert_eq!(entry(&user).state, DeviceState::Draining);
    assert_eq!(exception(claim(&user, "edu")), ExceptionCode::WrongState);
    let manager = user.hold(Object::DeviceManager(DeviceManager));
    let settle = || {
        let params = SettleParams { address: AT };
        user.call::<SettleResults>(manager, device_manager::INTERFACE_ID, device_manager::SETTLE, &params)
    };
    assert!(!settle().expect("it is there").settled);
    let kept = kernel_hal::mem::free_pages();
    assert!(kept > before, "the rest of the process went");
    edu.finish();
    assert!(settle().expect("it is there").settled);
    assert!(kernel_hal::mem::free_pages() > kept, "and now the buffer");
    claim(&user, "edu").expect("free");
}

#[test]
fn the_history_says_what_happened() {
    let world = World::new();
    plug();
    let mut cursor = core::iter::successors(history::read(0), |read| history::read(read.next))
        .last()
        .map_or(0, |read| read.next);
    let driver = Driver::new(&world);
    let window = driver.window();
    let _ = driver.write(window, 0x80, 8, 0x1000);
    driver.call(device::START).expect("quiet");
    driver.reset().expect("claimed");
    driver.release(driver.device);
    let mut events = Vec::new();
    while let Some(read) = history::read(cursor) {
        assert_eq!((read.entry.function, read.lost), (AT, 0));
        events.push((read.entry.event, read.entry.detail));
        cursor = read.next;
    }
    assert_eq!(
        events,
        [
            (Event::Claimed, OWNER),
            (Event::RegisterRefused, 0x80),
            (Event::Settled, 0),
            (Event::Started, 0),
            (Event::Reset, 0),
            (Event::GivenUp, 0),
        ]
    );
}

fn read_config(driver: &Driver, offset: u16, width: u8) -> Result<u32, capos_abi::Cqe> {
    let params = ConfigParams { offset, width };
    let results: Result<ConfigResults, _> =
        driver.user.call(driver.device, device::INTERFACE_ID, device::CONFIG, &params);
    results.map(|it| it.value)
}

#[test]
fn nobody_sees_addresses_in_configuration_space() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let config = |offset, width| read_config(&driver, offset, width);
    assert_eq!(config(0, 4).expect("ids"), 0x11e8_1234);
    assert_eq!((config(0, 2).expect("vendor"), config(3, 1).expect("a byte")), (0x1234, 0x11));
    assert_ne!(pci::with(AT, |device| device.get(0x10)), Some(0));
    for offset in (0x10..0x28).step_by(4) {
        assert_eq!(config(offset, 4).expect("hidden"), 0);
    }
    // Where the table of messages is within its register, and nothing behind that.
    assert_eq!((config(0x44, 4).expect("within"), config(0x4c, 4).expect("hidden")), (1, 0));
    // Virtual functions: how many, but not where. Another capability: nothing of it.
    let mut extended = [0x10, 0, 1, 0x14].to_vec();
    extended.resize(0x40, 0xee);
    extended.extend([0x12, 0, 1, 0, 0xee, 0xee, 0xee, 0xee]);
    let device = Plugged::new(0x1234, 0x11e8, 0).bar(0, super::BASE, super::SIZE, 0);
    registry::forget_all();
    pci::plug(AT, device.capability(0x10, &[0; 0x3a]).extended(&extended));
    let driver = Driver::new(&world);
    let config = |offset, width| read_config(&driver, offset, width);
    assert_eq!(config(0x10c, 2).expect("how many"), 0xeeee);
    for offset in (0x124..0x140).step_by(4).chain([0x144]) {
        assert_eq!(config(offset, 4).expect("hidden"), 0, "{offset:#x}");
        assert_eq!(config(offset + 3, 1).expect("hidden"), 0, "{offset:#x}");
    }
    for (offset, width) in [(1, 2), (2, 4), (4096, 1), (0, 3), (0, 8), (u16::MAX, 1)] {
        assert_eq!(exception(config(offset, width)), ExceptionCode::InvalidArgument);
    }
}

/// What the audit says is wrong with the device.
fn wrong() -> &'static str {
    crate::device::audit::look_at(&registry::find(AT).expect("memory")).wrong
}

#[test]
fn the_audit_compares_the_ledger_with_what_is_found() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let (pool, window) = (driver.pool(), driver.window());
    driver.buffer(pool, 1);
    driver.queue();
    driver.call(device::START).expect("quiet");
    let _ = window;
    assert_eq!(wrong(), "");
    // Somebody else than the ledger forbids it, or allows it.
    pci::with(AT, |device| device.put(4, &[0]));
    assert_eq!(wrong(), "master");
    driver.reset().expect("claimed");
    assert_eq!(wrong(), "");
    pci::with(AT, |device| device.put(4, &[6]));
    assert_eq!(wrong(), "master");
    pci::with(AT, |device| device.put(4, &[2]));
    // A message is on that nobody has.
    let registers = super::table();
    assert_eq!(wrong(), "");
    registers.flip(1, 3, 1);
    assert_eq!(wrong(), "messages");
    let params = device::InterruptParams { index: 1 };
    let asked = driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::INTERRUPT, &params);
    asked.expect("a message");
    assert_eq!(wrong(), "");
    // It goes elsewhere, or says something else, or is on though its driver does not listen.
    for (word, bits) in [(0, 1 << 12), (1, 1), (2, 1), (3, 1)] {
        registers.flip(1, word, bits);
        assert_eq!(wrong(), "routes", "{word}");
        registers.flip(1, word, bits);
    }
    let function = registry::find(AT).expect("memory");
    function.lock().record.books.add(capos_ledger::Item::Buffers, 1);
    assert_eq!(wrong(), "buffers");
    function.lock().record.books.take(capos_ledger::Item::Buffers, 1);
}

#[test]
fn there_is_one_record_for_each_function() {
    let world = World::new();
    plug();
    let user = world.start("manager");
    let one = registry::find(AT).expect("memory");
    let two = registry::find(AT).expect("memory");
    assert!(kernel_hal::sync::Ref::ptr_eq(&one, &two));
    let _ = user;
}

#[test]
fn registers_that_are_memory_or_somebody_elses_are_nobodys() {
    let world = World::new();
    let user = world.start("driver");
    let claim_anew = |address| {
        registry::forget_all();
        claim_at(&user, address, "plain").map(|_| ())
    };
    plug();
    claim_anew(AT).expect("there is nothing else");
    // Another device at its last register, found before it or after: neither is to be had.
    for other in [AT - 8, AT + 8] {
        let beside = Plugged::new(0x1234, 0x11e8, 0x00_ff00).bar(0, super::MESSAGES, 4096, 0);
        pci::plug(other, beside);
        for address in [AT, other] {
            assert_eq!(exception(claim_anew(address)), ExceptionCode::DeviceFault);
        }
        pci::unplug(other);
        claim_anew(AT).expect("alone");
    }
    // Memory where the last byte of one is.
    pci::put_memory(super::MESSAGES + 4095, super::MESSAGES + 4096);
    assert_eq!(exception(claim_anew(AT)), ExceptionCode::DeviceFault);
}
