//! QEMU's `edu` device (docs/specs/edu) as a state machine over register values.
//!
//! The driver asks [`Edu::step`] what to do, does it, and tells the answer. Transfers are the kernel's to start, since the device reads and
//! writes whatever address it is told: the machine asks for them by token.
//!
//! One job at a time. Every value from the device is hostile: a wrong factorial, a status that makes no sense and an answer that never
//! comes end in a typed [`DeviceFault`], and nothing but [`Edu::reset`] makes it good again.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

mod job;
mod phase;
pub mod register;

pub use job::{Copy, Job, JobError, Outcome, Transfer, factorial};

use core::fmt;
use phase::Phase;
use register::Register;

/// Time that a job may take: a factorial, an interrupt, or one piece of a copy. The device waits a tenth of a second before a transfer.
pub const TIMEOUT_NS: u64 = 5_000_000_000;

/// How often the device is looked at when it should come to rest, and the time between: a second in all.
const LOOKS: u16 = 100;
const LOOK_EVERY_NS: u64 = 10_000_000;

/// What the driver is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write this value to this register.
    Write(Register, u32),
    /// Read this register and tell [`Edu::value`].
    Read(Register),
    /// Have the kernel start this transfer.
    Transfer(Transfer),
    /// Do nothing until then.
    Pause {
        /// On the clock that [`Edu::step`] is told.
        until: u64,
    },
    /// Wait for an interrupt, then call [`Edu::on_interrupt`]; but not longer than until then.
    Wait {
        /// On the clock that [`Edu::step`] is told.
        until: u64,
    },
    /// There is nothing to do: see [`Edu::outcome`], and [`Edu::submit`].
    Idle,
    /// The device can not be used, until [`Edu::reset`].
    Failed(DeviceFault),
}

/// What the device did that an `edu` does not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// The bus reads as all ones: there is no device, or not any more.
    Gone,
    /// It says that it is something else.
    Identification(u32),
    /// Its liveness register gives this.
    Liveness(u32),
    /// It does not come to rest after a reset.
    Restless,
    /// Its interrupt can not be acknowledged.
    Interrupt(u32),
    /// It has not done its job in time.
    Stuck,
    /// It computes wrongly.
    Wrong {
        /// The factorial of this.
        of: u32,
        /// It says.
        result: u32,
    },
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceFault::Gone => f.write_str("no device answers"),
            DeviceFault::Identification(value) => write!(f, "the device identifies itself as {value:#x}"),
            DeviceFault::Liveness(value) => write!(f, "the liveness register gives {value:#x}"),
            DeviceFault::Restless => f.write_str("the device does not come to rest"),
            DeviceFault::Interrupt(bits) => write!(f, "interrupt {bits:#x} can not be acknowledged"),
            DeviceFault::Stuck => f.write_str("the device does not finish"),
            DeviceFault::Wrong { of, result } => write!(f, "the factorial of {of} is not {result}"),
        }
    }
}

/// What happened so far; resets do not change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Jobs done.
    pub jobs: u64,
    /// Interrupts that had nothing to do with the job.
    pub spurious: u64,
    /// Jobs, or pieces of one, that were done without an interrupt.
    pub missed: u64,
    /// What the device did wrong.
    pub faults: u64,
    /// Resets, the first one included.
    pub resets: u64,
}

/// The state machine.
#[derive(Debug)]
pub struct Edu {
    phase: Phase,
    job: Option<Job>,
    outcome: Option<Outcome>,
    /// Of a copy: the direction of the piece that is under way, and what is copied already.
    to_device: bool,
    copied: u32,
    deadline: u64,
    counters: Counters,
}

impl Default for Edu {
    fn default() -> Self {
        Self::new()
    }
}

impl Edu {
    /// A device in an unknown state; the first steps bring it to rest.
    pub const fn new() -> Self {
        let counters = Counters { jobs: 0, spurious: 0, missed: 0, faults: 0, resets: 0 };
        let (phase, job, outcome) = (Phase::Identify, None, None);
        Edu { phase, job, outcome, to_device: true, copied: 0, deadline: 0, counters }
    }

    /// Begins anew. The job is given up; its buffers are the driver's when the device has come to rest, which is [`Step::Idle`].
    pub fn reset(&mut self) {
        (self.phase, self.job) = (Phase::Identify, None);
    }

    /// Begins a job.
    ///
    /// # Errors
    /// See [`JobError`].
    pub fn submit(&mut self, job: Job) -> Result<(), JobError> {
        let first = job.first()?;
        match self.phase {
            Phase::Idle if self.outcome.is_none() => {
                (self.phase, self.job) = (first, Some(job));
                (self.to_device, self.copied) = (true, 0);
                Ok(())
            }
            Phase::Dead(_) => Err(JobError::Failed),
            _ => Err(JobError::Busy),
        }
    }

    /// Takes what came of the job, when it is done.
    pub fn outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The device interrupted.
    pub fn on_interrupt(&mut self) {
        if let Phase::Wait | Phase::Idle = self.phase {
            self.phase = Phase::Cause;
        }
    }
}
