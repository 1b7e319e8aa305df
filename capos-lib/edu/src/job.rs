//! What the device can do.

use crate::phase::Phase;
use crate::register::NOTHING_THERE;

/// Bytes that go through the device's buffer at once: half of it. QEMU before 8.0 takes a transfer that reaches the buffer's last byte
/// for one beyond it, and ends the machine.
const PIECE: u32 = 2048;

/// Something to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Job {
    /// Compute the factorial of this number, modulo 2^32. The device multiplies that often.
    Factorial(u32),
    /// Interrupt with these bits in the interrupt status.
    Raise(u32),
    /// Copy bytes, through the device's buffer.
    Copy(Copy),
}

/// From where to where, as tokens of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copy {
    /// The device reads here.
    pub from: u64,
    /// It writes here.
    pub to: u64,
    /// Bytes.
    pub length: u32,
}

/// A piece of a copy, in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Into the device's buffer, or out of it.
    pub to_device: bool,
    /// The driver's end.
    pub token: u64,
    /// The device's end, from the begin of its buffer.
    pub device_offset: u32,
    /// Bytes.
    pub length: u32,
}

/// Where the device's buffer is in what it takes for addresses.
const BUFFER: u64 = 0x4_0000;

impl Transfer {
    /// As the kernel's queue takes it: source, destination, count, and a command that starts it and asks for an interrupt at its end.
    pub fn descriptor(&self) -> [u64; 4] {
        const START: u64 = 0x01;
        const TO_MEMORY: u64 = 0x02;
        const INTERRUPT: u64 = 0x04;
        let (memory, inside) = (self.token, BUFFER + u64::from(self.device_offset));
        let count = self.length.into();
        match self.to_device {
            true => [memory, inside, count, START | INTERRUPT],
            false => [inside, memory, count, START | TO_MEMORY | INTERRUPT],
        }
    }
}

/// A job that was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This factorial is right.
    Factorial(u32),
    /// An interrupt came with these bits.
    Raised(u32),
    /// So many bytes were copied, says the device.
    Copied(u32),
}

/// Why there is no such job now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobError {
    /// The last job is not done, or nobody took its outcome; or the device is not ready yet.
    Busy,
    /// The device can not be used.
    Failed,
    /// Nothing to copy, or no bits to raise; or all of them, which would look like no device at all.
    Empty,
    /// The end of a buffer is beyond the last token.
    Wraps,
}

impl Job {
    /// How it begins, if it makes sense.
    pub(crate) fn first(&self) -> Result<Phase, JobError> {
        match self {
            Job::Factorial(_) => Ok(Phase::Arm),
            Job::Raise(0 | NOTHING_THERE) => Err(JobError::Empty),
            Job::Raise(_) => Ok(Phase::Raise),
            Job::Copy(copy) if copy.length == 0 => Err(JobError::Empty),
            Job::Copy(copy) => {
                let end = |token: u64| token.checked_add(copy.length.into()).ok_or(JobError::Wraps);
                end(copy.from).and(end(copy.to)).map(|_| Phase::Transfer)
            }
        }
    }
}

impl Copy {
    /// The transfer at this state of the copy.
    pub(crate) fn piece(&self, to_device: bool, copied: u32) -> Transfer {
        let token = if to_device { self.from } else { self.to };
        let length = self.length.saturating_sub(copied).min(PIECE);
        Transfer { to_device, token: token.saturating_add(copied.into()), device_offset: 0, length }
    }
}

/// The product of 1 to `number`, modulo 2^32: 0 from 34 on.
pub fn factorial(number: u32) -> u32 {
    (1..=number.min(34)).fold(1, u32::wrapping_mul)
}
