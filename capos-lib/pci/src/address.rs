//! Where a function is.

use core::fmt;

/// Functions of a device.
pub(crate) const FUNCTIONS: u32 = 8;
/// Devices of a bus.
pub(crate) const DEVICES: u32 = 32;

/// bus << 8 | device << 3 | function, of segment 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(u32);

impl Address {
    /// `None` beyond the last bus.
    pub const fn new(number: u32) -> Option<Self> {
        if number <= 0xffff { Some(Address(number)) } else { None }
    }

    /// Function 0 of a device; of the number the low five bits count.
    pub const fn device_of(bus: u8, device: u32) -> Self {
        Address((bus as u32) << 8 | (device % DEVICES) << 3)
    }

    /// Another function of the same device; of the number the low three bits count.
    pub const fn sibling(self, function: u32) -> Self {
        Address(self.0 & !(FUNCTIONS - 1) | (function % FUNCTIONS))
    }

    /// As a number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// As the id that its requests carry.
    pub const fn requester(self) -> u16 {
        self.0 as u16
    }

    /// The bus.
    pub const fn bus(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The device on the bus, below 32.
    pub const fn device(self) -> u8 {
        (self.0 >> 3) as u8 & 0x1f
    }

    /// The function of the device, below 8.
    pub const fn function(self) -> u8 {
        self.0 as u8 & 7
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus(), self.device(), self.function())
    }
}
