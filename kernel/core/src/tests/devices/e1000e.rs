//! The 82574L, as far as the kernel sees of it: rings that the device writes back in place.

use super::dma::submit;
use super::interrupts::ask;
use super::{AT, BASE, Driver, MESSAGES, World, claim, entry, exception};
use crate::device::{audit, history, registry};
use crate::task::end;
use crate::task::process::Status;
use capos_abi::{CapId, ExceptionCode};
use capos_dma::e1000e::{Layout, bits};
use capos_ledger::Event;
use capos_pci::model::Device as Plugged;
use capos_schema::Empty;
use capos_schema::device::{self, InfoResults as Info, QueueParams};
use capos_schema::device_manager::{DeviceState, DmaBackend};
use capos_schema::device_queue::{self, InfoResults};
use capos_schema::dma_pool::{self, UsageResults};
use kernel_hal::Width;
use kernel_hal::fake::device::{Model, put};
use kernel_hal::fake::{iommu, pci};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const CTRL: u32 = 0;
const RCTL: u32 = 0x100;
const TCTL: u32 = 0x400;
const RDBAL: u32 = 0x2800;
const RDT: u32 = 0x2818;
const TDBAL: u32 = 0x3800;
const TDT: u32 = 0x3818;

const SIZE: u16 = 8;
const TAIL: u64 = 16 * SIZE as u64;
const FRAME: u64 = bits::FRAME | bits::END | bits::CHECK | bits::REPORT | bits::FORM;

/// Registers keep what was written to them. It asks for memory until it is told not to, or longer.
#[derive(Default)]
struct Adapter {
    words: BTreeMap<u64, u64>,
    is_slow: bool,
}

#[derive(Clone, Default)]
struct Front(Arc<Mutex<Adapter>>);

impl Model for Front {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        let adapter = self.0.lock().expect("no panics");
        let written = |at| adapter.words.get(&at).copied().unwrap_or(0);
        match offset {
            0 => written(0) & !(1 << 26),
            8 if adapter.is_slow || written(0) & 4 == 0 => 1 << 19,
            8 => 0,
            _ => written(offset),
        }
    }

    fn write(&mut self, offset: u64, _width: Width, value: u64) {
        self.0.lock().expect("no panics").words.insert(offset, value);
    }
}

impl Front {
    fn said(&self, offset: u32) -> u64 {
        self.0.lock().expect("no panics").words.get(&offset.into()).copied().unwrap_or(0)
    }

    fn address(&self, offset: u32) -> u64 {
        self.said(offset) | self.said(offset + 4) << 32
    }

    fn is_slow(&self, slow: bool) {
        self.0.lock().expect("no panics").is_slow = slow;
    }
}

/// Plugs one in that firmware has used, and left as it was.
fn plug() -> Front {
    registry::forget_all();
    pci::plug(AT, Plugged::new(0x8086, 0x10d3, 0x02_0000).bar(0, BASE, 0x2_0000, 0));
    let front = Front::default();
    let left = [(RCTL, 2), (TCTL, 2), (RDBAL, 0x7f00_0000), (0x2808, 256), (0x5008, 1 << 15), (0x5818, 1)];
    front.0.lock().expect("no panics").words.extend(left.map(|(at, value)| (at.into(), value)));
    put(BASE, Box::new(front.clone()));
    front
}

impl Driver {
    fn ring(&self, index: u16, entries: u16) -> Result<CapId, capos_abi::Cqe> {
        let params = QueueParams { index, entries };
        self.user.call_for_cap(self.device, device::INTERFACE_ID, device::QUEUE, &params)
    }

    fn ring_info(&self, queue: CapId) -> InfoResults {
        self.user.call(queue, device_queue::INTERFACE_ID, device_queue::INFO, &Empty).expect("a queue")
    }

    fn pins(&self, pool: CapId) -> u32 {
        let usage: UsageResults =
            self.user.call(pool, dma_pool::INTERFACE_ID, dma_pool::USAGE, &Empty).expect("a pool");
        usage.pinned
    }

    /// Writes one more descriptor, after so many; tells of it.
    fn give(&self, queue: CapId, before: u16, words: [u64; 2]) -> Result<u32, capos_abi::Cqe> {
        submit(self, queue, 16 * u64::from(before), &words);
        submit(self, queue, TAIL, &[u64::from(before + 1)]);
        self.publish(queue).map(|done| done.published)
    }
}

/// A driver with both queues at work; its window, its pool, the queues.
fn driver(world: &World) -> (Driver, CapId, CapId, [CapId; 2]) {
    let user = world.start("driver");
    let device = claim(&user, "e1000e").expect("free");
    let driver = Driver { user, device };
    let (window, pool) = (driver.window(), driver.pool());
    let queues = [0, 1].map(|index| driver.ring(index, SIZE).expect("a ring"));
    driver.call(device::START).expect("it is quiet");
    driver.write(window, RCTL, 4, 2).expect("it has its ring");
    driver.write(window, TCTL, 4, 2).expect("it has its ring");
    (driver, window, pool, queues)
}

fn memory_of(index: u16) -> (kernel_hal::sync::Ref<kernel_hal::mem::Frames>, usize, usize) {
    let function = registry::find(AT).expect("memory");
    let generation = function.lock().record.generation();
    function.completion(generation, index).expect("a queue")
}

fn word(index: u16, offset: usize) -> u64 {
    let mut bytes = [0; 8];
    memory_of(index).0.read(offset, &mut bytes).expect("inside");
    u64::from_le_bytes(bytes)
}

/// What the device has of a descriptor.
fn real(index: u16, nth: usize) -> [u64; 2] {
    [word(index, 16 * nth), word(index, 16 * nth + 8)]
}

/// What its driver sees of what the device wrote.
fn answer(index: u16, nth: u16) -> u64 {
    word(index, Layout::new(SIZE).expect("a power of two").answer(nth) as usize)
}

/// The device writes back.
fn write_back(index: u16, nth: usize, second: u64) {
    memory_of(index).0.write(16 * nth + 8, &second.to_le_bytes()).expect("inside");
}

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

#[test]
fn firmware_leaves_an_adapter_at_work_and_its_driver_begins_anew() {
    let world = World::new();
    let adapter = plug();
    adapter.is_slow(true);
    let user = world.start("driver");
    let device = claim(&user, "e1000e").expect("free");
    let driver = Driver { user, device };
    assert_eq!((adapter.said(RCTL), adapter.said(CTRL)), (0, 4), "it is to ask for no memory");
    let (window, _) = (driver.window(), driver.pool());
    assert_eq!(exception(driver.ring(0, SIZE)), ExceptionCode::WrongState, "it still does");
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::WrongState);
    adapter.is_slow(false);
    assert_eq!(exception(driver.write(window, RCTL, 4, 2)), ExceptionCode::WrongState, "without a ring");
    driver.ring(0, SIZE).expect("a ring");
    for kept in [0x2900, 0x2908, TDBAL, 0x5008, 0x5818] {
        assert_eq!(adapter.said(kept), 0, "{kept:#x} is of before");
    }
    assert!(![0, 0x7f00_0000].contains(&adapter.address(RDBAL)));
    assert_eq!(adapter.said(0x2808), 16 * u64::from(SIZE));
    driver.call(device::START).expect("it is quiet");
    driver.write(window, RCTL, 4, u64::from(u32::MAX)).expect("it has its ring");
    assert_eq!(adapter.said(RCTL), 0x0400_801a, "sizes and forms are the kernel's");
    assert_eq!(exception(driver.write(window, RCTL, 4, 0)), ExceptionCode::WrongState, "that is a reset");
    assert_eq!(exception(driver.write(window, CTRL, 4, 1 << 26)), ExceptionCode::WrongState, "so is that");
    assert_eq!(exception(driver.ring(0, SIZE)), ExceptionCode::Exists);
    assert_eq!(exception(driver.ring(2, SIZE)), ExceptionCode::NotFound);
    assert_eq!(exception(driver.ring(1, 12)), ExceptionCode::InvalidArgument);
    assert_eq!(wrong(), "");
}

#[test]
fn what_is_no_such_adapter_is_not_claimed_as_one() {
    let world = World::new();
    super::plug();
    let user = world.start("driver");
    assert_eq!(exception(claim(&user, "e1000e")), ExceptionCode::Unsupported);
    plug();
    assert_eq!(exception(claim(&user, "edu")), ExceptionCode::Unsupported);
    registry::forget_all();
    // Its sister, which has other registers.
    pci::plug(AT, Plugged::new(0x8086, 0x10c9, 0x02_0000).bar(0, BASE, 0x2_0000, 0));
    assert_eq!(exception(claim(&user, "e1000e")), ExceptionCode::Unsupported);
}

#[test]
fn descriptors_reach_the_device_with_addresses_and_come_back_without() {
    let world = World::new();
    let adapter = plug();
    let (driver, window, pool, [receive, send]) = driver(&world);
    let (buffer, token) = driver.buffer(pool, 1);
    assert_eq!(driver.give(receive, 0, [token + 2048, 7]).expect("a good one"), 1);
    assert_eq!(driver.give(send, 0, [token + 3, FRAME | 60]).expect("a good one"), 1);
    let (filled, sent) = (real(0, 0), real(1, 0));
    assert!(filled[0] % 4096 == 2048 && filled[0] != token + 2048 && filled[1] == 0);
    assert!(sent[0] == filled[0] - 2045 && sent[1] == FRAME | 60);
    assert_eq!((adapter.said(RDT), adapter.said(TDT), driver.pins(pool)), (1, 1, 1));
    for register in [RDT, TDT, RDBAL, TDBAL] {
        assert_eq!(exception(driver.write(window, register, 4, 2)), ExceptionCode::Denied);
    }
    assert_eq!(exception(driver.read(window, RDBAL, 4)), ExceptionCode::Denied);
    driver.release(buffer);
    assert_eq!(driver.pins(pool), 1, "the device has it twice");
    write_back(0, 0, bits::DONE | 60);
    assert_eq!(driver.publish(receive).expect("nothing new").completed, 1);
    assert_eq!((answer(0, 0), answer(1, 0), driver.pins(pool)), (bits::DONE | 60, 0, 1));
    write_back(1, 0, FRAME | bits::DONE | 60);
    assert_eq!(driver.publish(send).expect("nothing new").completed, 1);
    assert_eq!((answer(1, 0), driver.pins(pool), wrong()), (FRAME | bits::DONE | 60, 0, ""));
    // Where addresses are is not for its eyes.
    let info = driver.ring_info(receive);
    assert_eq!((info.direct, info.submission_size, info.completion_size), (false, 4096, 4096));
    let (_, first, pages) = memory_of(0);
    assert_eq!((first, pages), (1, 1));
}

/// A descriptor, by the token of a buffer.
type Words = fn(u64) -> [u64; 2];

#[test]
fn a_descriptor_that_names_what_it_may_not_stops_its_queue_and_is_written_down() {
    let world = World::new();
    plug();
    // Less room than the device writes, no token, a frame that ends beyond, a part of one, segments, a legacy descriptor.
    let all: [(usize, Words); 6] = [
        (0, |token| [token + 2049, 0]),
        (0, |_| [0x10_0000, 0]),
        (1, |token| [token + 4000, FRAME | 97]),
        (1, |token| [token, FRAME & !bits::END | 60]),
        (1, |token| [token, FRAME | 1 << 26 | 60]),
        (1, |token| [token, 0x0b00_0000 | 60]),
    ];
    for (which, words) in all {
        let (driver, _, pool, queues) = driver(&world);
        let (_, token) = driver.buffer(pool, 1);
        let since = history::end();
        let refused = driver.give(queues[which], 0, words(token));
        assert_eq!(exception(refused), ExceptionCode::InvalidArgument);
        assert_eq!((real(which as u16, 0), driver.pins(pool)), ([0; 2], 0), "nothing of it is there");
        let read = history::read(since).expect("it is written down");
        assert_eq!((read.entry.event, read.entry.detail), (Event::DescriptorRefused, (which as u64) << 32));
        let good = driver.give(queues[which], 0, [token, if which == 0 { 0 } else { FRAME | 60 }]);
        assert_eq!(exception(good), ExceptionCode::InvalidArgument, "nothing until a reset");
        end::end_process(driver.user.process(), Status::Killed);
    }
}

#[test]
fn behind_an_iommu_a_context_is_the_proof_and_then_the_rings_are_the_drivers() {
    let world = World::new();
    iommu::install();
    let adapter = plug();
    let (driver, _, _, [_, send]) = driver(&world);
    assert_eq!(entry(&driver.user).backend, DmaBackend::Unproven);
    let context = [0, bits::REPORT | bits::FORM];
    driver.give(send, 0, context).expect("a good one");
    assert!(iommu::reaches(AT, adapter.address(TDBAL)).is_some());
    assert_eq!(driver.publish(send).expect("nothing new").completed, 0);
    assert!(!driver.is_proven(), "it has done nothing yet");
    write_back(1, 0, context[1] | bits::DONE);
    assert_eq!(driver.publish(send).expect("nothing new").completed, 1);
    assert!(driver.is_proven());
    assert_eq!((driver.reset().is_ok(), entry(&driver.user).backend), (true, DmaBackend::Direct));
    let (window, _) = (driver.window(), driver.pool());
    let [receive, send] = [0, 1].map(|index| driver.ring(index, SIZE).expect("a ring"));
    driver.call(device::START).expect("it is quiet");
    let (first, second) = (driver.ring_info(receive), driver.ring_info(send));
    assert!(first.direct && first.token == 0 && second.bell_offset == u64::from(TDT));
    for base in [RDBAL, TDBAL] {
        assert!(iommu::reaches(AT, adapter.address(base)).is_some());
        assert_eq!(exception(driver.write(window, base, 4, 0x1000)), ExceptionCode::Denied, "not its to say");
        assert_eq!(exception(driver.write(window, base + 8, 4, 0x1000)), ExceptionCode::Denied);
    }
    driver.write(window, RDT, 4, 1).expect("its own doorbell");
    assert_eq!(exception(driver.publish(receive)), ExceptionCode::Unsupported);
    assert_eq!(wrong(), "");
}

#[test]
fn it_signals_by_its_one_message_and_its_table_stays_off() {
    let world = World::new();
    plug();
    registry::forget_all();
    // Both kinds; firmware has left the table on.
    let table = [4, 0x80, 1, 0, 0, 0, 1, 8, 0, 0];
    let both = Plugged::new(0x8086, 0x10d3, 0x02_0000).bar(0, BASE, 0x2_0000, 0).bar(1, MESSAGES, 4096, 0);
    pci::plug(AT, both.capability(5, &[0; 8]).capability(0x11, &table));
    put(BASE, Box::new(Front::default()));
    super::table();
    let user = world.start("driver");
    let device = claim(&user, "e1000e").expect("free");
    let driver = Driver { user, device };
    let function = registry::find(AT).expect("memory");
    let msix = function.pci.msix.expect("it has one");
    assert!(!msix.is_enabled(&kernel_hal::pci::Access, function.pci.address));
    let info: Info =
        driver.user.call(driver.device, device::INTERFACE_ID, device::INFO, &Empty).expect("claimed");
    assert_eq!(info.messages, 1);
    let interrupt = ask(&driver, 0).expect("its message");
    assert_eq!(exception(ask(&driver, 1)), ExceptionCode::NotFound);
    assert!(!msix.is_enabled(&kernel_hal::pci::Access, function.pci.address) && wrong().is_empty());
    driver.release(interrupt);
}

#[test]
fn an_adapter_that_goes_on_keeps_what_it_was_told_of() {
    let world = World::new();
    let adapter = plug();
    let (driver, _, pool, [receive, _]) = driver(&world);
    let account = driver.user.process().account.clone();
    let (_, token) = driver.buffer(pool, 1);
    driver.give(receive, 0, [token, 0]).expect("a good one");
    adapter.is_slow(true);
    driver.release(driver.device);
    let user = world.start("next");
    assert_eq!(entry(&user).state, DeviceState::Draining);
    assert!(account.used(capos_mem::Resource::DmaPages) > 0, "it may still write there");
    assert_eq!(exception(claim(&user, "e1000e")), ExceptionCode::WrongState);
    adapter.is_slow(false);
    assert!(registry::find(AT).expect("memory").settle().expect("it answers"));
    assert_eq!(account.used(capos_mem::Resource::DmaPages), 0);
    claim(&user, "e1000e").expect("free");
}
