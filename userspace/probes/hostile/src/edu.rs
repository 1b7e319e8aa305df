//! The device for teaching in the hands of a driver that knows no shame.

use crate::grant::{BAIT, Buffer};
use kit::device::start;
use rt::generated::{DeviceClient, DeviceMmioClient, DeviceQueueClient, DmaPoolClient, TimerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, block_on};

/// Vendor and device.
pub const IDS: (u16, u16) = (0x1234, 0x11e8);
/// Bits of an address that it takes, and of the largest buffer.
pub const ADDRESS_BITS: u8 = 28;
pub const BUFFER_BITS: u8 = 16;
/// Where its own buffer begins.
pub const PLACE: u64 = 0x4_0000;
/// Bits of a transfer's command.
pub const TO_DEVICE: u64 = 1;
pub const TO_MEMORY: u64 = 3;
pub const INTERRUPT: u64 = 4;
/// The registers by which it is told to interrupt, and of transfers: source, destination, count, command.
pub const RAISE: u32 = 0x60;
pub const ENGINE: [u32; 4] = [0x80, 0x88, 0x90, 0x98];
pub const COMMAND: u32 = 0x98;
/// The bit of [`COMMAND`] that is set while a transfer runs.
const RUN: u64 = 1;

/// Time between two looks at a transfer, which takes a tenth of a second, and most looks.
const LOOK_NS: u64 = 5_000_000;
const LOOKS: u32 = 400;

/// All that comes from the function.
pub struct Edu {
    pub device: DeviceClient,
    pub window: DeviceMmioClient,
    pub pool: DmaPoolClient,
    pub queue: DeviceQueueClient,
    /// Where a transfer is described.
    pub descriptor: Region,
    /// One page.
    pub buffer: Buffer,
    pub seed: u64,
}

impl Edu {
    /// Sets up what was claimed; it may reach memory then.
    pub fn of(device: DeviceClient, timer: &TimerClient, seed: u64) -> Result<Edu, CallError> {
        let edu = Edu::idle(device, seed)?;
        block_on(start(&edu.device, timer))?;
        Ok(edu)
    }

    /// The same, but it may not.
    pub fn idle(device: DeviceClient, seed: u64) -> Result<Edu, CallError> {
        let window = device.window_blocking(0)?;
        let pool = device.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let buffer = Buffer::allocate(&pool, 1, seed)?;
        let queue = device.queue_blocking(0, 1)?;
        let size = u64::from(queue.info_blocking()?.submission_size);
        let descriptor = Region::map(&queue.submission_blocking()?, 0, size, Protection::ReadWrite)?;
        Ok(Edu { device, window, pool, queue, descriptor, buffer, seed })
    }

    /// Another buffer.
    pub fn allocate(&self, pages: u32) -> Result<Buffer, CallError> {
        Buffer::allocate(&self.pool, pages, self.seed)
    }

    /// Writes source, destination, count and command where the kernel looks.
    pub fn describe(&self, words: [u64; 4]) {
        for (at, word) in (0..).step_by(size_of::<u64>()).zip(words) {
            self.descriptor.store(at, word);
        }
    }

    /// Has the kernel begin a transfer.
    pub fn publish(&self, words: [u64; 4]) -> Result<(), CallError> {
        self.describe(words);
        self.queue.publish_blocking().map(drop)
    }

    /// Begins a transfer and waits for its end.
    pub fn transfer(&self, timer: &TimerClient, words: [u64; 4]) -> Result<(), CallError> {
        self.publish(words)?;
        rest(&self.window, timer)
    }

    /// The device's own buffer begins with the bait.
    pub fn bait_device(&self, timer: &TimerClient) -> Result<(), CallError> {
        self.buffer.take_bait();
        self.transfer(timer, [self.buffer.token(), PLACE, BAIT, TO_DEVICE])?;
        self.buffer.drop_bait();
        Ok(())
    }
}

/// Waits until no transfer runs, which takes no longer than two seconds.
pub fn rest(window: &DeviceMmioClient, timer: &TimerClient) -> Result<(), CallError> {
    for _ in 0..LOOKS {
        if window.read_blocking(COMMAND, 4)? & RUN == 0 {
            break;
        }
        timer.sleep_until_blocking(timer.now_blocking()?.saturating_add(LOOK_NS))?;
    }
    Ok(())
}
