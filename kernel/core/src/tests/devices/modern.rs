//! A virtio device of the new kind, behind an IOMMU.

use super::dma::submit;
use super::{AT, BASE, Driver, World, claim, entry, exception, plug_legacy};
use crate::device::{audit, registry};
use capos_abi::{CapId, Cqe, ExceptionCode, PAGE_SIZE};
use capos_pci::model::Device as Plugged;
use capos_schema::device::{self, PoolParams, QueueParams};
use capos_schema::device_manager::DmaBackend;
use capos_schema::device_mmio::{self, MapParams, MapResults};
use kernel_hal::Width;
use kernel_hal::fake::device::{Model, put};
use kernel_hal::fake::{iommu, pci};
use std::boxed::Box;
use std::collections::BTreeMap;

const STATUS: u64 = 0x14;

/// One queue of up to 8 entries; registers keep what was written to them until a reset.
#[derive(Default)]
struct Modern(BTreeMap<u64, u64>);

impl Model for Modern {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        let written = |at| self.0.get(&at).copied().unwrap_or(0);
        match offset {
            // Features from 32 on: VERSION_1, ACCESS_PLATFORM.
            4 if written(0) == 1 => 3,
            0x12 => 1,
            0x18 => 8,
            _ => written(offset),
        }
    }

    fn write(&mut self, offset: u64, _width: Width, value: u64) {
        if (offset, value) == (STATUS, 0) {
            self.0.clear();
        } else {
            self.0.insert(offset, value);
        }
    }
}

/// A page of registers in window 4, as capabilities say (virtio 1.2, 4.1.4).
fn block(kind: u8, page: u8) -> [u8; 18] {
    [20, kind, 4, 0, 0, 0, 0, page << 4, 0, 0, 0, 16, 0, 0, 4, 0, 0, 0]
}

fn plug() {
    plug_id(4);
}

/// The same, as if it were of another kind (virtio 1.2, 5).
fn plug_id(id: u16) {
    registry::forget_all();
    let device = Plugged::new(0x1af4, 0x1040 + id, 0x00_ff00)
        .bar(4, BASE, 0x4000, 0)
        .capability(9, &block(1, 0))
        .capability(9, &block(2, 3))
        .capability(9, &block(3, 1));
    pci::plug(AT, device);
    put(BASE, Box::new(Modern::default()));
}

impl Driver {
    /// Begins anew, accepts these features from 32 on, and asks for a pool and the queue.
    fn queue_with(&self, accepted: u64) -> (CapId, Result<CapId, Cqe>) {
        self.queue_in(16, accepted)
    }

    /// The same in a pool of such buffers.
    fn queue_in(&self, buffer_bits: u8, accepted: u64) -> (CapId, Result<CapId, Cqe>) {
        self.reset().expect("claimed");
        let window = self.window_of(4);
        for (offset, width, value) in [(8, 4, 1), (0xc, 4, accepted), (STATUS as u32, 1, 8)] {
            self.write(window, offset, width, value).expect("it may");
        }
        let params = PoolParams { address_bits: 64, buffer_bits };
        let pool = self.user.call_for_cap(self.device, device::INTERFACE_ID, device::POOL, &params);
        let pool = pool.expect("a pool");
        let params = QueueParams { index: 0, entries: 8 };
        (pool, self.user.call_for_cap(self.device, device::INTERFACE_ID, device::QUEUE, &params))
    }
}

/// The device is through with the first descriptor, and says so in the used ring.
fn complete(generation: u32) {
    let function = registry::find(AT).expect("memory");
    let (frames, first, _) = function.completion(generation, 0).expect("a ring");
    frames.write(first * PAGE_SIZE, &[0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 0, 0]).expect("inside");
}

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

#[test]
fn a_ring_that_an_iommu_translates_is_only_for_who_accepted_that_and_is_the_proof() {
    let world = World::new();
    iommu::install();
    plug();
    let user = world.start("driver");
    let device = claim(&user, "virtio").expect("free");
    let driver = Driver { user, device };
    assert_eq!(entry(&driver.user).backend, DmaBackend::Unproven);
    assert_eq!(exception(driver.queue_with(1).1), ExceptionCode::Denied);
    assert_eq!(wrong(), "");
    let (pool, queue) = driver.queue_with(3);
    let queue = queue.expect("both agree");
    driver.call(device::START).expect("it is quiet");
    // One descriptor for the device to write, and it is available.
    let (_, token) = driver.buffer(pool, 1);
    submit(&driver, queue, 0, &[token, 64 | 2 << 32]);
    submit(&driver, queue, 0x80, &[1 << 16]);
    let done = driver.publish(queue).expect("a good one");
    assert_eq!(
        (done.published, done.completed, driver.is_proven()),
        (1, 0, false),
        "it has done nothing yet"
    );
    complete(entry(&driver.user).generation);
    assert_eq!(driver.publish(queue).expect("a good one").completed, 1);
    assert!(driver.is_proven());
    // From then on the ring is the driver's own: the same goes for that.
    assert_eq!(exception(driver.queue_with(1).1), ExceptionCode::Denied);
    assert_eq!((entry(&driver.user).backend, wrong()), (DmaBackend::Direct, ""));
    driver.queue_with(3).1.expect("both agree");
}

/// Their requests carry addresses that no policy reads, some of them past any IOMMU: a balloon, a graphics adapter, memory, a file system.
#[test]
fn a_device_whose_requests_name_memory_is_nobodys_however_it_is_made() {
    let world = World::new();
    let user = world.start("driver");
    plug();
    claim(&user, "virtio").expect("an entropy source");
    for id in [5, 16, 24, 26] {
        plug_id(id);
        assert_eq!(exception(claim(&user, "virtio")), ExceptionCode::Unsupported, "{id}");
    }
    // A transitional balloon, which says by its subsystem what it is (virtio 1.2, 4.1.2.1).
    plug_legacy();
    claim(&user, "virtio").expect("an entropy source");
    // Or somebody else's device of the same number.
    for (offset, low) in [(0x2e, 5), (0, 0xf5)] {
        plug_legacy();
        pci::with(AT, |device| device.put(offset, &[low])).expect("plugged in");
        assert_eq!(exception(claim(&user, "virtio")), ExceptionCode::Unsupported);
    }
}

#[test]
fn a_device_whose_registers_the_kernel_does_not_reach_is_refused() {
    let world = World::new();
    registry::forget_all();
    let far = |kind: u8| {
        let mut block = block(kind, 0);
        // 4 MiB.
        block[8] = 0x40;
        block
    };
    let user = world.start("driver");
    for (blocks, refused) in [
        ([far(1), block(2, 3), block(3, 1)], ExceptionCode::Unsupported),
        ([block(1, 0), far(2), block(3, 1)], ExceptionCode::Unsupported),
        ([block(1, 0), block(2, 3), far(3)], ExceptionCode::Unsupported),
    ] {
        registry::forget_all();
        let device = Plugged::new(0x1af4, 0x1044, 0x00_ff00).bar(4, 0xfd00_0000, 8 << 20, 0);
        let device = blocks.iter().fold(device, |device, block| device.capability(9, block));
        pci::plug(AT, device);
        assert_eq!(exception(claim(&user, "virtio")), refused);
    }
}

#[test]
fn a_page_of_registers_that_are_only_to_be_read_is_mapped_only_so() {
    let world = World::new();
    plug();
    let user = world.start("driver");
    let device = claim(&user, "virtio").expect("free");
    let driver = Driver { user, device };
    let window = driver.window_of(4);
    let map = |offset, writable| {
        let params = MapParams { offset, size: 4096, writable };
        let results: Result<MapResults, _> =
            driver.user.call(window, device_mmio::INTERFACE_ID, device_mmio::MAP, &params);
        results.map(|it| it.address)
    };
    // Why it interrupts; who reads that clears it.
    assert_eq!(exception(map(4096, true)), ExceptionCode::Denied);
    map(4096, false).expect("its own");
    // What says where its ring is.
    assert_eq!(exception(map(0, false)), ExceptionCode::Denied);
}

/// Behind an IOMMU the ring is a buffer of the pool. A driver finds out where there is none, too.
#[test]
fn a_ring_is_no_larger_than_a_buffer_on_any_backend() {
    for with_iommu in [false, true] {
        let world = World::new();
        if with_iommu {
            iommu::install();
        }
        plug();
        let user = world.start("driver");
        let device = claim(&user, "virtio").expect("free");
        let driver = Driver { user, device };
        assert_eq!(exception(driver.queue_in(12, 3).1), ExceptionCode::InvalidArgument, "it has two pages");
        driver.queue_in(13, 3).1.expect("a page for each part");
        assert_eq!(wrong(), "");
    }
}
