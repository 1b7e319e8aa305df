//! Does what the core says, whenever something happened.

use crate::stock::Stock;
use alloc::vec;
use capos_virtio::rng::{Filled, Rng, wish};
use capos_virtio::{DeviceFault, Transport};
use core::cell::RefCell;
use core::convert::Infallible;
use kit::device::{each, is_settled};
use kit::dma::Buffer;
use kit::irq::Line;
use kit::virtio::{Error, Registers, Ring, Virtqueue, bring_up};
use rt::generated::{DeviceClaimClient, DeviceClient, TimerClient};
use rt::{Either, log, select};

/// Pieces of the buffer that are with the device or full at a time, and the bytes of one. All of them are one page.
const PIECES: usize = 4;
const LENGTH: u32 = 256;

/// Bits of an address that the device takes, and of the largest buffer: the queue has to fit in one, too, and has two pages.
const ADDRESS_BITS: u8 = 64;
const BUFFER_BITS: u8 = 13;

/// Resets in a driver's life, after faults of the device. A device that goes on so is the supervisor's business.
const RESETS: usize = 3;

/// The device at work.
struct Device {
    rng: RefCell<Rng<Ring, PIECES>>,
    registers: Registers,
    queue: Virtqueue,
    buffer: Buffer,
}

/// What comes from a function, and goes with its reset.
struct Parts {
    rng: Rng<Ring, PIECES>,
    registers: Registers,
    queue: Virtqueue,
    buffer: Buffer,
    line: Line,
}

impl Parts {
    async fn set_up(function: &DeviceClient, timer: &TimerClient) -> Result<Parts, Error> {
        let line = Line::new(function.interrupt_blocking(0)?);
        let registers = Registers::find(function)?;
        let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let buffer = Buffer::allocate(&pool, 1)?;
        let mut transport = Transport::new(registers.interface(), wish(registers.vectors(1)));
        let queues = bring_up(function, &registers, &mut transport, timer).await?;
        let queue = queues.into_iter().next().ok_or(DeviceFault::NoQueue(0))?;
        let mut pieces = (buffer.token()..).step_by(LENGTH as usize);
        let mut rng = Rng::new([(); PIECES].map(|()| pieces.next().unwrap_or(0)), LENGTH);
        rng.on_reset(queue.ring()?, queue.layout());
        Ok(Parts { rng, registers, queue, buffer, line })
    }
}

/// Brings the device up, as often as it takes to know how it reaches memory; gives its interrupt, too.
async fn bring_up_all(function: &DeviceClient, timer: &TimerClient) -> Result<(Device, Line), Error> {
    loop {
        let Parts { mut rng, registers, queue, buffer, line } = Parts::set_up(function, timer).await?;
        if rng.submit(timer.now_blocking()?) {
            queue.publish()?;
        }
        if is_settled(function, timer, || queue.publish()).await? {
            return Ok((Device { rng: RefCell::new(rng), registers, queue, buffer }, line));
        }
    }
}

impl Device {
    /// Takes what the device has filled, and gives it what is empty. True when there is nothing to do but to wait.
    fn turn(&self, stock: &Stock, now: u64) -> Result<bool, Error> {
        let mut rng = self.rng.borrow_mut();
        stock.take_used().into_iter().for_each(|piece| rng.release(piece));
        while let Some(Filled { buffer, length }) = rng.on_completion(now)? {
            let mut bytes = vec![0; length as usize];
            self.buffer.read(buffer as u64 * u64::from(LENGTH), &mut bytes);
            stock.add(buffer, bytes);
        }
        if rng.submit(now) {
            self.queue.publish()?;
        }
        Ok(rng.may_sleep()?)
    }

    /// Ends when the device has had its time for what it has; never, when it has nothing.
    async fn overdue(&self, timer: &TimerClient) -> Result<(), Error> {
        let deadline = self.rng.borrow().deadline();
        match deadline {
            Some(deadline) => Ok(timer.sleep_until(deadline).await?),
            None => core::future::pending().await,
        }
    }
}

/// Waits for a device and drives it, and the next one when it is gone, until one can not be driven any more.
pub async fn drive(right: &DeviceClaimClient, timer: &TimerClient, stock: &Stock) -> Error {
    each(right, timer, async |function: &DeviceClient| {
        let end = drive_one(function, timer, stock).await;
        stock.clear();
        end
    })
    .await
}

/// Drives a device until it can not be driven any more.
async fn drive_one(function: &DeviceClient, timer: &TimerClient, stock: &Stock) -> Error {
    let mut resets = 0;
    loop {
        let error = match drive_once(function, timer, stock).await {
            Err(error @ Error::Device(_)) if resets < RESETS => error,
            Err(error) => return error,
            Ok(never) => match never {},
        };
        log::warn(format_args!("device: {error}; it is reset"));
        resets += 1;
        if let Err(error) = function.reset_blocking() {
            return Error::from(error);
        }
        stock.clear();
    }
}

/// From a reset to a fault.
async fn drive_once(
    function: &DeviceClient,
    timer: &TimerClient,
    stock: &Stock,
) -> Result<Infallible, Error> {
    let (device, mut line) = bring_up_all(function, timer).await?;
    loop {
        device.registers.let_go()?;
        line.arm().await?;
        if device.turn(stock, timer.now_blocking()?)? {
            wait(&device, timer, stock, &mut line).await?;
        }
    }
}

/// Until there is something to do: the device has filled something, a client has used something up, or the device is late.
async fn wait(device: &Device, timer: &TimerClient, stock: &Stock, line: &mut Line) -> Result<(), Error> {
    let emptied = stock.emptied.wait();
    match select(line.fired(), select(emptied, device.overdue(timer))).await {
        Either::First(fired) => fired.map(drop)?,
        Either::Second(Either::First(())) => {}
        Either::Second(Either::Second(late)) => {
            late?;
            device.rng.borrow_mut().on_timeout(timer.now_blocking()?)?;
        }
    }
    Ok(())
}
