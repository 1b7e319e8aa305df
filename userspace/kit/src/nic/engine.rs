//! The way of a frame: from a client's queue to the device, and back.

use super::session::PLACES;
use super::{Nic, Server};
use rt::generated::{DeviceClient, DmaPoolClient};
use rt::{CallError, give_way};

/// Time between looks at whether the device answers, nanoseconds, while it has something to do. Times given to it are late by as much.
const TICK_NS: u64 = 1_000_000_000;

/// Steps in a row before others of this process have their turn.
const STEPS: u32 = 64;

/// What the one notification of a server tells.
pub(super) struct Bits;

impl Bits {
    const PLACES: u64 = (1 << PLACES) - 1;
    const LOST: usize = 32;
    pub const INTERRUPT: u64 = 1 << 28;
    pub const ALARM: u64 = 1 << 29;
    pub const CHANGED: u64 = 1 << 30;

    pub const fn ring(place: usize) -> u64 {
        1 << place
    }

    pub const fn lost(place: usize) -> u64 {
        1 << (Self::LOST + place)
    }
}

/// Why a device is driven no longer.
enum Stop<F> {
    /// It is to be reset, or given up.
    Fault(F),
    /// The kernel refuses something.
    Call(CallError),
    /// The session is over, and the device has its memory; or it is not what it was.
    Over,
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
    pub(super) async fn drive_from<N: Nic>(
        &self,
        function: &DeviceClient,
        up: impl AsyncFn() -> Result<(N, DmaPoolClient), N::Fault>,
    ) -> N::Fault {
        loop {
            let (mut nic, pool) = match up().await {
                Ok(up) => up,
                Err(error) => return error,
            };
            match self.drive(&mut nic, pool).await {
                Stop::Fault(error) => return error,
                Stop::Call(error) => return error.into(),
                Stop::Over => {}
            }
            if let Err(error) = function.reset_blocking() {
                return error.into();
            }
        }
    }

    /// Drives one that is up until that is over.
    async fn drive<N: Nic>(&self, nic: &mut N, pool: DmaPoolClient) -> Stop<N::Fault> {
        let begun = self.state.borrow_mut().up(nic, pool);
        self.there.notify();
        let stop = match begun {
            Ok(()) => match self.turn(nic).await {
                Ok(never) => match never {},
                Err(stop) => stop,
            },
            Err(error) => error.into(),
        };
        self.state.borrow_mut().down();
        stop
    }

    async fn turn<N: Nic>(&self, nic: &mut N) -> Result<core::convert::Infallible, Stop<N::Fault>> {
        let mut clock = Clock { now: self.timer.now_blocking()?, is_set: false };
        let mut few = 0;
        loop {
            let wanted = self.state.borrow().few();
            if wanted != few {
                few = wanted;
                nic.set_few(few);
            }
            let mut steps = 0;
            while self.step(nic, clock.now).map_err(Stop::Fault)? {
                steps += 1;
                if steps % STEPS == 0 {
                    // Calls are to be answered, however much there is to do.
                    give_way().await;
                }
            }
            if self.state.borrow().is_over() {
                return Err(Stop::Over);
            }
            if !nic.may_sleep().map_err(Stop::Fault)? {
                continue;
            }
            if !clock.is_set && nic.deadline().is_some() {
                clock = self.tick()?;
            }
            let bits = match self.listener.rest() {
                Some(bits) => bits?,
                None => self.listener.wait().await?,
            };
            self.state.borrow_mut().rung(bits & Bits::PLACES, bits >> Bits::LOST & Bits::PLACES);
            if bits & (Bits::INTERRUPT | Bits::CHANGED) != 0 {
                nic.interrupted(bits & Bits::CHANGED != 0).map_err(Stop::Fault)?;
                if self.state.borrow_mut().look_at_link(nic.link()) {
                    self.there.notify();
                }
                if self.state.borrow().device() != Some(nic.description()) {
                    return Err(Stop::Over);
                }
            }
            if bits & Bits::ALARM != 0 {
                clock = Clock { now: self.timer.now_blocking()?, is_set: false };
                if self.state.borrow_mut().tell_filter(nic, clock.now).map_err(Stop::Fault)? {
                    self.there.notify();
                }
                if nic.deadline().is_some_and(|deadline| deadline <= clock.now) {
                    nic.on_timeout(clock.now).map_err(Stop::Fault)?;
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
    fn step<N: Nic>(&self, nic: &mut N, now: u64) -> Result<bool, N::Fault> {
        let mut state = self.state.borrow_mut();
        let moved = state.complete(nic, now)? | state.submit(nic, now);
        nic.publish()?;
        state.send(&self.listener);
        Ok(moved && state.is_asked())
    }
}
