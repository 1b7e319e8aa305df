//! Registers: by calls, in batches, and mapped.

use super::{Driver, World, exception, plug};
use crate::device::registry;
use crate::device::windows::Lent;
use capos_abi::ExceptionCode;
use capos_ledger::Item;
use capos_schema::device_mmio::{self, BatchParams, InfoResults, MapParams, MapResults};
use capos_schema::{Decode, Empty};
use capos_schema::{device, io_port};
use kernel_hal::{Protection, VmError};
use std::vec::Vec;

fn access(offset: u32, width: u8, write: Option<u64>) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&offset.to_le_bytes());
    bytes[4] = width;
    bytes[5] = u8::from(write.is_some());
    bytes[8..].copy_from_slice(&write.unwrap_or(0).to_le_bytes());
    bytes
}

impl Driver {
    fn batch(&self, window: capos_abi::CapId, accesses: &[u8]) -> Result<Vec<u64>, capos_abi::Cqe> {
        let params = BatchParams { accesses };
        let cqe = self.user.call_raw(window, device_mmio::INTERFACE_ID, device_mmio::BATCH, &params, 0);
        if cqe.result < 0 || cqe.flags != 0 {
            return Err(cqe);
        }
        let bytes = self.user.get(super::super::REPLY, cqe.result as usize);
        let results = device_mmio::BatchResults::decode(&bytes).expect("an answer");
        let (values, rest) = results.values.as_chunks::<8>();
        assert!(rest.is_empty());
        Ok(values.iter().map(|value| u64::from_le_bytes(*value)).collect())
    }
}

#[test]
fn the_policy_says_what_may_be_written() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let window = driver.window();
    let info: InfoResults =
        driver.user.call(window, device_mmio::INTERFACE_ID, device_mmio::INFO, &Empty).expect("a window");
    assert_eq!(info.size, super::SIZE);
    assert_eq!(driver.read(window, 0, 4).expect("identification"), 0x0100_00ed);
    driver.write(window, 0x08, 4, 5).expect("a factorial");
    assert_eq!(edu.written(0x08), Some(5));
    driver.write(window, 0x20, 4, u64::from(u32::MAX)).expect("one bit of it is the driver's");
    assert_eq!(edu.written(0x20), Some(0x80));
    // Read-only, addresses, nothing at all.
    for (offset, width) in [(0x00, 4), (0x80, 8), (0x88, 8), (0x98, 8), (0x200, 4), (0x4_0000, 4)] {
        let denied = driver.write(window, offset, width, 0x1000);
        assert_eq!(exception(denied), ExceptionCode::Denied, "{offset:#x}");
        assert_eq!(edu.written(u64::from(offset)), None, "{offset:#x}");
    }
    assert_eq!(exception(driver.read(window, 0x80, 8)), ExceptionCode::Denied);
    for (offset, width) in [(0x08, 3), (0x08, 0), (0x09, 4), (0x10_0000, 4), (u32::MAX, 1), (0x08, 1)] {
        let wrong = driver.write(window, offset, width, 1);
        assert_eq!(exception(wrong), ExceptionCode::InvalidArgument, "{offset:#x} {width}");
    }
}

#[test]
fn a_batch_is_checked_before_the_first_is_done() {
    let world = World::new();
    let edu = plug();
    let driver = Driver::new(&world);
    let window = driver.window();
    let good = [access(0x04, 4, Some(7)), access(0x04, 4, None), access(0, 4, None)].concat();
    assert_eq!(driver.batch(window, &good).expect("all may be done"), [0, 7, 0x0100_00ed]);
    let bad = [access(0x08, 4, Some(9)), access(0x80, 8, Some(9))].concat();
    assert_eq!(exception(driver.batch(window, &bad)), ExceptionCode::Denied);
    assert_eq!(edu.written(0x08), None);
    assert_eq!(driver.batch(window, &[]).expect("nothing"), Vec::<u64>::new());
    for wrong in [&good[..15], &access(0, 5, None)[..], &access(0, 4, None).repeat(129)] {
        assert_eq!(exception(driver.batch(window, wrong)), ExceptionCode::InvalidArgument);
    }
    let mut strange = access(0x04, 4, Some(1));
    strange[5] = 2;
    assert_eq!(exception(driver.batch(window, &strange)), ExceptionCode::InvalidArgument);
    assert_eq!(driver.batch(window, &access(0, 4, None).repeat(128)).expect("as many").len(), 128);
}

#[test]
fn pages_are_mapped_only_if_all_in_them_may_be_had_and_until_a_reset() {
    let world = World::new();
    super::plug();
    let user = world.start("driver");
    // Nothing is known of it, so its driver may have all but the messages; without an IOMMU it has no memory either.
    let device = super::claim(&user, "plain").expect("free");
    let driver = Driver { user, device };
    let window = driver.window();
    let map = |window, offset, size, writable| {
        let params = MapParams { offset, size, writable };
        let results: Result<MapResults, _> =
            driver.user.call(window, device_mmio::INTERFACE_ID, device_mmio::MAP, &params);
        results.map(|it| it.address)
    };
    let space = &driver.user.process().space;
    let before = space.mapped_pages();
    let address = map(window, 0, 8192, true).expect("two pages");
    assert_eq!((address % 4096, space.mapped_pages()), (0, before + 2));
    for (offset, size) in [(0, 0), (0, 100), (100, 4096), (0x10_0000, 4096), (0, u32::MAX)] {
        let refused = exception(map(window, offset, size, true));
        assert!(matches!(refused, ExceptionCode::InvalidArgument | ExceptionCode::Denied), "{refused:?}");
    }
    let params = device::WindowParams { bar: 1 };
    let messages = driver
        .user
        .call_for_cap(device, device::INTERFACE_ID, device::WINDOW, &params)
        .expect("the window with the messages");
    for writable in [true, false] {
        assert_eq!(exception(map(messages, 0, 4096, writable)), ExceptionCode::Denied);
    }
    assert_eq!(exception(driver.read(messages, 0, 4)), ExceptionCode::Denied);
    assert_eq!(exception(driver.write(messages, 8, 4, 0x31)), ExceptionCode::Denied);
    assert_eq!(driver.read(messages, 0x400, 4).expect("neither table nor pending bits"), 0xffff_ffff);
    // However often it is mapped and taken out: the kernel remembers what is there.
    for _ in 0..200 {
        let address = map(window, 0, 4096, false).expect("a page");
        space.unmap(address, 1).expect("its own");
    }
    let kept = core::iter::from_fn(|| map(window, 0, 4096, false).ok()).take(100).count();
    assert_eq!(kept, 63, "and no more at a time than it can remember");
    let function = registry::find(super::AT).expect("memory");
    assert_eq!(
        function.lock().record.books.count(Item::MappedPages),
        65,
        "what is there, two of which are in one"
    );
    driver.reset().expect("claimed");
    assert_eq!(space.mapped_pages(), before, "they are taken away");
    assert_eq!(exception(map(window, 0, 4096, true)), ExceptionCode::Disconnected);
    // A page that has other registers than the driver's is not mapped at all.
    driver.release(device);
    let edu = super::claim(&driver.user, "edu").expect("free");
    let driver = Driver { device: edu, ..driver };
    let window = driver.window();
    let params = MapParams { offset: 0, size: 4096, writable: false };
    let refused: Result<MapResults, _> =
        driver.user.call(window, device_mmio::INTERFACE_ID, device_mmio::MAP, &params);
    assert_eq!(exception(refused), ExceptionCode::Denied);
}

#[test]
fn registers_that_were_promised_before_they_were_taken_back_are_not_mapped_afterwards() {
    let world = World::new();
    super::plug();
    let user = world.start("driver");
    let device = super::claim(&user, "plain").expect("free");
    let driver = Driver { user, device };
    let function = registry::find(super::AT).expect("memory");
    let generation = function.lock().record.generation();
    let id = driver.user.process().id;
    let lend = || function.lend(generation, 0, (0, 1), true, id);
    let (early, late) = (lend().expect("its own"), lend().expect("its own"));
    let space = &driver.user.process().space;
    let before = space.mapped_pages();
    let map =
        |lent: &Lent| space.map(&lent.frames, 0, 1, Protection::ReadWrite, true, Some(lent.lease.clone()));
    map(&early).expect("nobody took it back");
    // Another one has the device when the second page is to be mapped.
    driver.release(device);
    let next = world.start("next");
    super::claim(&next, "plain").expect("free");
    assert_eq!(space.mapped_pages(), before, "what was there is taken away");
    assert_eq!(map(&late), Err(VmError::Withdrawn));
    assert_eq!(map(&early), Err(VmError::Withdrawn));
    assert_eq!(space.mapped_pages(), before);
}

#[test]
fn ports_of_a_device_are_as_its_policy_says() {
    let world = World::new();
    let (driver, ..) = super::legacy_driver(&world);
    let ports = |bar| {
        let params = device::PortsParams { bar };
        driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::PORTS, &params)
    };
    assert_eq!(exception(ports(1)), ExceptionCode::NotFound);
    let window = device::WindowParams { bar: 0 };
    let window = driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::WINDOW, &window);
    assert_eq!(exception(window), ExceptionCode::NotFound);
    let ports = ports(0).expect("its ports");
    let read = |offset| -> Result<io_port::Read16Results, _> {
        let params = io_port::Read16Params { offset };
        driver.user.call(ports, io_port::INTERFACE_ID, io_port::READ16, &params)
    };
    assert_eq!(read(0x0c).expect("the size of its queue").value, 8);
    assert_eq!(exception(read(0x0d)), ExceptionCode::InvalidArgument);
    assert_eq!(exception(read(32)), ExceptionCode::InvalidArgument);
    // Where its queue is, and the bell, are the kernel's.
    let write = |offset, value| -> Result<Empty, _> {
        let params = io_port::Write32Params { offset, value };
        driver.user.call(ports, io_port::INTERFACE_ID, io_port::WRITE32, &params)
    };
    assert_eq!(exception(write(0x08, 0x1234)), ExceptionCode::Denied);
    let bell = io_port::Write16Params { offset: 0x10, value: 0 };
    let rung: Result<Empty, _> = driver.user.call(ports, io_port::INTERFACE_ID, io_port::WRITE16, &bell);
    assert_eq!(exception(rung), ExceptionCode::Denied);
    let params = io_port::SubrangeParams { base: 0, length: 1 };
    let part = driver.user.call_for_cap(ports, io_port::INTERFACE_ID, io_port::SUBRANGE, &params);
    assert_eq!(exception(part), ExceptionCode::Denied);
    driver.reset().expect("claimed");
    assert_eq!(exception(read(0x0c)), ExceptionCode::Disconnected);
}

/// Writes a register behind ports: features, or the status.
fn tell(driver: &Driver, ports: capos_abi::CapId, offset: u16, value: u32) -> Result<Empty, capos_abi::Cqe> {
    let (id, byte) = (io_port::INTERFACE_ID, io_port::Write8Params { offset, value: value as u8 });
    match offset {
        0x12 => driver.user.call(ports, id, io_port::WRITE8, &byte),
        _ => driver.user.call(ports, id, io_port::WRITE32, &io_port::Write32Params { offset, value }),
    }
}

#[test]
fn what_a_driver_and_its_device_agreed_upon_stays_when_it_starts() {
    let world = World::new();
    let (driver, ..) = super::legacy_driver(&world);
    let params = device::PortsParams { bar: 0 };
    let ports = driver.user.call_for_cap(driver.device, device::INTERFACE_ID, device::PORTS, &params);
    let ports = ports.expect("its ports");
    for _ in 0..2 {
        assert_eq!(exception(tell(&driver, ports, 0x04, 1)), ExceptionCode::WrongState);
        assert_eq!(exception(tell(&driver, ports, 0x12, 0)), ExceptionCode::WrongState, "it has a queue");
        driver.call(device::START).expect("it is quiet");
    }
}

#[test]
fn a_device_that_is_not_through_its_reset_is_told_nothing() {
    let world = World::new();
    let legacy = super::plug_legacy();
    *legacy.is_slow.lock().expect("no panics") = true;
    let user = world.start("driver");
    let device = super::claim(&user, "virtio").expect("free");
    let driver = Driver { user, device };
    driver.pool();
    let params = device::PortsParams { bar: 0 };
    let ports = driver.user.call_for_cap(device, device::INTERFACE_ID, device::PORTS, &params);
    let ports = ports.expect("its ports");
    let params = device::QueueParams { index: 0, entries: 8 };
    let queue = || driver.user.call_for_cap(device, device::INTERFACE_ID, device::QUEUE, &params);
    assert_eq!(exception(queue()), ExceptionCode::WrongState);
    assert_eq!(exception(tell(&driver, ports, 0x12, 3)), ExceptionCode::WrongState);
    *legacy.is_slow.lock().expect("no panics") = false;
    tell(&driver, ports, 0x12, 3).expect("it is quiet");
    assert!(!super::is_master(), "it let itself reach memory");
    queue().expect("a queue");
    driver.call(device::START).expect("it is quiet");
    assert!(super::is_master());
}

#[test]
fn what_is_older_than_a_reset_is_stale() {
    let world = World::new();
    plug();
    let driver = Driver::new(&world);
    let (window, pool) = (driver.window(), driver.pool());
    let (buffer, _) = driver.buffer(pool, 1);
    let queue = driver.queue();
    driver.reset().expect("claimed");
    assert_eq!(exception(driver.read(window, 0, 4)), ExceptionCode::Disconnected);
    assert_eq!(exception(driver.write(window, 8, 4, 1)), ExceptionCode::Disconnected);
    assert_eq!(exception(driver.batch(window, &access(0, 4, None))), ExceptionCode::Disconnected);
    assert_eq!(exception(driver.token(buffer)), ExceptionCode::Disconnected);
    assert_eq!(exception(driver.publish(queue)), ExceptionCode::Disconnected);
    let params = capos_schema::dma_pool::AllocateParams { pages: 1 };
    let allocate = driver.user.call_for_cap(
        pool,
        capos_schema::dma_pool::INTERFACE_ID,
        capos_schema::dma_pool::ALLOCATE,
        &params,
    );
    assert_eq!(exception(allocate), ExceptionCode::Disconnected);
    // Everything anew.
    let window = driver.window();
    driver.read(window, 0, 4).expect("of this generation");
    driver.pool();
}
