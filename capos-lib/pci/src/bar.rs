//! Base address registers: where a function answers, and in how much space (PCI 3.0, 6.2.5.1).

use crate::address::Address;
use crate::config::{Config, change_command, command};
use crate::fault::Fault;
use crate::header::Header;

pub(crate) const FIRST: u16 = 0x10;
/// Registers of a function at most.
pub const BARS: usize = 6;

/// Which addresses a register decodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Space {
    /// Ports.
    Io,
    /// Memory.
    Memory {
        /// Its address has 64 bits, in two registers.
        wide: bool,
        /// Reading has no side effects.
        prefetchable: bool,
    },
}

/// One register that decodes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Which register; a 64-bit one has the next as well.
    pub index: u8,
    /// Where firmware put it; 0 is nowhere.
    pub base: u64,
    /// Bytes, a power of two.
    pub size: u64,
    /// What it decodes.
    pub space: Space,
}

impl Bar {
    /// Whether firmware gave it a place.
    pub fn is_placed(&self) -> bool {
        self.base != 0
    }

    /// Whether a piece of it is inside.
    pub fn holds(&self, offset: u64, length: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| end <= self.size)
    }

    /// Whether it decodes memory.
    pub fn is_memory(&self) -> bool {
        matches!(self.space, Space::Memory { .. })
    }

    /// Whether both have an address in common.
    pub fn overlaps(&self, other: &Bar) -> bool {
        self.is_memory() == other.is_memory()
            && self.is_placed()
            && other.is_placed()
            && self.base <= other.last()
            && other.base <= self.last()
    }

    /// The last address that it decodes. There is one: that was checked when the register was read.
    pub fn last(&self) -> u64 {
        self.base.saturating_add(self.size.saturating_sub(1))
    }
}

/// The registers of a function, each at its index.
pub type Bars = [Option<Bar>; BARS];

/// Reads and sizes all of them. Meanwhile the function decodes nothing, since it would answer at odd places.
pub fn read(config: &impl Config, at: Address, header: &Header) -> Result<Bars, Fault> {
    let mut bars = [None; BARS];
    if header.bars() == 0 {
        return Ok(bars);
    }
    let before = change_command(config, at, command::IO | command::MEMORY, 0);
    let result = read_each(config, at, header.bars(), &mut bars);
    change_command(config, at, 0, before & (command::IO | command::MEMORY));
    result.map(|()| bars)
}

fn read_each(config: &impl Config, at: Address, count: u8, bars: &mut Bars) -> Result<(), Fault> {
    let mut index = 0;
    while index < count {
        let found = read_one(config, at, index, count)?;
        let wide = found.is_some_and(|bar| matches!(bar.space, Space::Memory { wide: true, .. }));
        if let Some(bar) = found {
            if let Some(other) = bars.iter().flatten().find(|other| other.overlaps(&bar)) {
                return Err(Fault::Overlap(other.index, index));
            }
            if let Some(place) = bars.get_mut(usize::from(index)) {
                *place = found;
            }
        }
        index += if wide { 2 } else { 1 };
    }
    Ok(())
}

fn read_one(config: &impl Config, at: Address, index: u8, count: u8) -> Result<Option<Bar>, Fault> {
    let register = FIRST + 4 * u16::from(index);
    let (low, ones) = sized(config, at, register);
    let (space, flags) = match low & 0b111 {
        kind if kind & 1 != 0 => (Space::Io, 0b11),
        // Below 1 MiB is what the middle bit once meant.
        0b000 | 0b010 => (Space::Memory { wide: false, prefetchable: low & 8 != 0 }, 0b1111),
        0b100 if index + 1 < count => (Space::Memory { wide: true, prefetchable: low & 8 != 0 }, 0b1111),
        _ => return Err(Fault::NoKind(index)),
    };
    let (base, mask) = match space {
        Space::Memory { wide: true, .. } => {
            let (high, more) = sized(config, at, register + 4);
            (join(low & !flags, high), join(ones & !flags, more))
        }
        // Ports need no more than 16 bits, and some devices have no more; memory of 32 bits has no others.
        Space::Io => (u64::from(low & !flags), ports(ones & !flags)),
        Space::Memory { .. } => {
            (u64::from(low & !flags), if ones & !flags == 0 { 0 } else { join(ones & !flags, u32::MAX) })
        }
    };
    if mask == 0 {
        return Ok(None);
    }
    let size = mask.wrapping_neg();
    if !size.is_power_of_two() {
        return Err(Fault::NoSize(index));
    }
    let bar = Bar { index, base, size, space };
    let limit = match space {
        Space::Io => 1 << 16,
        Space::Memory { wide: false, .. } => 1 << 32,
        Space::Memory { wide: true, .. } => u64::MAX,
    };
    let fits = base.checked_add(size).is_some_and(|end| end <= limit);
    if base % size == 0 && fits { Ok(Some(bar)) } else { Err(Fault::Misplaced(index)) }
}

/// What a register says, and which of its bits are there to be written.
fn sized(config: &impl Config, at: Address, register: u16) -> (u32, u32) {
    let value = config.read32(at, register);
    config.write32(at, register, u32::MAX);
    let ones = config.read32(at, register);
    config.write32(at, register, value);
    (value, ones)
}

fn ports(ones: u32) -> u64 {
    match ones {
        0 => 0,
        ones => join(ones | 0xffff_0000, u32::MAX),
    }
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}
