//! Access to configuration space.

use crate::address::Address;

/// Configuration space. What is not there reads as all ones and is written in vain.
///
/// Registers are aligned to their width. A function without extended space (from 0x100 on) has nothing there.
pub trait Config {
    /// Reads 32 bits.
    fn read32(&self, at: Address, register: u16) -> u32;
    /// Writes 32 bits.
    fn write32(&self, at: Address, register: u16, value: u32);
    /// Writes 16 bits: next to COMMAND and other control registers lie status bits that are cleared by writing ones.
    fn write16(&self, at: Address, register: u16, value: u16);
    /// Writes 8 bits.
    fn write8(&self, at: Address, register: u16, value: u8);

    /// Reads 16 bits.
    fn read16(&self, at: Address, register: u16) -> u16 {
        (self.read32(at, register & !3) >> (8 * u32::from(register & 2))) as u16
    }

    /// Reads 8 bits.
    fn read8(&self, at: Address, register: u16) -> u8 {
        (self.read32(at, register & !3) >> (8 * u32::from(register & 3))) as u8
    }

    /// Reads 1, 2 or 4 bytes. `None` for what no register is.
    fn read(&self, at: Address, register: u16, bytes: u64) -> Option<u32> {
        match bytes {
            _ if !is_register(register, bytes) => None,
            1 => Some(u32::from(self.read8(at, register))),
            2 => Some(u32::from(self.read16(at, register))),
            4 => Some(self.read32(at, register)),
            _ => None,
        }
    }

    /// Writes 1, 2 or 4 bytes. `None` for what no register is.
    fn write(&self, at: Address, register: u16, bytes: u64, value: u32) -> Option<()> {
        match bytes {
            _ if !is_register(register, bytes) => return None,
            1 => self.write8(at, register, value as u8),
            2 => self.write16(at, register, value as u16),
            4 => self.write32(at, register, value),
            _ => return None,
        }
        Some(())
    }
}

/// Bytes of a function's configuration space, of which conventional PCI has the first 256.
const SPACE: u16 = 0x1000;

fn is_register(register: u16, bytes: u64) -> bool {
    register < SPACE && bytes != 0 && u64::from(register).is_multiple_of(bytes)
}

/// What it controls (PCI 3.0, 6.2.2).
pub const COMMAND: u16 = 0x04;

/// Bits of COMMAND.
pub mod command {
    /// The function answers in port space.
    pub const IO: u16 = 1;
    /// The function answers in memory space.
    pub const MEMORY: u16 = 1 << 1;
    /// The function may begin transfers of its own: DMA and messages.
    pub const BUS_MASTER: u16 = 1 << 2;
    /// The function does not signal by its interrupt line.
    pub const NO_LINE: u16 = 1 << 10;
}

/// Changes bits of COMMAND: those of `clear` go, those of `set` come. Gives what it was.
///
/// Only bytes that change are written: whether a function may signal by its line is changed in interrupts, and must not bring back bus mastering
/// that another processor takes away at the same time.
pub fn change_command(config: &impl Config, at: Address, clear: u16, set: u16) -> u16 {
    let old = config.read16(at, COMMAND);
    let new = old & !clear | set;
    for ((register, old), new) in (COMMAND..).zip(old.to_le_bytes()).zip(new.to_le_bytes()) {
        if new != old {
            config.write8(at, register, new);
        }
    }
    old
}
