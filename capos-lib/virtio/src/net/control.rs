//! The control queue (virtio 1.2, 5.1.6.5): one command after the other.
//!
//! What is wanted is kept; what the device has not been told of it is a bit for each command. Commands are framed as legacy devices want them (5.1.6.6), which
//! suits all.

use super::filter::{Filter, TABLES_BYTES};
use super::shape::{Mac, Shape};
use super::{Command, Done};
use crate::DeviceFault;
use crate::layout::{DESCRIPTOR, Layout, flags};
use crate::split::{Memory, Rings};

/// In the memory of our own: class and command, the answer, and what goes along.
const COMMAND: u32 = 0;
const ANSWER: u32 = 4;
const DATA: u32 = 8;
/// Bytes of it.
pub(super) const CONTROL_BYTES: u32 = (DATA + TABLES_BYTES).next_multiple_of(1024);

/// Descriptors: the command, up to two pieces of data, the answer.
const DESCRIPTORS: u16 = 4;

/// What the device answers.
mod answer {
    pub const OK: u8 = 0;
    pub const ERR: u8 = 1;
    /// What we write there before the device does.
    pub const NONE: u8 = 0xff;
}

const ALL: [Command; 5] =
    [Command::Pairs, Command::Address, Command::Table, Command::Promiscuous, Command::AllGroups];

impl Command {
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Class in the lower byte, command in the upper one.
    const fn words(self) -> u16 {
        match self {
            Command::Promiscuous => 0,
            Command::AllGroups => 0x0100,
            Command::Table => 1,
            Command::Address => 0x0101,
            Command::Pairs => 4,
        }
    }
}

/// The queue.
#[derive(Debug)]
pub(super) struct Control<M> {
    pub(super) rings: Rings<M>,
    /// Where its memory is for us, and for the device.
    at: u32,
    token: u64,
    filter: Filter,
    address: Mac,
    /// The address that was told last.
    told: Mac,
    pairs: u16,
    /// Commands to be told, by their bits.
    due: u8,
    /// The one that the device has, and since when.
    asked: Option<(Command, u64)>,
}

impl<M: Memory> Control<M> {
    /// In the fresh memory of a ring. Its own memory is at `at` of the driver's, which the device finds at `token`.
    ///
    /// # Errors
    /// The ring is too small for a command.
    pub(super) fn new(
        (memory, layout): (M, Layout),
        shape: &Shape,
        at: u32,
        token: u64,
    ) -> Result<Self, DeviceFault> {
        if layout.size() < DESCRIPTORS {
            return Err(DeviceFault::QueueSize(layout.size()));
        }
        let rings = Rings::new(memory, layout, shape.has_event_index());
        // It begins with one pair.
        let due = if shape.pairs > 1 { Command::Pairs.bit() } else { 0 };
        let (filter, address, pairs) = (Filter::NOTHING, [0; 6], shape.pairs);
        Ok(Control { rings, at, token, filter, address, told: address, pairs, due, asked: None })
    }

    /// What it has was not answered yet, or it is to be told more.
    pub(super) const fn is_busy(&self) -> bool {
        self.asked.is_some() || self.due != 0
    }

    /// When the device got the command that it has.
    pub(super) fn since(&self) -> Option<u64> {
        self.asked.map(|(_, since)| since)
    }

    pub(super) fn set_filter<A: Memory>(&mut self, area: &A, filter: Filter, now: u64) {
        self.filter = filter;
        self.due |= Command::Table.bit() | Command::Promiscuous.bit() | Command::AllGroups.bit();
        self.go_on(area, now);
    }

    fn set_promiscuous(&mut self) {
        self.filter.insert_all();
        self.due |= Command::Promiscuous.bit();
    }

    pub(super) fn set_address<A: Memory>(&mut self, area: &A, address: Mac, now: u64) {
        self.address = address;
        self.due |= Command::Address.bit();
        self.go_on(area, now);
    }

    /// The address that it was told last.
    pub(super) const fn told(&self) -> Mac {
        self.told
    }

    /// Adds the next command that is due, unless the device has one.
    pub(super) fn go_on<A: Memory>(&mut self, area: &A, now: u64) {
        let next = ALL.into_iter().find(|command| self.due & command.bit() != 0);
        let Some(command) = next.filter(|_| self.asked.is_none()) else { return };
        self.due &= !command.bit();
        self.asked = Some((command, now));
        if command == Command::Address {
            self.told = self.address;
        }
        area.write16(self.at + COMMAND, command.words());
        area.write16(self.at + ANSWER, answer::NONE.into());
        let data = self.write_data(area, command);
        self.describe(0, COMMAND, 2, flags::NEXT, 1);
        let last = DESCRIPTORS - 1;
        for (index, (at, length)) in (1..).zip(data.into_iter().flatten()) {
            let next = if index == 1 && data.get(1).is_some_and(Option::is_some) { 2 } else { last };
            self.describe(index, at - self.at, length, flags::NEXT, next);
        }
        self.describe(last, ANSWER, 1, flags::WRITE, 0);
        self.rings.add(0);
    }

    /// Writes what goes along, and says where it begins and how long it is.
    fn write_data<A: Memory>(&self, area: &A, command: Command) -> [Option<(u32, u32)>; 2] {
        let at = self.at + DATA;
        let is_on = match command {
            Command::Table => return self.filter.write(area, at).map(Some),
            Command::Address => {
                let [a, b, c, d, e, f] = self.address;
                area.write32(at, u32::from_le_bytes([a, b, c, d]));
                area.write16(at + 4, u16::from_le_bytes([e, f]));
                return [Some((at, 6)), None];
            }
            Command::Pairs => {
                area.write16(at, self.pairs);
                return [Some((at, 2)), None];
            }
            Command::Promiscuous => self.filter.is_promiscuous(),
            Command::AllGroups => self.filter.has_all_groups(),
        };
        area.write16(at, is_on.into());
        [Some((at, 1)), None]
    }

    fn describe(&self, index: u16, offset: u32, length: u32, flags: u16, next: u16) {
        let rest = u64::from(length) | u64::from(flags) << 32 | u64::from(next) << 48;
        let token = self.token + u64::from(self.at + offset);
        self.rings.memory.write64_pair(u32::from(index) * DESCRIPTOR, [token, rest]);
    }

    /// Takes the answer to a command, and goes on with the next.
    pub(super) fn take<A: Memory>(&mut self, area: &A, now: u64) -> Result<Option<Done>, DeviceFault> {
        let Some((id, length)) = self.rings.take()? else { return Ok(None) };
        if id != 0 {
            return Err(DeviceFault::UnknownId(id));
        }
        let (command, _) = self.asked.take().ok_or(DeviceFault::NotInFlight(id))?;
        if length > 1 {
            return Err(DeviceFault::TooLong { id: 0, length, writable: 1 });
        }
        let is_done = match area.read16(self.at + ANSWER) as u8 {
            answer::OK => true,
            answer::ERR => false,
            other => return Err(DeviceFault::Answer(other)),
        };
        if command == Command::Table && !is_done {
            // Better too much than not what was asked for.
            self.set_promiscuous();
        }
        self.go_on(area, now);
        Ok(Some(Done::Told { command, is_done }))
    }
}
