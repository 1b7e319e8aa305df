//! A device's registers behind I/O ports.

use rt::CallError;
use rt::generated::IoPortClient;

/// The ports of one device. Each access is a call of the kernel, which answers at once; nothing waits.
pub struct Window {
    ports: IoPortClient,
}

impl Window {
    /// Over the ports that were granted.
    pub fn new(ports: IoPortClient) -> Self {
        Window { ports }
    }

    /// Reads the 8-bit register at `offset`.
    pub fn read8(&self, offset: u16) -> Result<u8, CallError> {
        self.ports.read8_blocking(offset)
    }

    /// Writes the 8-bit register at `offset`.
    pub fn write8(&self, offset: u16, value: u8) -> Result<(), CallError> {
        self.ports.write8_blocking(offset, value)
    }

    /// Writes all bytes to the register at `offset`, in order: fills a FIFO in one call.
    pub fn write_all(&self, offset: u16, bytes: &[u8]) -> Result<(), CallError> {
        self.ports.write_bytes_blocking(offset, bytes)
    }
}
