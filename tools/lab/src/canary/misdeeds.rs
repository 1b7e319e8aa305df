//! What broken devices do, done by the lab in the place of a virtio device: while the machine stands still, to the queue of which the device has just
//! used all that it was given. So it writes nothing there itself, until its driver gives it something again.

use std::collections::BTreeSet;

use super::Monitor;
use super::devices::{Queue, Unit, queues};
use super::ram::Ram;
use crate::case::Misdeed;

/// More than any buffer has.
const TOO_LONG: u32 = 1 << 20;

/// What was done, if the device is through with what it had; and, of what it had been told, where that is.
pub fn commit(
    misdeed: Misdeed,
    monitor: &mut dyn Monitor,
    ram: &Ram,
) -> Result<Option<(String, Vec<u64>)>, String> {
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
        Misdeed::Gone => return Err("it is not gone: a queue is in use".into()),
    };
    let buffers = queue.buffers(&unit, ram).into_iter().map(|(address, _)| address);
    let told = [queue.used, queue.available].into_iter().chain(buffers).collect();
    Ok(Some((format!("device: {done}, after {used} completions\n"), told)))
}

/// What the device was told once leads nowhere any more, whoever says it.
pub fn gone(told: &[u64], monitor: &mut dyn Monitor, ram: &Ram) -> Result<String, String> {
    if !queues(monitor)?.is_empty() {
        return Err("a queue is in use".into());
    }
    let unit = Unit::find(monitor)?;
    let mut nowhere = 0;
    for address in told {
        match unit.leads(ram, *address) {
            Some(true) => return Err(format!("{address:#x} still leads to memory")),
            Some(false) => nowhere += 1,
            None => {}
        }
    }
    Ok(format!("device: {nowhere} of {} addresses lead nowhere\n", told.len()))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::devices::tests::intel;
    use super::*;

    /// A machine with Intel's unit, whose root table is at 0x1000, and without a queue.
    struct Fake;

    impl Monitor for Fake {
        fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
            match (command, arguments["command-line"].as_str()) {
                ("x-query-virtio", _) => Ok(json!([])),
                ("human-monitor-command", Some("info qtree")) => Ok(json!("dev: intel-iommu\n")),
                ("human-monitor-command", Some(_)) => Ok(json!("fed90020: 0x0000000000001000\n")),
                _ => Err(command.into()),
            }
        }
    }

    #[test]
    fn what_a_device_that_is_gone_still_reaches_is_seen() {
        let ram = intel("gone");
        let nowhere = gone(&[0x40_0000_2000, 0x8000], &mut Fake, &ram);
        assert_eq!(nowhere.as_deref(), Ok("device: 2 of 2 addresses lead nowhere\n"));
        let still = gone(&[0x8000, 0x40_0000_1008], &mut Fake, &ram);
        assert!(still.unwrap_err().contains("0x4000001008 still leads"));
    }
}
