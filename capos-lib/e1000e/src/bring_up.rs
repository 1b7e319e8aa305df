//! From a device that was reset to an adapter at work, as a state machine (4.6).
//!
//! The driver asks [`BringUp::step`] what to do, does it, and tells the answer. That the device is reset and lets go of memory is the kernel's
//! to see to (`Device.reset`), before the first step; so is where rings lie.

use crate::register::{
    ADDRESS, ALL_CHECKS, CHECKS, GAPS, LINK_UP, NOTHING, PACE, SEND_PACE, VALID, cause, control,
};
use crate::ring::{Memory, Ring};
use crate::{
    Adapter, CAUSES, CAUSES_SET, CONTROL, DeviceFault, Filter, GROUPS, Layout, RECEIVE, Register, SEND,
    SEND_CONTROL, STATUS,
};
use alloc::collections::TryReserveError;

/// From one interrupt to the next, in units of 256 ns: some 50 microseconds.
const PACE_VALUE: u32 = 200;

/// Gaps between frames, as the datasheet wants them (10.2.6.2).
const GAPS_VALUE: u32 = 8 | 8 << 10 | 6 << 20;

/// Descriptors of frames are counted one by one and written back at once; bit 22 is to be set (10.2.6.9).
const SEND_PACE_VALUE: u32 = 1 << 24 | 1 << 22;

/// What is written when there are rings: causes last, receiving before them.
const WRITES: [(Register, u32); 8] = [
    (CHECKS, ALL_CHECKS),
    (PACE, PACE_VALUE),
    (GAPS, GAPS_VALUE),
    (SEND_PACE, SEND_PACE_VALUE),
    (SEND_CONTROL, control::ENABLE | control::FILL | control::COLLISIONS),
    Filter { stations: false, groups: false }.control(),
    // What came until now is over.
    (CAUSES, u32::MAX),
    (CAUSES_SET, cause::FILLED | cause::SENT | cause::LINK),
];

/// What the driver is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Read this register and tell [`BringUp::value`].
    Read(Register),
    /// Write this value to this register.
    Write(Register, u32),
    /// Have the kernel make this queue, and tell [`BringUp::attached`].
    Attach(u16),
    /// It works: see [`BringUp::finish`].
    Ready,
    /// It can not be used until it was reset.
    Failed(DeviceFault),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Status,
    Address,
    AddressRest(u32),
    LinkUp,
    /// The next of the registers of groups.
    Groups(u32),
    Attach(u16),
    /// The next of what is written when there are rings.
    Write(usize),
    Link,
    Ready,
    Failed(DeviceFault),
}

/// The state machine.
#[derive(Debug)]
pub struct BringUp<M> {
    phase: Phase,
    mac: [u8; 6],
    status: u32,
    receiver: Option<Ring<M>>,
    sender: Option<Ring<M>>,
}

impl<M: Memory> Default for BringUp<M> {
    fn default() -> Self {
        BringUp::new()
    }
}

impl<M: Memory> BringUp<M> {
    /// A device that was reset.
    pub const fn new() -> Self {
        BringUp { phase: Phase::Status, mac: [0; 6], status: 0, receiver: None, sender: None }
    }

    /// What to do now. Ask again after every step until it is [`Step::Ready`] or [`Step::Failed`].
    pub fn step(&mut self) -> Step {
        match self.phase {
            Phase::Status | Phase::Link => Step::Read(STATUS),
            Phase::Address => Step::Read(ADDRESS[0]),
            Phase::AddressRest(_) => Step::Read(ADDRESS[1]),
            Phase::LinkUp => {
                self.phase = Phase::Groups(GROUPS.start);
                Step::Write(CONTROL, LINK_UP)
            }
            Phase::Groups(at) => {
                // A reset leaves them as they are.
                self.phase = if at + 4 < GROUPS.end { Phase::Groups(at + 4) } else { Phase::Attach(RECEIVE) };
                Step::Write(Register(at), 0)
            }
            Phase::Attach(queue) => Step::Attach(queue),
            Phase::Write(n) => match WRITES.get(n) {
                Some((register, value)) => {
                    self.phase = Phase::Write(n + 1);
                    Step::Write(*register, *value)
                }
                None => {
                    self.phase = Phase::Link;
                    Step::Read(STATUS)
                }
            },
            Phase::Ready => Step::Ready,
            Phase::Failed(fault) => Step::Failed(fault),
        }
    }

    /// The value of the register that [`Step::Read`] named.
    pub fn value(&mut self, value: u32) {
        self.phase = match self.phase {
            Phase::Status | Phase::Link if value == NOTHING => Phase::Failed(DeviceFault::Gone),
            Phase::Status => Phase::Address,
            Phase::Address => Phase::AddressRest(value),
            Phase::AddressRest(low) => self.judge(low, value),
            Phase::Link => {
                self.status = value;
                Phase::Ready
            }
            // Nobody asked.
            phase => phase,
        };
    }

    /// Its address, from the lower bytes on.
    fn judge(&mut self, low: u32, high: u32) -> Phase {
        let [a, b, c, d] = low.to_le_bytes();
        let [e, f, ..] = high.to_le_bytes();
        self.mac = [a, b, c, d, e, f];
        let is_station = a & 1 == 0 && self.mac != [0; 6];
        if is_station && high & VALID != 0 {
            Phase::LinkUp
        } else {
            Phase::Failed(DeviceFault::Address(self.mac))
        }
    }

    /// The queue that [`Step::Attach`] named is there, in zeroed memory.
    ///
    /// # Errors
    /// There is no memory for what is to be known of it.
    pub fn attached(&mut self, memory: M, layout: Layout) -> Result<(), TryReserveError> {
        match self.phase {
            Phase::Attach(RECEIVE) => {
                self.receiver = Some(Ring::new(memory, layout)?);
                self.phase = Phase::Attach(SEND);
            }
            Phase::Attach(_) => {
                self.sender = Some(Ring::new(memory, layout)?);
                self.phase = Phase::Write(0);
            }
            _ => {}
        }
        Ok(())
    }

    /// When it is ready: the adapter at work. None before.
    pub fn finish(self, now: u64) -> Option<Adapter<M>> {
        let (receiver, sender) = self.receiver.zip(self.sender).filter(|_| self.phase == Phase::Ready)?;
        Some(Adapter::new(self.mac, self.status, receiver, sender, now))
    }
}
