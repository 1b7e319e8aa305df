//! What a unit can do (11.4.2, 11.4.3).

use super::register::WINDOW;

/// Why a unit is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// Nothing answers where firmware says that it is.
    Silent,
    /// It takes no commands by queue.
    NoQueue,
    /// A device behind it could raise any interrupt.
    NoInterrupts,
    /// It has no tables of three or four levels.
    NoWidth,
}

impl Unusable {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Unusable::Silent => "it does not answer",
            Unusable::NoQueue => "it takes no commands by queue",
            Unusable::NoInterrupts => "it does not remap interrupts",
            Unusable::NoWidth => "it has no tables of 39 or 48 bits",
        }
    }
}

/// What a unit can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Highest domain number. Number 0 is the unit's own where it remembers what is absent.
    pub domains: u32,
    /// Bits of addresses.
    pub bits: u32,
    /// Tables of 3 levels.
    pub three: bool,
    /// Tables of 4 levels.
    pub four: bool,
    /// Pages of 2 MiB.
    pub large: bool,
    /// Remembers that something is absent, so that it has to be told also of what is new.
    pub caches_absent: bool,
    /// Looks into the processors' caches when it reads tables.
    pub coherent: bool,
    /// Interrupts processors with ids of 32 bits.
    pub extended_ids: bool,
    /// Where records of faults begin.
    pub fault_offset: usize,
    /// How many there are.
    pub fault_records: usize,
}

fn field(value: u64, low: u32, bits: u32) -> u32 {
    (value >> low & ((1 << bits) - 1)) as u32
}

impl Capabilities {
    /// From the two registers.
    pub fn read(capabilities: u64, extended: u64) -> Result<Capabilities, Unusable> {
        let (cap, bit) = (capabilities, |value: u64, n: u32| value >> n & 1 != 0);
        if cap == u64::MAX || cap == 0 {
            return Err(Unusable::Silent);
        }
        let found = Capabilities {
            domains: (1 << (4 + 2 * field(cap, 0, 3)).min(16)) - 1,
            bits: field(cap, 16, 6) + 1,
            three: bit(cap, 9),
            four: bit(cap, 10),
            large: bit(cap, 34),
            // A unit that wants its write buffer flushed does that before every command (6.8): to be told is what helps there, too.
            caches_absent: bit(cap, 7) || bit(cap, 4),
            coherent: bit(extended, 0),
            extended_ids: bit(extended, 4),
            fault_offset: field(cap, 24, 10) as usize * 16,
            fault_records: field(cap, 40, 8) as usize + 1,
        };
        match found {
            _ if !bit(extended, 1) => Err(Unusable::NoQueue),
            _ if !bit(extended, 3) => Err(Unusable::NoInterrupts),
            _ if !found.three && !found.four => Err(Unusable::NoWidth),
            _ => Ok(found),
        }
    }

    /// Bytes of its registers, those records included.
    pub fn window(&self) -> usize {
        (self.fault_offset + self.fault_records * 16).max(WINDOW)
    }

    /// Levels of tables for addresses of `bits` bits.
    pub fn levels(&self, bits: u32) -> u32 {
        if self.three && (bits <= 39 || !self.four) { 3 } else { 4 }
    }
}
