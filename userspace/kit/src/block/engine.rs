//! The way of a request: from a client's queue to the device, and of its completion back.

use super::{Disk, Server};
use rt::generated::{DeviceClient, DmaPoolClient};
use rt::{CallError, give_way};

/// Time between looks at whether the device answers, nanoseconds, while it has something to do. Times given to it are late by as much.
const TICK_NS: u64 = 1_000_000_000;

/// Steps in a row before others of this process have their turn.
const STEPS: u32 = 64;

/// What the one notification of a server tells.
pub(super) struct Bits;

impl Bits {
    /// Sessions: each has a bit for its doorbell and one for the loss of it.
    pub const SESSIONS: usize = 28;
    const ALL_SESSIONS: u64 = (1 << Self::SESSIONS) - 1;
    const LOST: usize = 32;
    pub const INTERRUPT: u64 = 1 << 28;
    pub const ALARM: u64 = 1 << 29;

    pub const fn ring(place: usize) -> u64 {
        1 << place
    }

    pub const fn lost(place: usize) -> u64 {
        1 << (Self::LOST + place)
    }
}

/// Why a device is driven no longer.
#[derive(Debug)]
enum Stop<F> {
    /// It is to be reset, or given up.
    Fault(F),
    /// The kernel refuses something.
    Call(CallError),
    /// It has become another one, or larger: it is to be reset, and brought up anew.
    Changed,
}

impl<F> From<CallError> for Stop<F> {
    fn from(error: CallError) -> Self {
        Stop::Call(error)
    }
}

/// What passes while a device is driven.
struct Clock {
    now: u64,
    is_set: bool,
}

impl Server {
    /// Drives a device from one reset to the next, as `up` brings it up, with the pool by which it finds memory: until a fault.
    pub async fn drive_from<D: Disk>(
        &self,
        function: &DeviceClient,
        up: impl AsyncFn() -> Result<(D, DmaPoolClient), D::Fault>,
    ) -> D::Fault
    where
        D::Fault: From<CallError>,
    {
        loop {
            let (mut disk, pool) = match up().await {
                Ok(up) => up,
                Err(error) => return error,
            };
            match self.drive(&mut disk, pool).await {
                Stop::Fault(error) => return error,
                Stop::Call(error) => return error.into(),
                Stop::Changed => {}
            }
            if let Err(error) = function.reset_blocking() {
                return error.into();
            }
        }
    }

    /// Drives one that is up until that is over. First it is asked again whatever the one before it did not answer.
    async fn drive<D: Disk>(&self, disk: &mut D, pool: DmaPoolClient) -> Stop<D::Fault> {
        let stop = match self.begin(disk, pool) {
            Ok(()) => match self.turn(disk).await {
                Ok(never) => match never {},
                Err(stop) => stop,
            },
            Err(error) => error.into(),
        };
        self.queues.borrow_mut().end();
        self.there.notify();
        stop
    }

    /// Has the device take over.
    fn begin<D: Disk>(&self, disk: &D, pool: DmaPoolClient) -> Result<(), CallError> {
        let mut queues = self.queues.borrow_mut();
        queues.begin(disk)?;
        queues.up(pool)?;
        self.there.notify();
        Ok(())
    }

    async fn turn<D: Disk>(&self, disk: &mut D) -> Result<core::convert::Infallible, Stop<D::Fault>> {
        let mut clock = Clock { now: self.timer.now_blocking()?, is_set: false };
        loop {
            let mut steps = 0;
            while self.step(disk, clock.now).map_err(Stop::Fault)? {
                steps += 1;
                if steps % STEPS == 0 {
                    // Calls are to be answered, however much there is to do.
                    give_way().await;
                }
            }
            if !disk.may_sleep().map_err(Stop::Fault)? {
                continue;
            }
            if !clock.is_set && disk.deadline().is_some() {
                clock = self.tick()?;
            }
            let bits = match self.listener.rest() {
                Some(bits) => bits?,
                None => self.listener.wait().await?,
            };
            self.queues.borrow_mut().rung(bits & Bits::ALL_SESSIONS, bits >> Bits::LOST & Bits::ALL_SESSIONS);
            if bits & Bits::INTERRUPT != 0 {
                disk.interrupted().map_err(Stop::Fault)?;
            }
            if bits & Bits::ALARM != 0 {
                if let Some(error) = self.queues.borrow_mut().loss() {
                    return Err(error.into());
                }
                if self.asked.take() {
                    if disk.is_changed().map_err(Stop::Fault)? {
                        return Err(Stop::Changed);
                    }
                    self.there.notify();
                }
                clock = Clock { now: self.timer.now_blocking()?, is_set: false };
                if disk.deadline().is_some_and(|deadline| deadline <= clock.now) {
                    disk.on_timeout(clock.now).map_err(Stop::Fault)?;
                }
            }
        }
    }

    /// Sets the alarm anew.
    fn tick(&self) -> Result<Clock, CallError> {
        let now = self.timer.now_blocking()?;
        self.alarm.set_blocking(now.saturating_add(TICK_NS))?;
        Ok(Clock { now, is_set: true })
    }

    /// Takes what the device has done, gives it what there is to do, and tells everybody. Whether there may be more at once: most times all was
    /// taken, and whoever comes next rings.
    #[inline]
    fn step<D: Disk>(&self, disk: &mut D, now: u64) -> Result<bool, D::Fault> {
        let mut queues = self.queues.borrow_mut();
        let moved = queues.complete(disk, now)? | queues.submit(disk, now);
        disk.publish()?;
        queues.send(&self.listener);
        Ok(moved && queues.is_asked())
    }
}
