//! What a device did that such an adapter does not do.

use core::fmt;

/// The device's fault. It is to be reset; what it says until then is worth nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// The bus reads as all ones: there is no device, or not any more.
    Gone,
    /// Its address is a group's or nobody's, or it says that it has none.
    Address([u8; 6]),
    /// It wrote that many bytes into a buffer: none, or more than there is room for.
    Length(u16),
    /// It wrote a frame into several buffers, though it was not asked for such long ones.
    Parts,
    /// It does not send what it has, though there is a link.
    Silent,
    /// It could not be brought up: what was asked of it did not end.
    NotReady,
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceFault::Gone => f.write_str("no device answers"),
            DeviceFault::Address(address) => write!(f, "the device's address is {address:02x?}"),
            DeviceFault::Length(length) => write!(f, "the device wrote {length} bytes into a buffer"),
            DeviceFault::Parts => f.write_str("the device wrote a frame into several buffers"),
            DeviceFault::Silent => f.write_str("the device does not send what it has"),
            DeviceFault::NotReady => f.write_str("the device does not get ready"),
        }
    }
}
