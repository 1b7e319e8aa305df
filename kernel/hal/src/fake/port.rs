//! I/O ports that remember what was written to them.

use super::heap;
use crate::types::{OutOfRange, PortError};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::vec::Vec;

/// Every byte written so far: port, value.
static WRITTEN: Mutex<Vec<(u16, u8)>> = Mutex::new(Vec::new());

/// How many bytes were read so far.
static READS: AtomicUsize = AtomicUsize::new(0);

/// How many bytes were read from all ports so far.
pub fn reads() -> usize {
    READS.load(SeqCst)
}

/// A range of ports.
#[derive(Debug)]
pub struct PortRange {
    base: u16,
    length: u32,
}

impl PortRange {
    /// A range, unless some of it is the kernel's own (here: 0x20 to 0x21).
    pub fn claim(base: u16, length: u32) -> Result<PortRange, PortError> {
        let end = u32::from(base) + length;
        if length == 0 || end > 0x1_0000 {
            return Err(PortError::InvalidRange);
        }
        if base <= 0x21 && end > 0x20 { Err(PortError::Reserved) } else { Ok(PortRange { base, length }) }
    }

    /// First port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// How many.
    pub fn length(&self) -> u32 {
        self.length
    }

    fn port(&self, offset: u16, width: u32) -> Result<u16, OutOfRange> {
        if u32::from(offset) + width > self.length { Err(OutOfRange) } else { Ok(self.base + offset) }
    }

    /// One byte in: what was last written there.
    pub fn read8(&self, offset: u16) -> Result<u8, OutOfRange> {
        let port = self.port(offset, 1)?;
        READS.fetch_add(1, SeqCst);
        let written = WRITTEN.lock().expect("no test panics inside");
        Ok(written.iter().rev().find(|(at, _)| *at == port).map_or(0xff, |(_, value)| *value))
    }

    /// One byte out.
    pub fn write8(&self, offset: u16, value: u8) -> Result<(), OutOfRange> {
        let port = self.port(offset, 1)?;
        heap::unfailing(|| WRITTEN.lock().expect("no test panics inside").push((port, value)));
        Ok(())
    }

    /// Two bytes in.
    pub fn read16(&self, offset: u16) -> Result<u16, OutOfRange> {
        self.port(offset, 2)?;
        Ok(u16::from_le_bytes([self.read8(offset)?, self.read8(offset + 1)?]))
    }

    /// Two bytes out.
    pub fn write16(&self, offset: u16, value: u16) -> Result<(), OutOfRange> {
        self.port(offset, 2)?;
        value.to_le_bytes().iter().zip(offset..).try_for_each(|(byte, at)| self.write8(at, *byte))
    }

    /// Four bytes in.
    pub fn read32(&self, offset: u16) -> Result<u32, OutOfRange> {
        self.port(offset, 4)?;
        Ok(u32::from(self.read16(offset)?) | u32::from(self.read16(offset + 2)?) << 16)
    }

    /// Four bytes out.
    pub fn write32(&self, offset: u16, value: u32) -> Result<(), OutOfRange> {
        self.port(offset, 4)?;
        value.to_le_bytes().iter().zip(offset..).try_for_each(|(byte, at)| self.write8(at, *byte))
    }

    /// All bytes out through one port.
    pub fn write_bytes(&self, offset: u16, bytes: &[u8]) -> Result<(), OutOfRange> {
        bytes.iter().try_for_each(|byte| self.write8(offset, *byte))
    }

    /// Bytes in through one port.
    pub fn read_bytes(&self, offset: u16, out: &mut [u8]) -> Result<(), OutOfRange> {
        out.iter_mut().try_for_each(|byte| self.read8(offset).map(|value| *byte = value))
    }
}
