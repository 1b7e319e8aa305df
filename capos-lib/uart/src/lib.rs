//! A 16550 as a state machine over register values.
//!
//! The driver asks [`Uart::step`] what to do, does it through its port capability, and tells the answer; no port is touched
//! here. (The `uart_16550` crate drives ports and memory itself, which a process without I/O privilege can not do: ports are
//! brokered capabilities, one call each. See ADR 0010.)
//!
//! Every value from the device is hostile data: a bus that reads as all ones, a transmitter that never empties, a receiver that
//! is never empty and interrupts without a cause end in counters and typed faults, never in a loop. All queues are bounded.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

mod queue;
pub mod register;

pub use queue::Queue;

use register::{Register, ier, lsr};

/// Bytes that a transmit FIFO takes at once.
pub const FIFO: usize = 16;

/// Bytes received that nobody has read yet.
pub const RECEIVE_ROOM: usize = 1024;

/// Bytes to be sent.
pub const TRANSMIT_ROOM: usize = 4096;

/// Status reads in a row that tell nothing before a turn ends: what should happen next comes with an interrupt.
const PATIENCE: u32 = 4;

/// Value that must be read back from the scratch register at reset.
const PROBE: u8 = 0x5a;

/// Registers written at reset, in this order: interrupts off, 115200 baud, 8 bits no parity one stop, FIFOs on and cleared
/// with the trigger at 8 bytes, DTR RTS and OUT2 (which lets the interrupt through).
const RESET: [(Register, u8); 7] = [
    (Register::InterruptEnable, 0),
    (Register::LineControl, 0x80),
    (Register::Data, 1),
    (Register::InterruptEnable, 0),
    (Register::LineControl, 0x03),
    (Register::FifoControl, 0x87),
    (Register::ModemControl, 0x0b),
];

/// What the driver is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write this value to this register.
    Write(Register, u8),
    /// Read this register and tell [`Uart::value`].
    Read(Register),
    /// Write what [`Uart::chunk`] gives to the data register, all of it.
    Transmit,
    /// Wait for an interrupt, new bytes to send, or room for received ones.
    Idle,
}

/// What the device did that a 16550 does not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// There is no 16550: the scratch register does not keep its value, or the status reads as all ones.
    Absent,
    /// The transmitter does not get empty.
    TransmitStuck,
}

/// What happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Bytes received and queued.
    pub received: u64,
    /// Bytes handed to the device.
    pub sent: u64,
    /// Bytes that the device lost because nobody fetched them in time.
    pub overruns: u64,
    /// Bytes with parity or framing errors, and breaks; dropped.
    pub damaged: u64,
    /// Interrupts without anything to do.
    pub spurious: u64,
    /// Status reads that were all ones.
    pub nonsense: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The next register of [`RESET`] to write.
    Reset(usize),
    Probe,
    ProbeAnswer,
    /// Look at the status.
    Look,
    /// A byte is there, with this status.
    Fetch(u8),
    /// The transmitter takes a FIFO full.
    Fill,
    /// Nothing to do; interrupts go off...
    Rest,
    /// ...and on again before waiting.
    Rearm,
    /// Waiting.
    Idle,
    Dead(DeviceFault),
}

/// The state machine.
pub struct Uart {
    phase: Phase,
    receive: Queue<RECEIVE_ROOM>,
    transmit: Queue<TRANSMIT_ROOM>,
    /// Status reads in this turn that told nothing.
    idle_looks: u32,
    /// An interrupt began this turn.
    interrupted: bool,
    /// Something was done in this turn.
    worked: bool,
    counters: Counters,
}

impl Default for Uart {
    fn default() -> Self {
        Self::new()
    }
}

impl Uart {
    /// A device in an unknown state; the first steps reset it. A restarted driver means a restarted device.
    pub const fn new() -> Self {
        Uart {
            phase: Phase::Reset(0),
            receive: Queue::new(),
            transmit: Queue::new(),
            idle_looks: 0,
            interrupted: false,
            worked: false,
            counters: Counters { received: 0, sent: 0, overruns: 0, damaged: 0, spurious: 0, nonsense: 0 },
        }
    }

    /// What to do now. Ask again after every step until it is [`Step::Idle`].
    pub fn step(&mut self) -> Step {
        match self.phase {
            Phase::Reset(index) => match RESET.get(index) {
                Some((register, value)) => {
                    self.phase = Phase::Reset(index + 1);
                    Step::Write(*register, *value)
                }
                None => {
                    self.phase = Phase::Probe;
                    Step::Write(Register::Scratch, PROBE)
                }
            },
            Phase::Probe => {
                self.phase = Phase::ProbeAnswer;
                Step::Read(Register::Scratch)
            }
            Phase::ProbeAnswer => Step::Read(Register::Scratch),
            Phase::Look => Step::Read(Register::LineStatus),
            Phase::Fetch(_) => Step::Read(Register::Data),
            Phase::Fill => Step::Transmit,
            Phase::Rest => {
                self.phase = Phase::Rearm;
                Step::Write(Register::InterruptEnable, 0)
            }
            Phase::Rearm => {
                self.phase = Phase::Idle;
                Step::Write(Register::InterruptEnable, self.wanted())
            }
            Phase::Idle | Phase::Dead(_) => Step::Idle,
        }
    }

    /// The value of the register that [`Step::Read`] named.
    pub fn value(&mut self, value: u8) {
        match self.phase {
            Phase::ProbeAnswer if value == PROBE => self.phase = Phase::Look,
            Phase::ProbeAnswer => self.phase = Phase::Dead(DeviceFault::Absent),
            Phase::Look => self.status(value),
            Phase::Fetch(status) => self.fetched(status, value),
            _ => {}
        }
    }

    /// The bytes to write for [`Step::Transmit`].
    pub fn chunk(&mut self, out: &mut [u8; FIFO]) -> usize {
        let count = self.transmit.pop(out);
        self.counters.sent += count as u64;
        self.idle_looks = 0;
        self.worked = true;
        self.phase = Phase::Look;
        count
    }

    /// The interrupt fired.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
        self.worked = false;
        self.look();
    }

    /// Looks at the device again: after an interrupt, new bytes to send, or new room for received ones.
    pub fn look(&mut self) {
        if matches!(self.phase, Phase::Rest | Phase::Rearm | Phase::Idle) {
            self.idle_looks = 0;
            self.phase = Phase::Look;
        }
    }

    /// Queues bytes to send; gives how many fit.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        let count = self.transmit.push(bytes);
        if count > 0 {
            self.look();
        }
        count
    }

    /// Takes received bytes; gives how many there were.
    pub fn receive(&mut self, out: &mut [u8]) -> usize {
        let was_full = self.receive.room() == 0;
        let count = self.receive.pop(out);
        if was_full && count > 0 {
            self.look();
        }
        count
    }

    /// Received bytes that wait.
    pub fn received(&self) -> usize {
        self.receive.len()
    }

    /// Bytes that are still to be sent.
    pub fn unsent(&self) -> usize {
        self.transmit.len()
    }

    /// Room for bytes to send.
    pub fn send_room(&self) -> usize {
        self.transmit.room()
    }

    /// The transmitter has not taken a byte for longer than sending its FIFO can take: drops what was to be sent, so that
    /// writers get an error instead of waiting for ever.
    pub fn give_up_sending(&mut self) -> DeviceFault {
        self.transmit.clear();
        self.look();
        DeviceFault::TransmitStuck
    }

    /// Whether the device is beyond use, and why.
    pub fn fault(&self) -> Option<DeviceFault> {
        match self.phase {
            Phase::Dead(fault) => Some(fault),
            _ => None,
        }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Line status: fetch before sending, errors before data.
    fn status(&mut self, status: u8) {
        if status == lsr::NOTHING_THERE {
            self.counters.nonsense += 1;
            self.look_less();
            if self.counters.nonsense >= u64::from(PATIENCE) {
                self.phase = Phase::Dead(DeviceFault::Absent);
            }
            return;
        }
        if status & lsr::OVERRUN != 0 {
            self.counters.overruns += 1;
        }
        if status & lsr::DATA_READY != 0 && self.receive.room() > 0 {
            self.phase = Phase::Fetch(status);
        } else if status & lsr::TRANSMIT_EMPTY != 0 && !self.transmit.is_empty() {
            self.phase = Phase::Fill;
        } else if !self.transmit.is_empty() {
            self.look_less();
        } else {
            self.end_turn();
        }
    }

    fn end_turn(&mut self) {
        if core::mem::take(&mut self.interrupted) && !self.worked {
            self.counters.spurious += 1;
        }
        self.phase = Phase::Rest;
    }

    fn fetched(&mut self, status: u8, byte: u8) {
        self.worked = true;
        self.idle_looks = 0;
        self.phase = Phase::Look;
        if status & lsr::DAMAGED != 0 {
            self.counters.damaged += 1;
        } else {
            self.counters.received += self.receive.push(&[byte]) as u64;
        }
    }

    /// One more look that told nothing; enough of them end the turn.
    fn look_less(&mut self) {
        self.idle_looks += 1;
        if self.idle_looks >= PATIENCE {
            self.end_turn();
        } else {
            self.phase = Phase::Look;
        }
    }

    /// The interrupts to wait for: received bytes always, an empty transmitter while there is something to send.
    ///
    /// They are switched off and on again before every wait. The line is edge triggered: a cause that came up while another held
    /// the line high would never be told, and this makes an edge of it.
    fn wanted(&self) -> u8 {
        if self.transmit.is_empty() { ier::RECEIVED } else { ier::RECEIVED | ier::TRANSMIT_EMPTY }
    }
}

#[cfg(test)]
mod tests;
