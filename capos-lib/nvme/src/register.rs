//! Registers of a controller (3.1) that a driver has to do with.

/// One register, by its place in the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register {
    /// Bytes from the begin.
    pub offset: u32,
    /// Bytes.
    pub width: u8,
}

/// CAP: capabilities (3.1.1).
pub const CAPABILITIES: Register = Register { offset: 0x00, width: 8 };
/// CC: configuration (3.1.5). The kernel writes all of it but the bit below.
pub const CONFIGURATION: Register = Register { offset: 0x14, width: 4 };
/// CSTS: status (3.1.6).
pub const STATUS: Register = Register { offset: 0x1c, width: 4 };

/// CC.EN: the controller is to work.
pub const ENABLE: u64 = 1;

/// CSTS.RDY: it works.
pub const READY: u64 = 1 << 0;
/// CSTS.CFS: it broke down.
pub const FATAL: u64 = 1 << 1;

/// What a register of four bytes reads as where nothing is.
pub const NOTHING: u64 = 0xffff_ffff;

/// What the controller can do, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// Entries that a queue may have (MQES, which counts from zero).
    pub const fn entries(self) -> u32 {
        (self.0 & 0xffff) as u32 + 1
    }

    /// The longest time from enabled to ready, nanoseconds (TO, in units of 500 ms).
    pub const fn ready_within(self) -> u64 {
        let units = self.0 >> 24 & 0xff;
        if units == 0 { 500_000_000 } else { units * 500_000_000 }
    }

    /// Whether it has the NVM command set (CSS, bit 0).
    pub const fn has_nvm(self) -> bool {
        self.0 >> 37 & 1 != 0
    }

    /// Binary logarithm of its smallest page, less that of 4096 (MPSMIN).
    pub const fn page_shift(self) -> u8 {
        (self.0 >> 48 & 15) as u8
    }
}
