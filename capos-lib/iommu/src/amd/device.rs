//! The device table: what a function may reach, memory and interrupts (2.2.2.1, table 7).

use crate::Tables;

const VALID: u64 = 1 << 0;
const TRANSLATED: u64 = 1 << 1;
const LEVELS: u32 = 9;
const READ: u64 = 1 << 61;
const WRITE: u64 = 1 << 62;
/// Of the third word: what it says of interrupts counts. Alone, it refuses all.
const INTERRUPTS_VALID: u64 = 1 << 0;
/// Length of the table of interrupts as an exponent, for 256.
const INTERRUPTS_LENGTH: u64 = 8 << 1;
/// Interrupts have entries.
const INTERRUPTS_REMAPPED: u64 = 0b10 << 60;

/// The entry of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceEntry {
    memory: [u64; 2],
    interrupts: u64,
}

impl DeviceEntry {
    /// Bytes of one.
    pub const LENGTH: u64 = 32;

    /// Nothing at all. The entry is valid and says so: one that is not lets everything pass. Three levels of which the first allows nothing, as
    /// no levels would mean no translation.
    pub const BLOCKED: DeviceEntry =
        DeviceEntry { memory: [VALID | TRANSLATED | 3 << LEVELS, 0], interrupts: INTERRUPTS_VALID };

    /// What `tables` map, as domain `domain`.
    pub fn with_memory(self, tables: &Tables, domain: u16) -> DeviceEntry {
        let levels = u64::from(tables.levels()) << LEVELS;
        let low = VALID | TRANSLATED | levels | tables.root() | READ | WRITE;
        DeviceEntry { memory: [low, u64::from(domain)], ..self }
    }

    /// No memory.
    pub fn without_memory(self) -> DeviceEntry {
        DeviceEntry { memory: DeviceEntry::BLOCKED.memory, ..self }
    }

    /// Those interrupts that the table at `entries` has.
    pub fn with_interrupts(self, entries: u64) -> DeviceEntry {
        let interrupts = INTERRUPTS_VALID | INTERRUPTS_LENGTH | INTERRUPTS_REMAPPED | entries;
        DeviceEntry { interrupts, ..self }
    }

    /// Whether it reaches memory.
    pub fn reaches_memory(self) -> bool {
        self.memory != DeviceEntry::BLOCKED.memory
    }

    /// Where its table of interrupts is, if it has one.
    pub fn interrupts(self) -> Option<u64> {
        let remapped = self.interrupts & INTERRUPTS_REMAPPED != 0;
        remapped.then_some(self.interrupts & 0x000f_ffff_ffff_f000)
    }

    /// As the table has it.
    pub fn words(self) -> [u64; 4] {
        let [low, high] = self.memory;
        [low, high, self.interrupts, 0]
    }

    /// What [`DeviceEntry::words`] made.
    pub fn from_words(words: [u64; 4]) -> DeviceEntry {
        let [low, high, interrupts, _] = words;
        DeviceEntry { memory: [low, high], interrupts }
    }
}
