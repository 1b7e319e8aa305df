//! Does what the core says, whenever something happened.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_virtio::rng::{Filled, Rng, wish};
use capos_virtio::{DeviceFault, Interface, Transport};
use core::cell::RefCell;
use kit::device::is_settled;
use kit::dma::Buffer;
use kit::irq::Line;
use kit::virtio::{Error, Registers, Ring, Virtqueue, bring_up};
use rt::generated::{DeviceClient, TimerClient};
use rt::{Either, Signal, select};

/// Pieces of the buffer that are with the device or full at a time, and the bytes of one. All of them are one page.
const PIECES: usize = 4;
const LENGTH: u32 = 256;

/// Bits of an address that the device takes, and of the largest buffer: the queue is one too, behind an IOMMU, of two pages.
const ADDRESS_BITS: u8 = 64;
const BUFFER_BITS: u8 = 13;

/// The device, and what it has given.
pub struct Device {
    rng: RefCell<Rng<Ring, PIECES>>,
    queue: Virtqueue,
    buffer: Buffer,
    timer: TimerClient,
    /// What nobody has taken yet, piece by piece; each goes back to the device when it is used up.
    stock: RefCell<VecDeque<(usize, Vec<u8>)>>,
    /// There is something to take.
    filled: Signal,
    /// A piece is empty again.
    emptied: Signal,
    /// While it is claimed it is ours.
    _function: DeviceClient,
}

/// What comes from a function, and goes with its reset.
struct Parts {
    rng: Rng<Ring, PIECES>,
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
        let mut transport = Transport::new(Interface::Modern, wish(1));
        let queues = bring_up(function, &registers, &mut transport, timer).await?;
        let queue = queues.into_iter().next().ok_or(DeviceFault::NoQueue(0))?;
        let mut pieces = (buffer.token()..).step_by(LENGTH as usize);
        let mut rng = Rng::new([(); PIECES].map(|()| pieces.next().unwrap_or(0)), LENGTH);
        rng.on_reset(queue.ring()?, queue.layout());
        Ok(Parts { rng, queue, buffer, line })
    }
}

impl Device {
    /// Resets the device and brings it up, as often as it takes to know how it reaches memory; gives its interrupt, too.
    pub async fn bring_up(function: DeviceClient, timer: TimerClient) -> Result<(Device, Line), Error> {
        loop {
            let Parts { mut rng, queue, buffer, line } = Parts::set_up(&function, &timer).await?;
            if rng.submit(timer.now_blocking()?) {
                queue.publish()?;
            }
            if is_settled(&function, &timer, || queue.publish()).await? {
                let (rng, stock) = (RefCell::new(rng), RefCell::default());
                let (filled, emptied) = (Signal::new(), Signal::new());
                let device =
                    Device { rng, queue, buffer, timer, stock, filled, emptied, _function: function };
                return Ok((device, line));
            }
        }
    }

    /// At most `most` random bytes, which are nobody else's, as soon as there are any.
    pub async fn take(&self, most: usize) -> Vec<u8> {
        loop {
            if let Some(bytes) = self.take_now(most) {
                return bytes;
            }
            self.filled.wait().await;
        }
    }

    fn take_now(&self, most: usize) -> Option<Vec<u8>> {
        let mut stock = self.stock.borrow_mut();
        let (_, bytes) = stock.front_mut()?;
        let taken = bytes.split_off(bytes.len().saturating_sub(most));
        if bytes.is_empty()
            && let Some((piece, _)) = stock.pop_front()
        {
            self.rng.borrow_mut().release(piece);
            self.emptied.notify();
        }
        Some(taken)
    }

    /// Takes what the device has filled, and gives it what is empty. True when there is nothing to do but to wait.
    fn turn(&self, now: u64) -> Result<bool, Error> {
        let mut rng = self.rng.borrow_mut();
        while let Some(Filled { buffer, length }) = rng.on_completion(now)? {
            let mut bytes = vec![0; length as usize];
            self.buffer.read(buffer as u64 * u64::from(LENGTH), &mut bytes);
            self.stock.borrow_mut().push_back((buffer, bytes));
            self.filled.notify();
        }
        if rng.submit(now) {
            self.queue.publish()?;
        }
        Ok(rng.may_sleep()?)
    }

    /// Ends when the device has had its time for what it has; never, when it has nothing.
    async fn overdue(&self) -> Result<(), Error> {
        let deadline = self.rng.borrow().deadline();
        match deadline {
            Some(deadline) => Ok(self.timer.sleep_until(deadline).await?),
            None => core::future::pending().await,
        }
    }
}

/// Drives the device until it can not be driven any more.
pub async fn run(device: Rc<Device>, mut line: Line) -> Error {
    loop {
        if let Err(error) = step(&device, &mut line).await {
            return error;
        }
    }
}

/// One look at the device, and one wait.
async fn step(device: &Device, line: &mut Line) -> Result<(), Error> {
    line.arm().await?;
    if !device.turn(device.timer.now_blocking()?)? {
        return Ok(());
    }
    let emptied = device.emptied.wait();
    match select(line.fired(), select(emptied, device.overdue())).await {
        Either::First(fired) => fired.map(drop)?,
        Either::Second(Either::First(())) => {}
        Either::Second(Either::Second(late)) => {
            late?;
            device.rng.borrow_mut().on_timeout(device.timer.now_blocking()?)?;
        }
    }
    Ok(())
}
