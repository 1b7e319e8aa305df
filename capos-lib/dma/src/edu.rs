//! QEMU's device for teaching (docs/specs/edu.txt): what its driver may do, and its one transfer at a time.
//!
//! The DMA engine has four registers: source, destination, count, command. One side is memory, the other the device's own buffer. Its driver
//! never writes them: it hands a descriptor with a token to [`Engine::publish`], whatever the backend. QEMU ends as a whole when a transfer leaves the
//! device's buffer, or only touches its end; so that is refused with either backend.

use crate::class::{Named, Register, Step, named};
use crate::memory::Shadow;
use crate::pool::{Pool, TokenError};
use crate::window::{Access, Table, TableError, Widths};
use core::fmt;

/// Bits that the engine leaves of an address (`dma_mask`).
pub const ADDRESS_BITS: u32 = 28;

/// Where the device's buffer begins.
pub const BUFFER: u64 = 0x4_0000;

/// Bytes of it that a transfer may have: its last one is out of bounds for QEMU (`edu_check_range`).
pub const ROOM: u64 = 4095;

/// Bits of the command register.
pub mod command {
    /// Starts a transfer; set while it runs.
    pub const RUN: u64 = 1;
    /// From the device to memory; else the other way.
    pub const TO_MEMORY: u64 = 2;
    /// An interrupt at the end.
    pub const INTERRUPT: u64 = 4;
}

/// The registers of the engine are the kernel's.
const SOURCE: Register = register(0x80, 8);
const DESTINATION: Register = register(0x88, 8);
const COUNT: Register = register(0x90, 8);
/// The command register, in which [`command::RUN`] says whether a transfer runs.
pub const COMMAND: Register = register(0x98, 8);

const STATUS: Register = register(0x20, 4);
const ACKNOWLEDGE: Register = register(0x64, 4);

const REGISTERS: [Named; 10] = [
    (0x00, 4, Widths::FOUR, Access::ReadOnly),  // identification
    (0x04, 4, Widths::FOUR, Access::ReadWrite), // liveness
    (0x08, 4, Widths::FOUR, Access::ReadWrite), // factorial
    // Whether the end of a factorial interrupts is the driver's; whether one is being computed is the device's.
    (STATUS.offset, 4, Widths::FOUR, Access::Masked { writable: 0x80, fixed: 0 }),
    (0x24, 4, Widths::FOUR, Access::ReadOnly),  // interrupt status
    (0x60, 4, Widths::FOUR, Access::ReadWrite), // raise an interrupt
    (ACKNOWLEDGE.offset, 4, Widths::FOUR, Access::ReadWrite),
    (SOURCE.offset, 16, Widths::ANY, Access::Forbidden), // addresses
    (COUNT.offset, 8, Widths::FOUR_OR_EIGHT, Access::ReadOnly),
    (COMMAND.offset, 8, Widths::FOUR_OR_EIGHT, Access::ReadOnly),
];

/// A transfer takes 100 ms, and nothing stops it. Interrupts are off at last, even that of its end.
pub(crate) const QUIESCE: [Step; 3] = [
    Step::Write(STATUS, 0),
    Step::Await { register: COMMAND, mask: command::RUN, value: 0, limit: 1_000_000_000 },
    Step::Write(ACKNOWLEDGE, 0xffff_ffff),
];

const fn register(offset: u64, width: u8) -> Register {
    Register { bar: 0, offset, width }
}

pub(crate) fn table(bar: u8, length: u64) -> Result<Table, TableError> {
    named(length, if bar == 0 { &REGISTERS } else { &[] })
}

/// What is wrong with a descriptor: the driver's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A transfer runs.
    Busy,
    /// It does not start one, or has bits that there are not.
    Command(u64),
    /// It leaves the device's buffer.
    OutOfBuffer,
    /// The side that is memory.
    Token(TokenError),
}

/// The device's DMA engine. A descriptor is four words of eight bytes: source, destination, count, command.
#[derive(Debug, Default)]
pub struct Engine {
    /// The slot that the device may use.
    pinned: Option<u16>,
}

impl Engine {
    /// Checks the descriptor, and gives the register writes that make a transfer of it, in order.
    pub fn publish(
        &mut self,
        shadow: &impl Shadow,
        pool: &mut Pool,
    ) -> Result<[(Register, u64); 4], Refusal> {
        if self.pinned.is_some() {
            return Err(Refusal::Busy);
        }
        let [source, destination, count, command] = [0, 8, 16, 24].map(|at| shadow.read64(at));
        if command & command::RUN == 0
            || command & !(command::RUN | command::TO_MEMORY | command::INTERRUPT) != 0
        {
            return Err(Refusal::Command(command));
        }
        let to_memory = command & command::TO_MEMORY != 0;
        let (token, place) = if to_memory { (destination, source) } else { (source, destination) };
        let room =
            place.checked_sub(BUFFER).and_then(|at| ROOM.checked_sub(at)).ok_or(Refusal::OutOfBuffer)?;
        if count > room {
            return Err(Refusal::OutOfBuffer);
        }
        let memory = pool.pin(token, count).map_err(Refusal::Token)?;
        self.pinned = Some(memory.slot);
        let (source, destination) = if to_memory { (place, memory.address) } else { (memory.address, place) };
        Ok([(SOURCE, source), (DESTINATION, destination), (COUNT, count), (COMMAND, command)])
    }

    /// Whether the engine is idle, given what [`COMMAND`] says now; then the device is through with the memory.
    pub fn collect(&mut self, command: u64, pool: &mut Pool) -> bool {
        if command & command::RUN == 0 {
            self.abandon(pool);
        }
        self.pinned.is_none()
    }

    /// The device was reset: nothing runs.
    pub fn abandon(&mut self, pool: &mut Pool) {
        if let Some(slot) = self.pinned.take() {
            pool.unpin(slot);
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the driver starts a transfer while one runs"),
            Self::Command(command) => write!(f, "the driver's command {command:#x} is none"),
            Self::OutOfBuffer => f.write_str("the driver's transfer leaves the device's buffer"),
            Self::Token(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
