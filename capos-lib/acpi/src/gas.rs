//! Generic address structures (5.2.3.2): how tables name registers.

use crate::bytes::{u8_at, u64_at};

/// Where a register lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressSpace {
    /// Physical memory.
    Memory,
    /// I/O ports.
    Io,
    /// Some other space, by its number.
    Other(u8),
}

/// A register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GenericAddress {
    /// Where it lies.
    pub space: AddressSpace,
    /// Its width in bits.
    pub bit_width: u8,
    /// Its address in that space; never 0.
    pub address: u64,
}

impl GenericAddress {
    /// Bytes of one in a table.
    pub(crate) const LEN: usize = 12;

    /// Reads one at `at`. A register at address 0 does not exist.
    pub(crate) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let bytes = bytes.get(at..at.checked_add(Self::LEN)?)?;
        let space = match u8_at(bytes, 0)? {
            0 => AddressSpace::Memory,
            1 => AddressSpace::Io,
            other => AddressSpace::Other(other),
        };
        let address = u64_at(bytes, 4)?;
        (address != 0).then_some(GenericAddress { space, bit_width: u8_at(bytes, 1)?, address })
    }

    /// A block of I/O ports as older tables name it.
    pub(crate) fn ports(base: u32, bit_width: u8) -> Option<Self> {
        let address = u64::from(base);
        (base != 0).then_some(GenericAddress { space: AddressSpace::Io, bit_width, address })
    }

    /// Its I/O port, if it is one.
    pub fn port(&self) -> Option<u16> {
        (self.space == AddressSpace::Io).then_some(self.address).and_then(|port| u16::try_from(port).ok())
    }
}
