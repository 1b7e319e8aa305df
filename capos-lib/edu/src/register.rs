//! Names of the registers and their bits (QEMU, docs/specs/edu).

/// A register by its offset in BAR 0. All are read and written by four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Register {
    /// Version, and [`KIND`].
    Identification = 0x00,
    /// Reads as the complement of what was written.
    Liveness = 0x04,
    /// A number goes in, its factorial comes out.
    Factorial = 0x08,
    /// See [`status`].
    Status = 0x20,
    /// What raised the interrupt, see [`interrupt`].
    InterruptStatus = 0x24,
    /// Raises an interrupt with the bits written.
    InterruptRaise = 0x60,
    /// Clears the bits written.
    InterruptAcknowledge = 0x64,
    /// Of the transfer that the kernel has set up, see [`command`].
    DmaCommand = 0x98,
}

impl Register {
    /// Offset from the window's begin.
    pub const fn offset(self) -> u32 {
        self as u32
    }
}

/// The low half of the identification.
pub const KIND: u32 = 0x00ed;

/// Bits of the status register.
pub mod status {
    /// A factorial is being computed.
    pub const COMPUTING: u32 = 1 << 0;
    /// Interrupt when it is done.
    pub const INTERRUPT: u32 = 1 << 7;
}

/// Bits of the DMA command register.
pub mod command {
    /// The transfer is to run, or still runs.
    pub const RUN: u32 = 1 << 0;
}

/// What a bus reads as when nothing answers.
pub const NOTHING_THERE: u32 = u32::MAX;

/// Bytes of the device's buffer.
pub const BUFFER: u32 = 4096;
