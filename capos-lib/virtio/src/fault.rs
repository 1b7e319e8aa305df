//! What a device did that a virtio device does not do.

use core::fmt;

/// The device's fault. It is to be reset; what it says until then is worth nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceFault {
    /// The used ring names a descriptor that this driver does not use.
    UnknownId(u32),
    /// The used ring names a descriptor that does not begin a chain in flight: used twice, or never given.
    NotInFlight(u32),
    /// It claims to have written more into a chain than there was room for.
    TooLong {
        /// The chain.
        id: u16,
        /// What the device says.
        length: u32,
        /// What the device might have written.
        writable: u32,
    },
    /// The used ring's index moved by so much, with fewer chains in flight.
    Index(u16),
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceFault::UnknownId(id) => write!(f, "the device used descriptor {id}, which there is not"),
            DeviceFault::NotInFlight(id) => write!(f, "the device used chain {id}, which it does not have"),
            DeviceFault::TooLong { id, length, writable } => {
                write!(f, "the device wrote {length} bytes into the {writable} of chain {id}")
            }
            DeviceFault::Index(moved) => write!(f, "the used index jumped by {moved}"),
        }
    }
}
