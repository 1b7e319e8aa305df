//! Names of the registers and their bits.

/// A register by its offset from the device's first port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Register {
    /// Receive and transmit buffer; low divisor byte while the divisor latch is open.
    Data = 0,
    /// Which causes interrupt; high divisor byte while the divisor latch is open.
    InterruptEnable = 1,
    /// FIFO control (write only).
    FifoControl = 2,
    /// Word length, parity, stop bits, divisor latch.
    LineControl = 3,
    /// DTR, RTS, and the gate of the interrupt line.
    ModemControl = 4,
    /// See [`lsr`].
    LineStatus = 5,
    /// Keeps what is written.
    Scratch = 7,
}

impl Register {
    /// Offset from the device's first port.
    pub const fn offset(self) -> u16 {
        self as u16
    }
}

/// Bits of the interrupt enable register.
pub mod ier {
    /// Received bytes, and receive timeout.
    pub const RECEIVED: u8 = 1 << 0;
    /// The transmitter takes bytes.
    pub const TRANSMIT_EMPTY: u8 = 1 << 1;
}

/// Bits of the line status register.
pub mod lsr {
    /// A byte is there.
    pub const DATA_READY: u8 = 1 << 0;
    /// A byte was lost.
    pub const OVERRUN: u8 = 1 << 1;
    /// Parity error, framing error or break: the byte is not what was sent.
    pub const DAMAGED: u8 = 0b1_1100;
    /// The transmit FIFO is empty.
    pub const TRANSMIT_EMPTY: u8 = 1 << 5;
    /// What a bus reads as when nothing answers.
    pub const NOTHING_THERE: u8 = 0xff;
}
