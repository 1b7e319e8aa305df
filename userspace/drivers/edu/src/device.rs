//! One job at a time, for whoever asks.

use crate::hardware::{End, Hardware};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use capos_edu::{Copy, Job, JobError, Outcome};
use kit::device::is_settled;
use kit::irq::Line;
use rt::generated::{DeviceClient, TimerClient};
use rt::schema::device_manager::DmaBackend;
use rt::{Either, Signal, Turn, select};

/// The device, and who waits for it.
pub struct Device {
    hardware: Hardware,
    timer: Rc<TimerClient>,
    turn: Turn,
    /// There is a job.
    work: Signal,
    /// The device rests.
    rests: Signal,
}

impl Device {
    /// Sets the device up, as often as it takes to know how it reaches memory; gives its interrupt, too.
    pub async fn bring_up(function: &DeviceClient, timer: Rc<TimerClient>) -> Result<(Device, Line), End> {
        loop {
            let (hardware, mut line) = Hardware::set_up(function, &timer).await?;
            if function.info_blocking()?.backend == DmaBackend::Unproven {
                hardware.show(&timer, &mut line).await?;
            }
            if is_settled(function, &timer, || Ok::<(), End>(())).await? {
                let (turn, work, rests) = (Turn::new(), Signal::new(), Signal::new());
                return Ok((Device { hardware, timer, turn, work, rests }, line));
            }
        }
    }

    /// Does a job, when those before it are done.
    pub async fn job(&self, job: Job) -> Result<Outcome, JobError> {
        let _turn = self.turn.take().await;
        self.job_in_turn(job).await
    }

    /// Copies bytes, at most a page, through the device; gives what arrived.
    pub async fn copy(&self, bytes: &[u8]) -> Result<Vec<u8>, JobError> {
        let _turn = self.turn.take().await;
        let [from, to] = &self.hardware.buffers;
        let mut arrived = vec![0; bytes.len()];
        from.write(0, bytes);
        to.write(0, &arrived);
        let length = u32::try_from(bytes.len()).unwrap_or(0);
        self.job_in_turn(Job::Copy(Copy { from: from.token(), to: to.token(), length })).await?;
        to.read(0, &mut arrived);
        Ok(arrived)
    }

    async fn job_in_turn(&self, job: Job) -> Result<Outcome, JobError> {
        let core = &self.hardware.core;
        loop {
            // Of somebody who did not wait for it.
            let _ = core.borrow_mut().outcome();
            let answer = core.borrow_mut().submit(job);
            match answer {
                // Or it is not through its reset yet.
                Err(JobError::Busy) => self.rests.wait().await,
                other => break other?,
            }
        }
        self.work.notify();
        loop {
            let outcome = core.borrow_mut().outcome();
            match outcome {
                Some(outcome) => return Ok(outcome),
                None => self.rests.wait().await,
            }
        }
    }
}

/// Drives the device until it can not be driven any more.
pub async fn run(device: &Device, mut line: Line) -> End {
    loop {
        if let Err(end) = step(device, &mut line).await {
            return end;
        }
    }
}

/// One look at the device, and one wait.
async fn step(device: &Device, line: &mut Line) -> Result<(), End> {
    let Device { hardware, timer, work, rests, .. } = device;
    line.arm().await?;
    if let Some(until) = hardware.settle(timer).await? {
        return hardware.wait(timer, line, until).await;
    }
    rests.notify();
    if let Either::First(fired) = select(line.fired(), work.wait()).await {
        fired?;
        hardware.core.borrow_mut().on_interrupt();
    }
    Ok(())
}
