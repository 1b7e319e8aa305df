//! What broken devices do, done by the lab in the place of a virtio device: while the machine stands still, to the queue of which the device has just
//! used all that it was given. So it writes nothing there itself, until its driver gives it something again.

use std::collections::BTreeSet;

use super::Monitor;
use super::devices::{Queue, Unit, queues};
use super::ram::Ram;
use crate::case::Misdeed;

/// More than any buffer has.
const TOO_LONG: u32 = 1 << 20;

/// What was done, if the device is through with what it had.
pub fn commit(misdeed: Misdeed, monitor: &mut dyn Monitor, ram: &Ram) -> Result<Option<String>, String> {
    let unit = Unit::find(monitor)?;
    let found = queues(monitor)?;
    let [queue] = found[..] else { return Err(format!("{} queues are in use, and not one", found.len())) };
    let memory = Memory { unit: &unit, ram };
    let used = memory.read16(queue.used + 2)?;
    if used == 0 || memory.read16(queue.available + 2)? != used {
        return Ok(None);
    }
    let ring = Ring { memory, queue, used };
    let done = match misdeed {
        Misdeed::Nothing => String::from("nothing"),
        Misdeed::UnknownId => ring.set_id(ring.size())?,
        Misdeed::NotGiven => ring.set_id(ring.size() - 1)?,
        Misdeed::Twice => ring.set_id(ring.id(2)?)?,
        Misdeed::TooLong => ring.set_length(TOO_LONG)?,
        // Beyond what any driver may have given it, in both directions.
        Misdeed::Jump => ring.move_by(ring.size() as u16 + 1)?,
        Misdeed::Back => ring.move_by(0u16.wrapping_sub(ring.size() as u16 + 1))?,
        Misdeed::Late => ring.write_late()?,
    };
    Ok(Some(format!("device: {done}, after {used} completions\n")))
}

/// Memory, as a device finds it.
#[derive(Clone, Copy)]
struct Memory<'a> {
    unit: &'a Unit,
    ram: &'a Ram,
}

impl Memory<'_> {
    /// Where in the file that is. Where several functions find something there, it is not known whose it is.
    fn place(self, address: u64) -> Result<u64, String> {
        let places: BTreeSet<u64> = self.unit.places(self.ram, address).into_iter().collect();
        match places.first() {
            Some(&place) if places.len() == 1 => Ok(place),
            _ => Err(format!("{address:#x} is at {} places for the device", places.len())),
        }
    }

    fn read(self, address: u64) -> Result<u64, String> {
        let word = self.ram.word_at(self.place(address)?);
        word.ok_or_else(|| format!("{address:#x} cannot be read"))
    }

    fn read16(self, address: u64) -> Result<u16, String> {
        self.read(address).map(|word| word as u16)
    }

    fn write(self, address: u64, bytes: &[u8]) -> Result<(), String> {
        self.ram.write_at(bytes, self.place(address)?).map_err(super::text)
    }
}

/// The queue, with so many completions.
struct Ring<'a> {
    memory: Memory<'a>,
    queue: Queue,
    used: u16,
}

impl Ring<'_> {
    fn size(&self) -> u32 {
        self.queue.entries as u32
    }

    /// Where the last completion stands, or one before it (virtio 1.2, 2.7.8).
    fn entry(&self, from_last: u16) -> u64 {
        let index = u64::from(self.used.wrapping_sub(from_last)) % self.queue.entries;
        self.queue.used + 4 + 8 * index
    }

    fn id(&self, from_last: u16) -> Result<u32, String> {
        self.memory.read(self.entry(from_last)).map(|word| word as u32)
    }

    fn set_id(&self, id: u32) -> Result<String, String> {
        self.memory.write(self.entry(1), &id.to_le_bytes())?;
        Ok(format!("the last one names {id}"))
    }

    fn set_length(&self, length: u32) -> Result<String, String> {
        self.memory.write(self.entry(1) + 4, &length.to_le_bytes())?;
        Ok(format!("the last one says {length} bytes"))
    }

    fn move_by(&self, by: u16) -> Result<String, String> {
        let index = self.used.wrapping_add(by);
        self.memory.write(self.queue.used + 2, &index.to_le_bytes())?;
        Ok(format!("the index is {index}"))
    }

    /// Every bit of its buffers becomes another.
    fn write_late(&self) -> Result<String, String> {
        const WORD: u64 = 8;
        let mut words = 0;
        for (address, length) in self.queue.buffers(self.memory.unit, self.memory.ram) {
            for at in (address..address.saturating_add(length)).step_by(WORD as usize) {
                self.memory.write(at, &(!self.memory.read(at)?).to_le_bytes())?;
                words += 1;
            }
        }
        if words == 0 {
            Err("the device has no buffers".into())
        } else {
            Ok(format!("{words} words of its buffers are others"))
        }
    }
}
