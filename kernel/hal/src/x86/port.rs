//! I/O ports for drivers: claimed ranges, none of them the kernel's own.

use super::{acpi, pci};
use crate::pure::ports::{is_reserved, overlap, range};
use crate::types::{OutOfRange, PortError};
use x86_64::instructions::port::Port;
use x86_64::structures::port::{PortRead, PortWrite};

/// A range of ports.
#[derive(Debug)]
pub struct PortRange {
    base: u16,
    length: u32,
}

impl PortRange {
    /// A range, unless some of it is the kernel's own.
    pub fn claim(base: u16, length: u32) -> Result<PortRange, PortError> {
        let ports = range(base, length).ok_or(PortError::InvalidRange)?;
        if is_reserved(ports) || acpi::ports().iter().any(|own| overlap(*own, ports)) {
            return Err(PortError::Reserved);
        }
        // Those of PCI are the ledger's: some tell a device where to write.
        if pci::decodes(ports.0, ports.1) {
            return Err(PortError::Reserved);
        }
        Ok(PortRange { base, length })
    }

    /// First port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// How many.
    pub fn length(&self) -> u32 {
        self.length
    }

    #[inline]
    fn read<T: PortRead>(&self, offset: u16) -> Result<T, OutOfRange> {
        let port = self.port(offset, size_of::<T>())?;
        // SAFETY: the port was claimed, and no port that is not reserved gives power over memory.
        Ok(unsafe { Port::new(port).read() })
    }

    #[inline]
    fn write<T: PortWrite>(&self, offset: u16, value: T) -> Result<(), OutOfRange> {
        let port = self.port(offset, size_of::<T>())?;
        // SAFETY: as for reading.
        unsafe { Port::new(port).write(value) };
        Ok(())
    }

    #[inline]
    fn port(&self, offset: u16, width: usize) -> Result<u16, OutOfRange> {
        let end = u32::from(offset) + width as u32;
        if end > self.length { Err(OutOfRange) } else { self.base.checked_add(offset).ok_or(OutOfRange) }
    }

    /// One byte in.
    pub fn read8(&self, offset: u16) -> Result<u8, OutOfRange> {
        self.read(offset)
    }

    /// One byte out.
    pub fn write8(&self, offset: u16, value: u8) -> Result<(), OutOfRange> {
        self.write(offset, value)
    }

    /// Two bytes in.
    pub fn read16(&self, offset: u16) -> Result<u16, OutOfRange> {
        self.read(offset)
    }

    /// Two bytes out.
    pub fn write16(&self, offset: u16, value: u16) -> Result<(), OutOfRange> {
        self.write(offset, value)
    }

    /// Four bytes in.
    pub fn read32(&self, offset: u16) -> Result<u32, OutOfRange> {
        self.read(offset)
    }

    /// Four bytes out.
    pub fn write32(&self, offset: u16, value: u32) -> Result<(), OutOfRange> {
        self.write(offset, value)
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
