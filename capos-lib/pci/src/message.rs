//! Interrupts as messages: MSI (PCI 3.0, 6.8.1) and MSI-X (6.8.2).

use crate::address::Address;
use crate::bar::{Bar, Bars};
use crate::capability::Capability;
use crate::config::Config;
use crate::fault::Fault;

const CONTROL: u16 = 2;

/// Messages whose address and data are in configuration space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Msi {
    /// Where its registers begin.
    pub register: u16,
    /// Messages that the device can tell apart: a power of two up to 32.
    pub vectors: u8,
    /// Whether the address may have 64 bits.
    pub wide: bool,
    /// Whether each message can be masked.
    pub maskable: bool,
}

impl Msi {
    const ENABLE: u16 = 1;
    const COUNT: u16 = 0b111 << 4;
    const WIDE: u16 = 1 << 7;
    const MASKABLE: u16 = 1 << 8;

    /// Reads it; a number of messages beyond 32 is reserved and means one.
    pub fn read(config: &impl Config, at: Address, found: Capability) -> Result<Self, Fault> {
        let control = config.read16(at, found.register + CONTROL);
        let (wide, maskable) = (control & Self::WIDE != 0, control & Self::MASKABLE != 0);
        let length = if wide { 14 } else { 10 };
        // The mask and what is pending lie behind the data, aligned.
        if !found.fits(if maskable { length + 10 } else { length }) {
            return Err(Fault::Truncated(found.id));
        }
        let log = control >> 1 & 7;
        let vectors = if log <= 5 { 1 << log } else { 1 };
        Ok(Msi { register: found.register, vectors, wide, maskable })
    }

    /// Has the device send `data` to `address`, one message. `false` if the device cannot have that address. Only while it is off.
    pub fn set(&self, config: &impl Config, at: Address, address: u64, data: u16) -> bool {
        let (low, high) = (address as u32, (address >> 32) as u32);
        if high != 0 && !self.wide {
            return false;
        }
        config.write32(at, self.register + 4, low);
        if self.wide {
            config.write32(at, self.register + 8, high);
        }
        config.write16(at, self.register + if self.wide { 12 } else { 8 }, data);
        if self.maskable {
            config.write32(at, self.mask(), 0);
        }
        true
    }

    /// Where the device sends its first message to, and what.
    pub fn content(&self, config: &impl Config, at: Address) -> (u64, u16) {
        let low = u64::from(config.read32(at, self.register + 4));
        let high = if self.wide { u64::from(config.read32(at, self.register + 8)) } else { 0 };
        (high << 32 | low, config.read16(at, self.register + if self.wide { 12 } else { 8 }))
    }

    /// Masks or unmasks the first message. `false` if the device cannot.
    pub fn set_masked(&self, config: &impl Config, at: Address, masked: bool) -> bool {
        if self.maskable {
            config.write32(at, self.mask(), u32::from(masked));
        }
        self.maskable
    }

    /// Has the device signal by messages, by one of them, or not.
    pub fn enable(&self, config: &impl Config, at: Address, on: bool) {
        let control = config.read16(at, self.register + CONTROL) & !(Self::ENABLE | Self::COUNT);
        config.write16(at, self.register + CONTROL, control | u16::from(on));
    }

    /// Whether it does.
    pub fn is_enabled(&self, config: &impl Config, at: Address) -> bool {
        config.read16(at, self.register + CONTROL) & Self::ENABLE != 0
    }

    /// Whether it would send its first message: it is on, and not masked.
    pub fn sends(&self, config: &impl Config, at: Address) -> bool {
        let masked = self.maskable && config.read32(at, self.mask()) & 1 != 0;
        self.is_enabled(config, at) && !masked
    }

    fn mask(&self) -> u16 {
        self.register + if self.wide { 16 } else { 12 }
    }
}

/// Messages whose addresses and data are in a table in the device's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MsiX {
    /// Where its registers begin.
    pub register: u16,
    /// Messages: 1 to 2048.
    pub vectors: u16,
    /// Base address register and offset of the table.
    pub table: (u8, u64),
    /// Base address register and offset of the bits that say which are pending.
    pub pending: (u8, u64),
}

impl MsiX {
    /// Bytes of a table's entry: address, data, and a word whose bit 0 masks it.
    pub const ENTRY: u64 = 16;
    const ENABLE: u16 = 1 << 15;
    const MASK_ALL: u16 = 1 << 14;
    const COUNT: u16 = 0x7ff;

    /// Reads it; table and pending bits must each be inside of one of `bars`, and not the same bytes.
    pub fn read(config: &impl Config, at: Address, found: Capability, bars: &Bars) -> Result<Self, Fault> {
        if !found.fits(12) {
            return Err(Fault::Truncated(found.id));
        }
        let vectors = (config.read16(at, found.register + CONTROL) & Self::COUNT) + 1;
        let place = |register| {
            let word: u32 = config.read32(at, found.register + register);
            ((word & 7) as u8, u64::from(word & !7))
        };
        let msix = MsiX { register: found.register, vectors, table: place(4), pending: place(8) };
        let inside = |(bar, offset): (u8, u64), length| {
            let bar = bars.get(usize::from(bar)).copied().flatten();
            bar.is_some_and(|bar: Bar| bar.is_memory() && bar.holds(offset, length))
        };
        let (table, pending) = (msix.table_bytes(), msix.pending_bytes());
        let apart = msix.table.0 != msix.pending.0
            || msix.table.1 + table <= msix.pending.1
            || msix.pending.1 + pending <= msix.table.1;
        if apart && inside(msix.table, table) && inside(msix.pending, pending) {
            Ok(msix)
        } else {
            Err(Fault::Messages)
        }
    }

    /// Bytes of the table.
    pub fn table_bytes(&self) -> u64 {
        Self::ENTRY * u64::from(self.vectors)
    }

    /// Bytes of the pending bits, which are words of 64.
    pub fn pending_bytes(&self) -> u64 {
        u64::from(self.vectors).div_ceil(64) * 8
    }

    /// Where a message's entry is in the table.
    pub fn entry(&self, vector: u16) -> Option<u64> {
        (vector < self.vectors).then(|| Self::ENTRY * u64::from(vector))
    }

    /// Has the device signal by these messages, or not; and masks all of them together, or leaves it to their entries.
    pub fn enable(&self, config: &impl Config, at: Address, on: bool, mask_all: bool) {
        let control = config.read16(at, self.register + CONTROL) & !(Self::ENABLE | Self::MASK_ALL);
        let enable = if on { Self::ENABLE } else { 0 };
        let mask = if mask_all { Self::MASK_ALL } else { 0 };
        config.write16(at, self.register + CONTROL, control | enable | mask);
    }

    /// Whether it signals by these messages.
    pub fn is_enabled(&self, config: &impl Config, at: Address) -> bool {
        config.read16(at, self.register + CONTROL) & Self::ENABLE != 0
    }
}
