//! Does what the core says.

use capos_edu::{Copy, DeviceFault, Edu, Job, Outcome, Step, Transfer};
use core::cell::RefCell;
use core::fmt;
use kit::device::{Refused, start};
use kit::dma::Buffer;
use kit::irq::Line;
use rt::generated::{DeviceClient, DeviceMmioClient, DeviceQueueClient, DmaPoolClient, TimerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, Either, select};

/// Bits of an address that the device takes, and of the largest buffer: a page.
const ADDRESS_BITS: u8 = 28;
const BUFFER_BITS: u8 = 12;
/// The base address register of its registers, and the bytes of one.
const BAR: u8 = 0;
const WIDTH: u8 = 4;

/// What comes from a function, and goes with its reset.
pub struct Hardware {
    pub core: RefCell<Edu>,
    /// What copies go from and to.
    pub buffers: [Buffer; 2],
    window: DeviceMmioClient,
    pool: DmaPoolClient,
    queue: DeviceQueueClient,
    /// Where a transfer is described.
    descriptor: Region,
}

/// Why the driver ends.
pub enum End {
    /// The kernel refuses something.
    Call(Refused),
    /// The device is no device.
    Device(DeviceFault),
    /// The kernel says that a transfer runs, the device that none does.
    Busy,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Call(refused) => refused.fmt(f),
            End::Device(fault) => fault.fmt(f),
            End::Busy => f.write_str("a transfer runs that nobody knows of"),
        }
    }
}

impl From<CallError> for End {
    #[track_caller]
    fn from(error: CallError) -> Self {
        End::Call(Refused::from(error))
    }
}

impl Hardware {
    /// Everything that it takes to drive the device, which is not touched yet, and its interrupt.
    pub async fn set_up(function: &DeviceClient, timer: &TimerClient) -> Result<(Hardware, Line), End> {
        let line = Line::new(function.interrupt_blocking(0)?);
        let window = function.window_blocking(BAR)?;
        let pool = function.pool_blocking(ADDRESS_BITS, BUFFER_BITS)?;
        let buffers = [Buffer::allocate(&pool, 1)?, Buffer::allocate(&pool, 1)?];
        let queue = function.queue_blocking(0, 1)?;
        let size = u64::from(queue.info_blocking()?.submission_size);
        let descriptor = Region::map(&queue.submission_blocking()?, 0, size, Protection::ReadWrite)?;
        start(function, timer).await?;
        let core = RefCell::new(Edu::new());
        Ok((Hardware { core, buffers, window, pool, queue, descriptor }, line))
    }

    /// Has the device write to memory that the kernel looks at.
    pub async fn show(&self, timer: &TimerClient, line: &mut Line) -> Result<(), End> {
        let [from, _] = &self.buffers;
        let (from, to, length) = (from.token(), self.pool.proof_blocking()?.token, 8);
        self.rest(timer, line).await?;
        let submitted = self.core.borrow_mut().submit(Job::Copy(Copy { from, to, length }));
        // One that rests takes a job.
        submitted.map_err(|_| End::Busy)?;
        self.rest(timer, line).await?;
        let copied: Option<Outcome> = self.core.borrow_mut().outcome();
        copied.map(drop).ok_or(End::Busy)
    }

    /// Drives the device until it has nothing to do.
    async fn rest(&self, timer: &TimerClient, line: &mut Line) -> Result<(), End> {
        loop {
            line.arm().await?;
            let Some(until) = self.settle(timer).await? else { return Ok(()) };
            self.wait(timer, line, until).await?;
        }
    }

    /// Waits for an interrupt, but not longer than until then.
    pub async fn wait(&self, timer: &TimerClient, line: &mut Line, until: u64) -> Result<(), End> {
        match select(line.fired(), timer.sleep_until(until)).await {
            Either::First(fired) => {
                fired?;
                self.core.borrow_mut().on_interrupt();
            }
            Either::Second(late) => late?,
        }
        Ok(())
    }

    /// Steps until there is something to wait for; gives until when.
    pub async fn settle(&self, timer: &TimerClient) -> Result<Option<u64>, End> {
        loop {
            let now = timer.now_blocking()?;
            let step = self.core.borrow_mut().step(now);
            match step {
                Step::Write(register, value) => {
                    self.window.write_blocking(register.offset(), WIDTH, value.into())?;
                }
                Step::Read(register) => {
                    let value = self.window.read_blocking(register.offset(), WIDTH)?;
                    self.core.borrow_mut().value(value as u32);
                }
                Step::Transfer(transfer) => self.start(transfer)?,
                Step::Pause { until } => timer.sleep_until(until).await?,
                Step::Wait { until } => return Ok(Some(until)),
                Step::Idle => return Ok(None),
                Step::Failed(fault) => return Err(End::Device(fault)),
            }
        }
    }

    fn start(&self, transfer: Transfer) -> Result<(), End> {
        for (at, word) in (0..).step_by(size_of::<u64>()).zip(transfer.descriptor()) {
            self.descriptor.store(at, word);
        }
        if self.queue.publish_blocking()?.more { Err(End::Busy) } else { Ok(()) }
    }
}
