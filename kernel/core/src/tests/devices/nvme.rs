//! An NVMe controller, as far as the kernel sees of it: queues of commands that it translates.

use super::dma::submit;
use super::iommu::replace;
use super::{AT, BASE, Driver, World, claim, entry, exception};
use crate::device::{audit, demand, history, registry};
use crate::task::end;
use crate::task::process::Status;
use capos_abi::{CapId, Cqe, ExceptionCode, PAGE_SIZE};
use capos_ledger::Event;
use capos_pci::model::Device as Plugged;
use capos_schema::Empty;
use capos_schema::device::{self, QueueParams};
use capos_schema::device_manager::{DeviceState, DmaBackend};
use capos_schema::device_queue::{self, InfoResults};
use capos_schema::dma_pool::{self, UsageResults};
use kernel_hal::Width;
use kernel_hal::fake::device::{Model, put};
use kernel_hal::fake::{iommu, pci};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const CC: u32 = 0x14;
const CSTS: u32 = 0x1c;
const ASQ: u32 = 0x28;
const ACQ: u32 = 0x30;
const BELLS: u32 = 0x1000;

/// Entries of a queue, and where the words behind the commands are.
const SIZE: u16 = 8;
const TAIL: u64 = 64 * SIZE as u64;

/// Commands: a read of one sector, Identify of a namespace, and of queues that come to be.
const READ: u64 = 2;
const IDENTIFY: u64 = 6;
const CREATE_SUBMISSIONS: u64 = 1;
const CREATE_COMPLETIONS: u64 = 5;

/// Registers keep what was written to them, in halves; the status follows the configuration, in its own time.
#[derive(Default)]
struct Nvme {
    words: BTreeMap<u64, u64>,
    is_slow: bool,
}

#[derive(Clone, Default)]
struct Front(Arc<Mutex<Nvme>>);

impl Model for Front {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        let nvme = self.0.lock().expect("no panics");
        let written = |at| nvme.words.get(&at).copied().unwrap_or(0);
        match offset {
            // 64 entries at most, 500 ms; the NVM command set.
            0 => 1 << 24 | 63,
            4 => 1 << 5,
            at if at == u64::from(CSTS) => u64::from(nvme.is_slow) | written(CC.into()) & 1,
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

    /// An address, of which there are two halves.
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
    pci::plug(AT, Plugged::new(0x1b36, 0x0010, 0x01_0802).bar(0, BASE, 0x4000, 0));
    let front = Front::default();
    let left = [(CC, 0x0046_0001), (ASQ, 0x7f00_0000), (ACQ, 0x7f00_1000)];
    front.0.lock().expect("no panics").words.extend(left.map(|(at, value)| (at.into(), value)));
    put(BASE, Box::new(front.clone()));
    front
}

impl Driver {
    fn nvme_queue(&self, index: u16) -> Result<CapId, Cqe> {
        let params = QueueParams { index, entries: SIZE };
        self.user.call_for_cap(self.device, device::INTERFACE_ID, device::QUEUE, &params)
    }

    fn queue_info(&self, queue: CapId) -> InfoResults {
        self.user.call(queue, device_queue::INTERFACE_ID, device_queue::INFO, &Empty).expect("a queue")
    }

    fn pinned(&self, pool: CapId) -> u32 {
        let usage: UsageResults =
            self.user.call(pool, dma_pool::INTERFACE_ID, dma_pool::USAGE, &Empty).expect("a pool");
        usage.pinned
    }

    /// Writes one more command, after so many, and how many completions were read; tells of it.
    fn command(&self, queue: CapId, before: u16, read: u16, words: [u64; 8]) -> Result<u32, Cqe> {
        submit(self, queue, 64 * u64::from(before), &words);
        submit(self, queue, TAIL, &[u64::from(before + 1) | u64::from(read) << 16]);
        self.publish(queue).map(|done| done.published)
    }
}

/// A driver with the admin queue, its controller enabled; its pool, its window.
fn driver(world: &World) -> (Driver, CapId, CapId, CapId) {
    let user = world.start("driver");
    let device = claim(&user, "nvme").expect("free");
    let driver = Driver { user, device };
    let (window, pool) = (driver.window(), driver.pool());
    let queue = driver.nvme_queue(0).expect("an admin queue");
    driver.call(device::START).expect("it is quiet");
    driver.write(window, CC, 4, 1).expect("it has its admin queue");
    (driver, window, pool, queue)
}

/// What the device has of a queue: eight words from there on.
fn real(index: u16, offset: usize) -> [u64; 8] {
    let (frames, ..) = completion_of(index);
    let mut bytes = [0; 64];
    frames.read(offset, &mut bytes).expect("inside");
    let (words, _) = bytes.as_chunks::<8>();
    core::array::from_fn(|n| u64::from_le_bytes(words[n]))
}

fn completion_of(index: u16) -> (kernel_hal::sync::Ref<kernel_hal::mem::Frames>, usize, usize) {
    let function = registry::find(AT).expect("memory");
    let generation = function.lock().record.generation();
    function.completion(generation, index).expect("a queue")
}

/// The device completes a command as its first in this queue's life.
fn complete(index: u16, nth: u16, id: u16) {
    let (frames, first, _) = completion_of(index);
    let entry = u64::from(nth + 1) | u64::from(index) << 16 | u64::from(id) << 32 | 1 << 48;
    frames.write(first * PAGE_SIZE + 16 * usize::from(nth) + 8, &entry.to_le_bytes()).expect("inside");
}

/// The device says that its namespace has sectors of 512 bytes.
fn answer() {
    let (frames, first, _) = completion_of(0);
    frames.write((first + 1) * PAGE_SIZE + 130, &[9]).expect("inside");
}

fn wrong() -> &'static str {
    audit::look_at(&registry::find(AT).expect("memory")).wrong
}

/// Enabled, with namespace 1 identified and queue 1 created, whatever the pointers are.
fn with_queue(driver: &Driver, admin: CapId, pointer: u64) -> CapId {
    let identify = [IDENTIFY | 1 << 32, 0, 0, pointer, 0, 0, 0, 0];
    assert_eq!(driver.command(admin, 0, 0, identify).expect("a good one"), 1);
    answer();
    complete(0, 0, 0);
    let queue = driver.nvme_queue(1).expect("another");
    let size = 1 | u64::from(SIZE - 1) << 16;
    for (n, opcode, flags) in [(1, CREATE_COMPLETIONS, 1), (2, CREATE_SUBMISSIONS, 1 | 1 << 16)] {
        let words = [opcode | u64::from(n) << 16, 0, 0, pointer, 0, size | flags << 32, 0, 0];
        assert_eq!(driver.command(admin, n, n - 1, words).expect("a good one"), 1);
        complete(0, n, n);
    }
    queue
}

/// A read of so many sectors.
fn read(id: u64, prp: [u64; 2], sectors: u64) -> [u64; 8] {
    [READ | id << 16 | 1 << 32, 0, 0, prp[0], prp[1], 0, sectors - 1, 0]
}

#[test]
fn firmware_leaves_a_controller_at_work_and_its_driver_begins_anew() {
    let world = World::new();
    let nvme = plug();
    nvme.is_slow(true);
    let user = world.start("driver");
    let device = claim(&user, "nvme").expect("free");
    let driver = Driver { user, device };
    assert_eq!(nvme.said(CC) & 1, 0, "it was told to stop");
    let (window, _) = (driver.window(), driver.pool());
    assert_eq!(exception(driver.nvme_queue(0)), ExceptionCode::WrongState, "it is still at work");
    assert_eq!(exception(driver.call(device::START)), ExceptionCode::WrongState);
    assert_eq!(nvme.address(ASQ), 0x7f00_0000);
    nvme.is_slow(false);
    assert_eq!(exception(driver.write(window, CC, 4, 1)), ExceptionCode::WrongState, "with those of before");
    assert_eq!(nvme.said(CC) & 1, 0);
    let queue = driver.nvme_queue(0).expect("an admin queue");
    assert!(![0, 0x7f00_0000].contains(&nvme.address(ASQ)) && nvme.address(ACQ) > nvme.address(ASQ));
    driver.call(device::START).expect("it is quiet");
    driver.write(window, CC, 4, 0xff_ffff).expect("it has its queue");
    assert_eq!(nvme.said(CC), 0x0046_c001, "sizes and pages are the kernel's");
    assert_eq!(exception(driver.write(window, CC, 4, 0)), ExceptionCode::WrongState, "that is a reset");
    let info = driver.queue_info(queue);
    assert_eq!((info.entries, info.direct, info.token), (SIZE.into(), false, 0));
    assert_eq!(wrong(), "");
}

#[test]
fn what_is_not_a_controller_that_is_known_is_not_claimed_as_one() {
    let world = World::new();
    super::plug();
    let user = world.start("driver");
    assert_eq!(exception(claim(&user, "nvme")), ExceptionCode::Unsupported, "no controller");
    plug();
    assert_eq!(exception(claim(&user, "edu")), ExceptionCode::Unsupported);
    // The same registers, and another class: the programming interface is of some other kind.
    registry::forget_all();
    pci::plug(AT, Plugged::new(0x1b36, 0x0010, 0x01_0801).bar(0, BASE, 0x4000, 0));
    assert_eq!(exception(claim(&user, "nvme")), ExceptionCode::Unsupported);
    pci::plug(AT, Plugged::new(0x1b36, 0x0010, 0x01_0802).bar(0, BASE, 0x4000, 0));
    // Other registers, which say nothing of a command set.
    put(BASE, Box::new(super::Front(Arc::default())));
    assert_eq!(exception(claim(&user, "nvme")), ExceptionCode::Unsupported);
    assert_eq!(entry(&user).state, DeviceState::Free);
}

#[test]
fn registers_of_a_controller_are_its_drivers_as_far_as_they_name_nothing() {
    let world = World::new();
    plug();
    let (driver, window, ..) = driver(&world);
    // Interrupt masks.
    driver.write(window, 0xc, 4, 1).expect("its own");
    assert_eq!(driver.read(window, 4, 4).expect("capabilities"), 1 << 5);
    // Version, status, queue sizes, addresses of queues, boot partitions, memory buffers, a doorbell, behind the doorbells.
    for (offset, width) in [
        (8, 4),
        (CSTS, 4),
        (0x24, 4),
        (ASQ, 8),
        (ACQ, 8),
        (0x38, 4),
        (0x44, 4),
        (0x48, 8),
        (0x50, 8),
        (0xe04, 4),
        (0xe14, 4),
        (BELLS, 4),
        (BELLS + 4, 4),
        (BELLS + 0x1000, 4),
    ] {
        let written = driver.write(window, offset, width, 1);
        assert_eq!(exception(written), ExceptionCode::Denied, "{offset:#x}");
    }
    for (offset, width) in [(ASQ, 8), (ACQ, 8), (0x38, 4), (0x50, 8), (BELLS, 4)] {
        assert_eq!(exception(driver.read(window, offset, width)), ExceptionCode::Denied, "{offset:#x}");
    }
}

#[test]
fn commands_reach_the_device_with_addresses_and_queues_where_the_kernel_has_them() {
    let world = World::new();
    let nvme = plug();
    let (driver, _, pool, admin) = driver(&world);
    let (buffer, token) = driver.buffer(pool, 2);
    let queue = with_queue(&driver, admin, 0x10_0000);
    // An answer comes to behind the completions, queues are where theirs is: nothing of what the driver said.
    assert_eq!(real(0, 0)[3], nvme.address(ACQ) + PAGE_SIZE as u64);
    assert_eq!(nvme.said(BELLS), 3);
    let (made, sizes) = (real(0, 64)[3], real(0, 64)[5]);
    assert!(made != 0x10_0000 && made != nvme.address(ACQ) && sizes == 1 | 7 << 16 | 1 << 32);
    assert_eq!(made - real(0, 128)[3], nvme.address(ACQ) - nvme.address(ASQ), "one queue's two rings");
    assert_eq!(driver.command(queue, 0, 0, read(0, [token + 512, 0], 1)).expect("a good one"), 1);
    let there = real(1, 0);
    assert!(there[3] != token + 512 && there[3] % 4096 == 512 && there[0] == READ | 1 << 32);
    assert_eq!((nvme.said(BELLS + 8), driver.pinned(pool)), (1, 1));
    driver.release(buffer);
    assert_eq!(driver.pinned(pool), 1, "the device has it");
    assert_eq!(wrong(), "");
    complete(1, 0, 0);
    assert_eq!(driver.publish(queue).expect("nothing new").completed, 1);
    assert_eq!((driver.pinned(pool), wrong()), (0, ""));
    submit(&driver, queue, TAIL, &[1 | 1 << 16]);
    driver.publish(queue).expect("it was read");
    assert_eq!(nvme.said(BELLS + 12), 1, "the device learns how far its completions were read");
}

#[test]
fn a_command_that_names_what_it_may_not_stops_its_queue_and_is_written_down() {
    let world = World::new();
    plug();
    // A pointer, a second one, an entry of a list, a list, another's sectors, metadata, lists of another kind, an opcode that nobody has.
    let all: [fn(u64) -> [u64; 8]; 8] = [
        |token| read(0, [token + 16 * 4096, 0], 1),
        |token| read(0, [token, token + 2 * 4096], 16),
        |token| read(0, [token, token + 4096], 24),
        |token| read(0, [token, token + 3 * 4096], 24),
        |token| [READ | 2 << 32, 0, 0, token, 0, 0, 0, 0],
        |token| [READ | 1 << 32, 0, token, token, 0, 0, 0, 0],
        |token| [READ | 1 << 32 | 1 << 14, 0, 0, token, 0, 0, 0, 0],
        |token| [0x80 | 1 << 32, 0, 0, token, 0, 0, 0, 0],
    ];
    for words in all {
        let (driver, _, pool, admin) = driver(&world);
        let (_, token) = driver.buffer(pool, 2);
        let queue = with_queue(&driver, admin, 0);
        let since = history::end();
        let refused = driver.command(queue, 0, 0, words(token));
        assert_eq!(exception(refused), ExceptionCode::InvalidArgument);
        assert_eq!((real(1, 0), driver.pinned(pool)), ([0; 8], 0), "nothing of it is there");
        let read = history::read(since).expect("it is written down");
        assert_eq!((read.entry.event, read.entry.detail), (Event::DescriptorRefused, 1 << 32));
        let good = driver.command(queue, 0, 0, read_one(token));
        assert_eq!(exception(good), ExceptionCode::InvalidArgument, "nothing until a reset");
        end::end_process(driver.user.process(), Status::Killed);
    }
}

fn read_one(token: u64) -> [u64; 8] {
    read(0, [token, 0], 1)
}

#[test]
fn admin_commands_that_would_change_the_device_or_make_queues_elsewhere_are_refused() {
    let world = World::new();
    plug();
    let create =
        |id: u64, entries: u64| [CREATE_COMPLETIONS, 0, 0, 0, 0, id | (entries - 1) << 16 | 1 << 32, 0, 0];
    for words in [
        // Delete a queue, firmware, a format, a doorbell buffer; a host memory buffer.
        [0x00, 0, 0, 0, 0, 1, 0, 0],
        [0x11, 0, 0, 0, 0, 0, 0, 0],
        [0x80, 0, 0, 0, 0, 0, 0, 0],
        [0x7c, 0, 0, 0, 0, 0, 0, 0],
        [0x09, 0, 0, 0, 0, 0x0d, 0, 0],
        // A queue that nobody attached, one that is larger than its ring, the admin queue.
        create(2, 8),
        create(1, 16),
        create(0, 8),
    ] {
        let (driver, _, _, admin) = driver(&world);
        driver.nvme_queue(1).expect("attached");
        let refused = driver.command(admin, 0, 0, words);
        assert_eq!(exception(refused), ExceptionCode::InvalidArgument, "{words:x?}");
        end::end_process(driver.user.process(), Status::Killed);
    }
}

#[test]
fn behind_an_iommu_the_first_completion_is_the_proof_and_then_the_queues_are_the_drivers() {
    let world = World::new();
    iommu::install();
    let nvme = plug();
    let (driver, _, _, admin) = driver(&world);
    assert_eq!(entry(&driver.user).backend, DmaBackend::Unproven);
    let identify = [IDENTIFY | 1 << 32, 0, 0, 0, 0, 0, 0, 0];
    driver.command(admin, 0, 0, identify).expect("a good one");
    // It finds everything by the IOMMU, and elsewhere than it is told.
    assert!(iommu::reaches(AT, real(0, 0)[3]).is_some() && iommu::reaches(AT, nvme.address(ASQ)).is_some());
    assert_eq!(driver.publish(admin).expect("nothing new").completed, 0);
    assert!(!driver.is_proven(), "it has done nothing yet");
    answer();
    complete(0, 0, 0);
    assert_eq!(driver.publish(admin).expect("nothing new").completed, 1);
    assert!(driver.is_proven());
    assert_eq!((driver.reset().is_ok(), entry(&driver.user).backend), (true, DmaBackend::Direct));
    let window = driver.window();
    let pool = driver.pool();
    let admin = driver.nvme_queue(0).expect("an admin queue");
    let other = driver.nvme_queue(1).expect("another");
    driver.call(device::START).expect("it is quiet");
    let (first, second) = (driver.queue_info(admin), driver.queue_info(other));
    assert!(first.direct && first.token == nvme.address(ASQ) && second.token != first.token);
    assert_eq!(second.bell_offset, u64::from(BELLS) + 8);
    for queue in [first, second] {
        let (_, page, _) =
            iommu::reaches(AT, queue.token + u64::from(queue.submission_size)).expect("all of it");
        assert_eq!(page, queue.submission_size as usize / PAGE_SIZE);
    }
    driver.write(window, BELLS, 4, 1).expect("its own doorbell");
    assert_eq!(exception(driver.publish(admin)), ExceptionCode::Unsupported);
    // Where queue 0 lies is a token of its own memory, which stays until a reset.
    let (buffer, token) = driver.buffer(pool, 1);
    driver.write(window, ASQ, 8, token).expect("its own memory");
    assert_eq!(nvme.said(ASQ), token);
    driver.release(buffer);
    assert!(driver.pinned(pool) == 1 && iommu::reaches(AT, token).is_some());
    let beyond = first.token + u64::from(first.submission_size + first.completion_size);
    for forged in [token, beyond, 0x10_0000, 0, u64::MAX - 7] {
        assert_eq!(exception(driver.write(window, ASQ, 8, forged)), ExceptionCode::InvalidArgument);
    }
    assert_eq!(exception(driver.write(window, ASQ, 4, first.token)), ExceptionCode::InvalidArgument);
    assert_eq!(nvme.said(ASQ), token, "nothing else was told");
    assert_eq!(wrong(), "");
}

#[test]
fn a_queue_that_its_controller_cannot_have_leaves_the_device_nothing() {
    let world = World::new();
    iommu::install();
    plug();
    let (driver, _, _, admin) = driver(&world);
    driver.command(admin, 0, 0, [IDENTIFY | 1 << 32, 0, 0, 0, 0, 0, 0, 0]).expect("a good one");
    answer();
    complete(0, 0, 0);
    driver.publish(admin).expect("nothing new");
    for (proven, backend) in [(false, DmaBackend::Unproven), (true, DmaBackend::Direct)] {
        if proven {
            driver.reset().expect("claimed");
            driver.pool();
        }
        assert_eq!(entry(&driver.user).backend, backend);
        let shown = || registry::find(AT).expect("memory").lock().dma.as_ref().expect("a pool").usage();
        let before = shown();
        assert_eq!(exception(driver.nvme_queue(16)), ExceptionCode::NotFound, "one more than there are");
        assert_eq!((wrong(), shown()), ("", before));
        driver.nvme_queue(15).expect("the last");
        assert_eq!(wrong(), "");
    }
}

#[test]
fn a_controller_that_goes_on_keeps_what_it_was_told_of() {
    let world = World::new();
    let nvme = plug();
    let (driver, _, pool, admin) = driver(&world);
    let account = driver.user.process().account.clone();
    let (_, token) = driver.buffer(pool, 1);
    let queue = with_queue(&driver, admin, 0);
    driver.command(queue, 0, 0, read_one(token)).expect("a good one");
    nvme.is_slow(true);
    driver.release(driver.device);
    let user = world.start("next");
    assert_eq!(entry(&user).state, DeviceState::Draining);
    assert!(account.used(capos_mem::Resource::DmaPages) > 0, "it may still write there");
    assert_eq!(exception(claim(&user, "nvme")), ExceptionCode::WrongState);
    nvme.is_slow(false);
    assert!(registry::find(AT).expect("memory").settle().expect("it answers"));
    assert_eq!(account.used(capos_mem::Resource::DmaPages), 0);
    claim(&user, "nvme").expect("free");
}

#[test]
fn the_audit_sees_other_memory_where_a_queue_is() {
    for trusted in [false, true] {
        let world = World::new();
        iommu::install();
        let nvme = plug();
        demand::trust_interrupts(trusted);
        let (driver, _, _, admin) = driver(&world);
        driver.command(admin, 0, 0, [IDENTIFY | 1 << 32, 0, 0, 0, 0, 0, 0, 0]).expect("a good one");
        assert_eq!(wrong(), "");
        replace(nvme.address(ACQ));
        assert_eq!((wrong(), entry(&driver.user).backend), ("iommu", DmaBackend::Unproven));
        answer();
        complete(0, 0, 0);
        driver.publish(admin).expect("nothing new");
        driver.reset().expect("claimed");
        driver.pool();
        driver.nvme_queue(0).expect("an admin queue");
        assert_eq!(wrong(), "");
        replace(nvme.address(ASQ));
        let backend = if trusted { DmaBackend::Direct } else { DmaBackend::Bounce };
        assert_eq!((wrong(), entry(&driver.user).backend), ("iommu", backend));
    }
}
