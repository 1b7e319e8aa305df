//! Devices: their registers, their interrupts, and queues of descriptors. Only where the machine has the devices.

use crate::events::notification;
use crate::measure::{Bench, Region, middle};
use crate::queues::{PATIENT, Stamper};
use alloc::sync::Arc;
use alloc::vec::Vec;
use capos_virtio::split::{Piece, Queue};
use capos_virtio::{DeviceFault, Transport, Wish};
use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, Ordering};
use kit::device::is_settled;
use kit::dma::Buffer;
use kit::virtio::{Error, Registers, Ring, Virtqueue, bring_up};
use probe::keeper::find;
use rt::generated::{DeviceClient, DeviceManagerClient, InterruptClient};
use rt::time::{Mark, mark};
use rt::{CallError, block_on};

/// Vendor and device: an Ethernet adapter of which we only want registers, and virtio's network and entropy devices.
const ADAPTER: (u16, u16) = (0x8086, 0x10d3);
const NETWORK: (u16, u16) = (0x1af4, 0x1041);
const ENTROPY: (u16, u16) = (0x1af4, 0x1044);

/// A page of the adapter's registers, and one of them that only remembers what was written (82574 datasheet, 10.2.5.7: the multicast table).
const PAGE: u32 = 0x5000;
const SCRATCH: u32 = 0x200;
const WIDTH: u8 = 4;

/// Repetitions of a sample, and descriptors of a batch.
const BATCH: usize = 32;

/// Bytes of a descriptor where it does not matter.
const SMALL: u32 = 64;

/// Bytes that the entropy device gives in each period of time, and how long that takes (`max-bytes` and `period` of the machine), nanoseconds.
const PORTION: u32 = 1024;
const PERIOD_NS: u64 = 2_000_000;

/// How often it is looked whether the device is through.
const LOOKS: u32 = 1000;

/// All figures of devices, if there are any devices.
pub fn all(bench: &Bench) -> Result<(), CallError> {
    let Some(manager) = &bench.devices else { return Ok(()) };
    if let Some(device) = claim(manager, ADAPTER, "plain")? {
        registers(bench, &device)?;
    }
    if let Some(device) = claim(manager, NETWORK, "virtio")? {
        block_on(publish(bench, &device)).map_err(|error| failed(bench, &error)).ok();
    }
    if let Some(device) = claim(manager, ENTROPY, "virtio")? {
        block_on(interrupts(bench, &device)).map_err(|error| failed(bench, &error)).ok();
    }
    Ok(())
}

fn failed(bench: &Bench, error: &Error) {
    bench.report.check("a device", false, error);
}

fn claim(
    manager: &DeviceManagerClient,
    wanted: (u16, u16),
    policy: &str,
) -> Result<Option<DeviceClient>, CallError> {
    let Ok(address) = find(manager, wanted, 0) else { return Ok(None) };
    manager.claim_blocking(address, policy, 1).map(Some)
}

/// `mmio.write_brokered`: a register written by the kernel; `mmio.write_mapped`: by the driver itself.
fn registers(bench: &Bench, device: &DeviceClient) -> Result<(), CallError> {
    let window = device.window_blocking(0)?;
    let at = PAGE + SCRATCH;
    bench.figure("mmio.write_brokered", || window.write_blocking(at, WIDTH, 0x55))?;
    let accesses: Vec<u8> = (0..BATCH).flat_map(|_| write_of(at)).collect();
    if bench.wants("mmio.write_brokered.batch32") {
        let cost = bench.median(|| window.batch_blocking(&accesses).map(drop))?;
        bench.tell("mmio.write_brokered.batch32", cost.of(BATCH as u64));
    }
    let page = rt::region::Region::of_registers(&window, PAGE, 0x1000)?;
    bench.figure("mmio.write_mapped", || {
        page.store32(SCRATCH.into(), black_box(0x55));
        Ok(())
    })
}

/// One access of a batch: offset, width, that it writes, and the value.
fn write_of(offset: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (place, rest) = bytes.split_at_mut(4);
    place.copy_from_slice(&offset.to_le_bytes());
    rest.iter_mut().zip([WIDTH, 1, 0, 0, 0x55]).for_each(|(byte, value)| *byte = value);
    bytes
}

/// A virtio device with one of its queues in our hands.
struct Virtio {
    queue: Queue<Ring, BATCH>,
    bell: Virtqueue,
    buffer: Buffer,
    /// Whether the device writes.
    writable: bool,
    interrupt: InterruptClient,
}

/// What a device is wanted for: the sizes of its queues, which of them is ours, and whether the device writes to what it is given there.
#[derive(Clone, Copy)]
struct Use {
    queues: &'static [u16],
    ours: usize,
    writable: bool,
}

impl Virtio {
    /// As often as it takes to know how the device reaches memory.
    async fn set_up(bench: &Bench, device: &DeviceClient, wanted: Use) -> Result<Virtio, Error> {
        loop {
            let mut virtio = Self::bring_up(bench, device, wanted).await?;
            virtio.add(SMALL);
            virtio.bell.publish()?;
            if is_settled(device, bench.audit.timer(), || virtio.bell.publish()).await? {
                virtio.take(bench, 1)?;
                return Ok(virtio);
            }
        }
    }

    async fn bring_up(bench: &Bench, device: &DeviceClient, wanted: Use) -> Result<Virtio, Error> {
        let Use { queues, ours, writable } = wanted;
        let interrupt = device.interrupt_blocking(0)?;
        let registers = Registers::find(device)?;
        let pool = device.pool_blocking(64, 13)?;
        let buffer = Buffer::allocate(&pool, 1)?;
        let mut transport = Transport::new(
            registers.interface(),
            Wish { features: 0, queues, needed: queues.len() as u16, vectors: 1, config: [] },
        );
        let queues = bring_up(device, &registers, &mut transport, bench.audit.timer()).await?;
        let bell = queues.into_iter().nth(ours).ok_or(DeviceFault::NoQueue(0))?;
        let queue = Queue::new(bell.ring()?, bell.layout(), false);
        Ok(Virtio { queue, bell, buffer, writable, interrupt })
    }

    /// Gives the device one more descriptor of so many bytes. False when there is no room.
    fn add(&mut self, length: u32) -> bool {
        let piece = Piece { token: self.buffer.token(), length, writable: self.writable };
        self.queue.add(&[piece]).is_ok()
    }

    /// Waits until the device has given back so many.
    fn take(&mut self, bench: &Bench, count: usize) -> Result<(), Error> {
        let mut taken = 0;
        for _ in 0..LOOKS {
            while self.queue.take_used()?.is_some() {
                taken += 1;
            }
            if taken == count {
                return Ok(());
            }
            bench.audit.pause(PERIOD_NS);
        }
        Err(DeviceFault::Silent.into())
    }
}

/// `dma.publish.batch32`: the device is told of 32 descriptors, and it is taken note of those that it gave back before.
async fn publish(bench: &Bench, device: &DeviceClient) -> Result<(), Error> {
    const NAME: &str = "dma.publish.batch32";
    if !bench.wants(NAME) {
        return Ok(());
    }
    // What is sent goes nowhere: the adapter has no cable.
    let sent = Use { queues: &[BATCH as u16, BATCH as u16], ours: 1, writable: false };
    let mut virtio = Virtio::set_up(bench, device, sent).await?;
    let mut costs = Vec::with_capacity(bench.samples);
    for _ in 0..bench.samples.max(1) {
        for _ in 0..BATCH {
            virtio.add(SMALL);
        }
        let region = Region::start();
        virtio.bell.publish()?;
        costs.push(region.stop());
        virtio.take(bench, BATCH)?;
    }
    bench.tell(NAME, bench.cost(middle(&mut costs), BATCH as u64));
    Ok(())
}

/// `irq.device_to_driver`: from the entry of a message's interrupt until the thread of another process that waits for it runs, on a processor
/// that has nothing to do, and on one that has.
async fn interrupts(bench: &Bench, device: &DeviceClient) -> Result<(), Error> {
    if !bench.wants("irq.device_to_driver") {
        return Ok(());
    }
    let mut virtio = Virtio::set_up(bench, device, Use { queues: &[8], ours: 0, writable: true }).await?;
    let own = notification()?;
    virtio.interrupt.bind_blocking(own.mint_blocking(1, 0)?)?;
    virtio.interrupt.acknowledge_blocking()?;
    let (mut stamper, handle) = Stamper::start(bench, own)?;
    interrupt(bench, &mut virtio, &mut stamper, "irq.device_to_driver")?;
    let over = Arc::new(AtomicBool::new(false));
    let theirs = over.clone();
    let busy = rt::threads::spawn(PATIENT, move || {
        while !theirs.load(Ordering::Relaxed) {
            spin_loop();
        }
    })?;
    interrupt(bench, &mut virtio, &mut stamper, "irq.device_to_driver.busy")?;
    over.store(true, Ordering::Relaxed);
    busy.join()?;
    Ok(handle.kill_blocking()?)
}

/// Of two descriptors that take a period each, the second comes when the time has come, whatever the processor does by then.
fn interrupt(bench: &Bench, virtio: &mut Virtio, stamper: &mut Stamper, name: &str) -> Result<(), Error> {
    for _ in 0..bench.samples.max(1) {
        let added = virtio.add(PORTION) && virtio.add(PORTION);
        virtio.bell.publish()?;
        while added && stamper.stamps() == 0 {
            bench.audit.pause(PERIOD_NS / 20);
        }
        mark(Mark::Interrupt);
        virtio.take(bench, 2)?;
        stamper.stamps();
    }
    bench.tell_counted(name, bench.cost(0, 1));
    Ok(())
}
