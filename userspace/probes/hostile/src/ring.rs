//! A virtio device in the hands of a driver that knows no shame: it writes its rings word by word.

use crate::grant::Buffer;
use crate::stage::Stage;
use alloc::string::String;
use alloc::vec::Vec;
use capos_virtio::split::Memory;
use capos_virtio::transport::Wish;
use capos_virtio::{Layout, Transport};
use kit::virtio::{Error, Registers, Ring, Virtqueue, bring_up};
use rt::generated::{DeviceClient, DmaPoolClient, TimerClient};
use rt::schema::device_manager::DmaBackend;
use rt::{CallError, ExceptionCode, block_on};

/// Vendor and device: random bytes, a network, and random bytes behind ports.
pub const IDS: (u16, u16) = (0x1af4, 0x1044);
pub const NET: (u16, u16) = (0x1af4, 0x1041);
pub const OLD: (u16, u16) = (0x1af4, 0x1005);
/// Descriptors of a ring.
pub const SIZE: u16 = 8;
/// Flags of a descriptor.
pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;
pub const INDIRECT: u16 = 4;

/// The window of QEMU's devices in which all registers of the modern interface are, and of these the device's status.
pub const MODERN: u8 = 4;
pub const STATUS: u32 = 0x14;
/// The device is broken (virtio 1.2, 2.1).
const NEEDS_RESET: u64 = 0x40;

/// Looks at what the device does, and the time between.
const LOOKS: u32 = 100;
const LOOK_NS: u64 = 1_000_000;

const ONE: Wish<0> = Wish { features: 0, queues: &[SIZE], needed: 1, vectors: 0, config: [] };
const TWO: Wish<0> = Wish { features: 0, queues: &[SIZE, SIZE], needed: 2, vectors: 0, config: [] };

/// All that comes from the function.
pub struct Virtio {
    pub device: DeviceClient,
    pub pool: DmaPoolClient,
    pub queues: Vec<(Virtqueue, Ring)>,
    /// Two pages.
    pub buffer: Buffer,
    pub seed: u64,
}

/// What the kernel says of it; what the device says has no name here.
fn call_error(error: Error) -> CallError {
    match error {
        Error::Call(refused) => refused.error,
        _ => CallError::Exception(ExceptionCode::DeviceFault.into()),
    }
}

/// A descriptor.
#[derive(Clone, Copy)]
pub struct Words {
    pub token: u64,
    pub length: u32,
    pub flags: u16,
    pub next: u16,
}

impl Virtio {
    /// Sets up what was claimed, with one queue or two.
    pub fn of(device: DeviceClient, two: bool, timer: &TimerClient, seed: u64) -> Result<Virtio, CallError> {
        let registers = Registers::find(&device).map_err(call_error)?;
        let pool = device.pool_blocking(64, 13)?;
        let buffer = Buffer::allocate(&pool, 2, seed)?;
        let mut transport = Transport::new(registers.interface(), if two { TWO } else { ONE });
        let queues = block_on(bring_up(&device, &registers, &mut transport, timer)).map_err(call_error)?;
        let rings = queues.into_iter().map(|queue| queue.ring().map(|ring| (queue, ring)));
        let queues = rings.collect::<Result<_, _>>().map_err(call_error)?;
        Ok(Virtio { device, pool, queues, buffer, seed })
    }

    /// Writes a descriptor.
    pub fn describe(&self, queue: usize, index: u16, words: Words) {
        let Some((_, ring)) = self.queues.get(queue) else { return };
        let at = layout().descriptor(index);
        ring.write64(at, words.token);
        ring.write32(at + 8, words.length);
        ring.write16(at + 12, words.flags);
        ring.write16(at + 14, words.next);
    }

    /// Offers the chain at `head` as the entry before `index`.
    pub fn offer(&self, queue: usize, head: u16, index: u16) {
        let Some((_, ring)) = self.queues.get(queue) else { return };
        ring.write16(layout().available_entry(index.wrapping_sub(1)), head);
        ring.write16(layout().available_index(), index);
    }

    /// Tells of it.
    pub fn publish(&self, queue: usize) -> Result<(), CallError> {
        let (queue, _) = self.queues.get(queue).ok_or(ExceptionCode::NotFound).map_err(exception)?;
        queue.publish().map_err(call_error)
    }

    /// One descriptor, published as the first.
    pub fn try_one(&self, words: Words) -> Result<(), CallError> {
        self.describe(0, 0, words);
        self.offer(0, 0, 1);
        self.publish(0)
    }

    /// Whether the ring is the device's own.
    pub fn is_direct(&self) -> Result<bool, CallError> {
        Ok(self.device.info_blocking()?.backend == DmaBackend::Direct)
    }

    /// Waits for a while until the device is through with so many chains. Whether it is.
    pub fn wait_used(&self, queue: usize, count: u16, timer: &TimerClient) -> Result<bool, CallError> {
        for _ in 0..LOOKS {
            if self.used(queue) == count {
                return Ok(true);
            }
            timer.sleep_until_blocking(timer.now_blocking()?.saturating_add(LOOK_NS))?;
        }
        Ok(false)
    }

    /// What becomes of what the device was offered.
    pub fn fate(&self, timer: &TimerClient) -> Result<String, CallError> {
        let window = self.device.window_blocking(MODERN)?;
        for _ in 0..LOOKS {
            if window.read_blocking(STATUS, 1)? & NEEDS_RESET != 0 {
                return Ok(String::from("Broken"));
            }
            if self.used(0) > 0 {
                return Ok(String::from("Done"));
            }
            timer.sleep_until_blocking(timer.now_blocking()?.saturating_add(LOOK_NS))?;
        }
        Ok(String::from("Silent"))
    }

    /// How many chains the device is through with.
    pub fn used(&self, queue: usize) -> u16 {
        self.queues.get(queue).map_or(0, |(_, ring)| ring.read16(layout().used_index()))
    }
}

fn exception(code: ExceptionCode) -> CallError {
    CallError::Exception(code.into())
}

/// Where the words are.
fn layout() -> Layout {
    const LAYOUT: Option<Layout> = Layout::new(SIZE);
    LAYOUT.unwrap_or_else(|| unreachable!("a power of two"))
}

impl Stage {
    /// The device for random bytes, set up.
    pub fn rng(&self) -> Result<Virtio, CallError> {
        Virtio::of(self.keeper.claim(IDS, "virtio")?, false, self.timer(), self.seed)
    }

    /// The old one, set up.
    pub fn old(&self) -> Result<Virtio, CallError> {
        Virtio::of(self.keeper.claim(OLD, "virtio")?, false, self.timer(), self.seed)
    }

    /// The network, with two queues.
    pub fn net(&self) -> Result<Virtio, CallError> {
        Virtio::of(self.keeper.claim(NET, "virtio")?, true, self.timer(), self.seed)
    }
}

/// A child's part: rings after a reset.
pub fn bell_after_reset(device: DeviceClient, timer: &TimerClient, seed: u64) -> Result<(), CallError> {
    let rng = Virtio::of(device, false, timer, seed)?;
    let words = Words { token: rng.buffer.token(), length: 64, flags: WRITE, next: 0 };
    rng.try_one(words)?;
    rng.device.reset_blocking()?;
    rng.publish(0)
}
