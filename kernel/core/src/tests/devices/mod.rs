//! Devices: who has them, what came from them, and that all of it is taken back.

mod attach;
mod audit;
mod claims;
mod dma;
mod e1000e;
mod interrupts;
pub(super) mod iommu;
mod lines;
mod modern;
mod nvme;
mod registers;
mod slots;
mod teardown;

pub(super) use dma::describe;
pub(super) use slots::empty_slot;

use super::{User, World};
use crate::cap::Object;
use crate::cap::device_manager::DeviceManager;
use crate::device::registry;
use capos_abi::CapId;
use capos_pci::model::Device as Plugged;
use capos_schema::device::{self, PoolParams, ProveResults, QueueParams, ResetResults, WindowParams};
use capos_schema::device_manager::{self, ClaimParams, ListParams, ListResults};
use capos_schema::device_mmio::{self, ReadParams, ReadResults, WriteParams};
use capos_schema::device_queue::{self, PublishResults};
use capos_schema::dma_pool::{self, AllocateParams};
use capos_schema::{Empty, dma_buffer};
use kernel_hal::Width;
use kernel_hal::fake::device::{Model, put};
use kernel_hal::fake::pci;
use std::boxed::Box;
use std::sync::Arc;
use std::sync::Mutex;
use std::vec::Vec;

/// Where the device is, and its registers.
pub(super) const AT: u32 = 0x18;
/// What the manager calls who gets it.
pub(super) const OWNER: u64 = 77;
const BASE: u64 = 0xfea0_0000;
const SIZE: u64 = 1 << 20;
/// Where its messages are.
const MESSAGES: u64 = 0xfeb0_0000;
/// How many.
const COUNT: u16 = 4;

const COMMAND: u64 = 0x98;
const RUN: u64 = 1;

/// The device for teaching, as far as the kernel sees of it: registers that keep what was written to them.
#[derive(Default)]
pub(super) struct Edu {
    pub registers: Mutex<Vec<(u64, u64)>>,
    /// A transfer goes on until the test ends it.
    pub runs: Mutex<bool>,
    /// It could reach memory when it was last told something.
    pub reaches: Mutex<bool>,
}

impl Edu {
    /// What was last written to a register.
    pub fn written(&self, offset: u64) -> Option<u64> {
        let registers = self.registers.lock().expect("no panics");
        registers.iter().rev().find(|(at, _)| *at == offset).map(|(_, value)| *value)
    }

    /// The transfer is over.
    pub fn finish(&self) {
        *self.runs.lock().expect("no panics") = false;
    }
}

struct Front(Arc<Edu>);

impl Model for Front {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        match offset {
            0 => 0x0100_00ed,
            COMMAND => u64::from(*self.0.runs.lock().expect("no panics")),
            _ => self.0.written(offset).unwrap_or(0),
        }
    }

    fn write(&mut self, offset: u64, _width: Width, value: u64) {
        if offset == COMMAND && value & RUN != 0 {
            *self.0.runs.lock().expect("no panics") = true;
        }
        self.0.registers.lock().expect("no panics").push((offset, value));
        // Where it is in a slot it is at another address, and nobody asks.
        *self.0.reaches.lock().expect("no panics") = masters().unwrap_or(false);
    }
}

/// Plugs the device in.
pub(super) fn plug() -> Arc<Edu> {
    registry::forget_all();
    let [low, high] = (COUNT - 1).to_le_bytes();
    // Table at 0 and pending bits at 2048, both behind base address register 1.
    let messages = [low, high, 1, 0, 0, 0, 1, 8, 0, 0];
    let device = Plugged::new(0x1234, 0x11e8, 0x00_ff00)
        .bar(0, BASE, SIZE, 0)
        .bar(1, MESSAGES, 4096, 0)
        .capability(0x11, &messages);
    pci::plug(AT, device);
    let edu = Arc::new(Edu::default());
    put(BASE, Box::new(Front(edu.clone())));
    table();
    edu
}

/// The device's table of messages; somebody else than the kernel may change it.
pub(super) struct Table(Arc<Mutex<[u64; 4 * COUNT as usize]>>);

impl Table {
    /// Changes bits of one of a message's words: address, its upper half, data, mask.
    pub fn flip(&self, index: usize, word: usize, bits: u64) {
        self.0.lock().expect("no panics")[4 * index + word] ^= bits;
    }

    pub fn word(&self, index: usize, word: usize) -> u64 {
        self.0.lock().expect("no panics")[4 * index + word]
    }

    pub fn is_masked(&self, index: usize) -> bool {
        self.word(index, 3) & 1 != 0
    }
}

impl Model for Table {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        self.0.lock().expect("no panics").get(offset as usize / 4).copied().unwrap_or(u64::MAX)
    }

    fn write(&mut self, offset: u64, _width: Width, value: u64) {
        let mut words = self.0.lock().expect("no panics");
        if let Some(word) = words.get_mut(offset as usize / 4) {
            *word = value;
        }
    }
}

/// Puts a new table behind the device's messages, all of which are masked.
pub(super) fn table() -> Table {
    table_at(MESSAGES)
}

/// The same, anywhere.
pub(super) fn table_at(base: u64) -> Table {
    let words = Arc::new(Mutex::new(core::array::from_fn(|word| u64::from(word % 4 == 3))));
    put(base, Box::new(Table(words.clone())));
    Table(words)
}

/// Plugs a virtio device of the old kind in its place: one queue of 8 entries, behind ports.
pub(super) fn plug_legacy() -> Arc<Legacy> {
    registry::forget_all();
    let mut device = Plugged::new(0x1af4, 0x1005, 0x00_ff00).bar(0, 0xc000, 32, 1);
    device.put(0x2c, &[0xf4, 0x1a, 4, 0]);
    pci::plug(AT, device);
    let legacy = Arc::new(Legacy::default());
    put(0xc000, Box::new(Behind(legacy.clone())));
    legacy
}

/// What was written to which register.
#[derive(Default)]
pub(super) struct Legacy {
    pub registers: Mutex<Vec<(u64, u64)>>,
    /// It takes its time for a reset.
    pub is_slow: Mutex<bool>,
}

struct Behind(Arc<Legacy>);

impl Model for Behind {
    fn read(&mut self, offset: u64, _width: Width) -> u64 {
        match offset {
            // Size of the queue that is selected.
            0x0c => 8,
            0x12 if *self.0.is_slow.lock().expect("no panics") => 1,
            _ => {
                let registers = self.0.registers.lock().expect("no panics");
                registers.iter().rev().find(|(at, _)| *at == offset).map_or(0, |(_, value)| *value)
            }
        }
    }

    fn write(&mut self, offset: u64, _width: Width, value: u64) {
        self.0.registers.lock().expect("no panics").push((offset, value));
        // As QEMU's does, for drivers that forget it.
        if (offset, value) == (0x12, 3) {
            pci::with(AT, |device| device.put(4, &[device.get(4) as u8 | 4]));
        }
    }
}

/// A driver of that one, with its pool and its queue.
pub(super) fn legacy_driver(world: &World) -> (Driver, CapId, CapId) {
    plug_legacy();
    let user = world.start("driver");
    let device = claim(&user, "virtio").expect("free");
    let driver = Driver { user, device };
    let pool = driver.pool();
    let params = QueueParams { index: 0, entries: 8 };
    let queue = driver.user.call_for_cap(device, device::INTERFACE_ID, device::QUEUE, &params);
    (driver, pool, queue.expect("a queue"))
}

/// A driver that has the device.
pub(super) struct Driver {
    pub user: User,
    pub device: CapId,
}

impl Driver {
    /// A process with the device, which is through its reset.
    pub fn new(world: &World) -> Driver {
        let user = world.start("driver");
        let device = claim(&user, "edu").expect("a free device");
        Driver { user, device }
    }

    pub fn call(&self, method: u16) -> Result<Empty, capos_abi::Cqe> {
        self.user.call(self.device, device::INTERFACE_ID, method, &Empty)
    }

    pub fn reset(&self) -> Result<u32, capos_abi::Cqe> {
        let results: Result<ResetResults, _> =
            self.user.call(self.device, device::INTERFACE_ID, device::RESET, &Empty);
        results.map(|it| it.generation)
    }

    /// Asks whether the IOMMU was seen to translate for the device.
    pub fn is_proven(&self) -> bool {
        let results: Result<ProveResults, _> =
            self.user.call(self.device, device::INTERFACE_ID, device::PROVE, &Empty);
        results.expect("claimed").proven
    }

    pub fn window(&self) -> CapId {
        self.window_of(0)
    }

    pub fn window_of(&self, bar: u8) -> CapId {
        let params = WindowParams { bar };
        self.user.call_for_cap(self.device, device::INTERFACE_ID, device::WINDOW, &params).expect("a window")
    }

    pub fn pool(&self) -> CapId {
        let params = PoolParams { address_bits: 64, buffer_bits: 16 };
        self.user.call_for_cap(self.device, device::INTERFACE_ID, device::POOL, &params).expect("a pool")
    }

    pub fn buffer(&self, pool: CapId, pages: u32) -> (CapId, u64) {
        let params = AllocateParams { pages };
        let buffer = self.user.call_for_cap(pool, dma_pool::INTERFACE_ID, dma_pool::ALLOCATE, &params);
        let buffer = buffer.expect("a buffer");
        (buffer, self.token(buffer).expect("a live buffer"))
    }

    pub fn token(&self, buffer: CapId) -> Result<u64, capos_abi::Cqe> {
        let info: Result<dma_buffer::InfoResults, _> =
            self.user.call(buffer, dma_buffer::INTERFACE_ID, dma_buffer::INFO, &Empty);
        info.map(|info| info.token)
    }

    /// The queue of a device that may reach memory.
    pub fn queue(&self) -> CapId {
        let params = QueueParams { index: 0, entries: 1 };
        let queue = self.user.call_for_cap(self.device, device::INTERFACE_ID, device::QUEUE, &params);
        self.call(device::START).expect("it is quiet");
        queue.expect("a queue")
    }

    pub fn publish(&self, queue: CapId) -> Result<PublishResults, capos_abi::Cqe> {
        self.user.call(queue, device_queue::INTERFACE_ID, device_queue::PUBLISH, &Empty)
    }

    pub fn read(&self, window: CapId, offset: u32, width: u8) -> Result<u64, capos_abi::Cqe> {
        let params = ReadParams { offset, width };
        let results: Result<ReadResults, _> =
            self.user.call(window, device_mmio::INTERFACE_ID, device_mmio::READ, &params);
        results.map(|it| it.value)
    }

    pub fn write(&self, window: CapId, offset: u32, width: u8, value: u64) -> Result<Empty, capos_abi::Cqe> {
        let params = WriteParams { offset, width, value };
        self.user.call(window, device_mmio::INTERFACE_ID, device_mmio::WRITE, &params)
    }

    pub fn release(&self, id: CapId) {
        let sqe =
            capos_abi::Sqe { op: capos_abi::Op::Release as u8, cap: id.raw(), ..capos_abi::Sqe::default() };
        assert_eq!(self.user.one(sqe).result, 0);
    }
}

/// Claims the device for a process.
pub(super) fn claim(user: &User, policy: &str) -> Result<CapId, capos_abi::Cqe> {
    claim_at(user, AT, policy)
}

/// Claims a function for a process.
pub(super) fn claim_at(user: &User, address: u32, policy: &str) -> Result<CapId, capos_abi::Cqe> {
    let manager = user.hold(Object::DeviceManager(DeviceManager));
    let params = ClaimParams { address, policy, owner: OWNER };
    let claimed = user.call_for_cap(manager, device_manager::INTERFACE_ID, device_manager::CLAIM, &params);
    let sqe =
        capos_abi::Sqe { op: capos_abi::Op::Release as u8, cap: manager.raw(), ..capos_abi::Sqe::default() };
    assert_eq!(user.one(sqe).result, 0);
    claimed
}

/// What the ledger says about the device.
pub(super) fn entry(user: &User) -> ListResults {
    let manager = user.hold(Object::DeviceManager(DeviceManager));
    let params = ListParams { cursor: AT };
    user.call(manager, device_manager::INTERFACE_ID, device_manager::LIST, &params).expect("the device")
}

/// Whether the device may reach memory, as its configuration space says.
pub(super) fn is_master() -> bool {
    masters().expect("plugged in")
}

/// The same, if it is there.
fn masters() -> Option<bool> {
    pci::with(AT, |device| device.get(4) & 4 != 0)
}

/// Which exception a call ended with.
pub(super) fn exception<T: core::fmt::Debug>(outcome: Result<T, capos_abi::Cqe>) -> capos_abi::ExceptionCode {
    let cqe = outcome.expect_err("it is refused");
    assert_ne!(cqe.flags & capos_abi::ring::cqe_flags::EXCEPTION, 0, "{cqe:?}");
    capos_abi::ExceptionCode::from_code(cqe.method)
}
