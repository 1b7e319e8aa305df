//! What to do next, and what follows from what the device says.

use crate::job::{Job, Outcome, factorial};
use crate::register::{KIND, NOTHING_THERE, Register, command, status};
use crate::{DeviceFault, Edu, LOOK_EVERY_NS, LOOKS, Step, TIMEOUT_NS};

/// Value of which the complement must come back.
const PROBE: u32 = 0x1bad_cafe;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Identify,
    Provoke,
    Liveness,
    /// No interrupt when a factorial of before is done.
    Disarm,
    /// Neither may run: the status, then the transfer. So many looks are left.
    Rest(Register, u16),
    Pause(Register, u16),
    /// Interrupts of before.
    Quiet,
    QuietCheck,
    Idle,
    Arm,
    Factorial,
    Raise,
    Transfer,
    /// For the interrupt of what was begun.
    Wait,
    /// Of an interrupt.
    Cause,
    Acknowledge(u32),
    /// Whether the job is done, as the interrupt says.
    Look,
    /// The same after the time was over.
    Overdue,
    /// The factorial.
    Result,
    Dead(DeviceFault),
}

impl Edu {
    /// What to do now. Ask again after every step until it is one of the last three.
    pub fn step(&mut self, now: u64) -> Step {
        if self.phase == Phase::Wait && now >= self.deadline {
            self.phase = Phase::Overdue;
        }
        match self.phase {
            Phase::Identify => Step::Read(Register::Identification),
            Phase::Provoke => self.write(Register::Liveness, PROBE, Phase::Liveness),
            Phase::Liveness => Step::Read(Register::Liveness),
            Phase::Disarm => self.write(Register::Status, 0, Phase::Rest(Register::Status, LOOKS)),
            Phase::Rest(register, _) => Step::Read(register),
            Phase::Pause(register, looks) => {
                self.phase = Phase::Rest(register, looks);
                Step::Pause { until: now.saturating_add(LOOK_EVERY_NS) }
            }
            Phase::Quiet => self.write(Register::InterruptAcknowledge, u32::MAX, Phase::QuietCheck),
            Phase::QuietCheck | Phase::Cause => Step::Read(Register::InterruptStatus),
            Phase::Idle => Step::Idle,
            Phase::Arm => self.write(Register::Status, status::INTERRUPT, Phase::Factorial),
            Phase::Wait => Step::Wait { until: self.deadline },
            Phase::Acknowledge(bits) => {
                let next = self.after_acknowledge(bits);
                self.write(Register::InterruptAcknowledge, bits, next)
            }
            Phase::Look | Phase::Overdue => Step::Read(self.witness()),
            Phase::Result => Step::Read(Register::Factorial),
            Phase::Dead(fault) => Step::Failed(fault),
            Phase::Factorial | Phase::Raise | Phase::Transfer => self.begin(now),
        }
    }
    /// The step that makes the device work.
    fn begin(&mut self, now: u64) -> Step {
        self.deadline = now.saturating_add(TIMEOUT_NS);
        self.phase = Phase::Wait;
        match self.job {
            Some(Job::Factorial(number)) => Step::Write(Register::Factorial, number),
            Some(Job::Raise(bits)) => Step::Write(Register::InterruptRaise, bits),
            Some(Job::Copy(copy)) => Step::Transfer(copy.piece(self.to_device, self.copied)),
            None => Step::Idle,
        }
    }

    /// The value of the register that [`Step::Read`] named.
    pub fn value(&mut self, value: u32) {
        if self.is_reading() {
            let answer = if value == NOTHING_THERE { Err(DeviceFault::Gone) } else { self.answer(value) };
            self.phase = answer.unwrap_or_else(|fault| {
                self.counters.faults += 1;
                Phase::Dead(fault)
            });
        }
    }

    fn is_reading(&self) -> bool {
        use Phase::{Cause, Identify, Liveness, Look, Overdue, QuietCheck, Rest, Result};
        matches!(self.phase, Identify | Liveness | Rest(..) | QuietCheck | Cause | Look | Overdue | Result)
    }

    fn answer(&mut self, value: u32) -> Result<Phase, DeviceFault> {
        match self.phase {
            Phase::Identify if value & 0xffff == KIND => Ok(Phase::Provoke),
            Phase::Identify => Err(DeviceFault::Identification(value)),
            Phase::Liveness if value == !PROBE => Ok(Phase::Disarm),
            Phase::Liveness => Err(DeviceFault::Liveness(value)),
            Phase::Rest(register, looks) => match (register, is_busy(value), looks.checked_sub(1)) {
                (Register::Status, false, _) => Ok(Phase::Rest(Register::DmaCommand, LOOKS)),
                (_, false, _) => Ok(Phase::Quiet),
                (_, true, Some(looks)) => Ok(Phase::Pause(register, looks)),
                (_, true, None) => Err(DeviceFault::Restless),
            },
            Phase::QuietCheck if value == 0 => {
                self.counters.resets += 1;
                Ok(Phase::Idle)
            }
            Phase::QuietCheck => Err(DeviceFault::Interrupt(value)),
            Phase::Cause if value == 0 => Ok(self.go_on_waiting()),
            Phase::Cause => Ok(Phase::Acknowledge(value)),
            Phase::Look if is_busy(value) => Ok(self.go_on_waiting()),
            Phase::Look => Ok(self.advance()),
            Phase::Overdue => self.overdue(value),
            Phase::Result => self.result(value),
            phase => Ok(phase),
        }
    }

    /// The interrupt was for something else.
    fn go_on_waiting(&mut self) -> Phase {
        self.counters.spurious += 1;
        if self.job.is_some() { Phase::Wait } else { Phase::Idle }
    }

    fn after_acknowledge(&mut self, bits: u32) -> Phase {
        match self.job {
            // What the bits say is not needed: the device itself is asked.
            Some(Job::Factorial(_) | Job::Copy(_)) => Phase::Look,
            Some(Job::Raise(wanted)) if bits & wanted == wanted => self.finish(Outcome::Raised(wanted)),
            _ => self.go_on_waiting(),
        }
    }

    /// What tells whether the job is done.
    fn witness(&self) -> Register {
        match self.job {
            Some(Job::Factorial(_)) => Register::Status,
            Some(Job::Copy(_)) => Register::DmaCommand,
            Some(Job::Raise(_)) | None => Register::InterruptStatus,
        }
    }

    fn overdue(&mut self, value: u32) -> Result<Phase, DeviceFault> {
        let next = match self.job {
            Some(Job::Raise(wanted)) if value & wanted == wanted => Phase::Acknowledge(value),
            Some(Job::Factorial(_) | Job::Copy(_)) if !is_busy(value) => self.advance(),
            _ => return Err(DeviceFault::Stuck),
        };
        self.counters.missed += 1;
        Ok(next)
    }

    /// The device has done what it was last told to.
    fn advance(&mut self) -> Phase {
        let Some(Job::Copy(copy)) = self.job else { return Phase::Result };
        if !self.to_device {
            self.copied += copy.piece(false, self.copied).length;
        }
        self.to_device = !self.to_device;
        if self.copied < copy.length { Phase::Transfer } else { self.finish(Outcome::Copied(copy.length)) }
    }

    fn result(&mut self, result: u32) -> Result<Phase, DeviceFault> {
        match self.job {
            Some(Job::Factorial(of)) if result != factorial(of) => Err(DeviceFault::Wrong { of, result }),
            _ => Ok(self.finish(Outcome::Factorial(result))),
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Phase {
        (self.job, self.outcome) = (None, Some(outcome));
        self.counters.jobs += 1;
        Phase::Idle
    }

    fn write(&mut self, register: Register, value: u32, next: Phase) -> Step {
        self.phase = next;
        Step::Write(register, value)
    }
}

/// Whether a factorial is being computed, or a transfer runs.
fn is_busy(value: u32) -> bool {
    const _: () = assert!(status::COMPUTING == command::RUN);
    value & command::RUN != 0
}
