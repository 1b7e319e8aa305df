//! What a unit kept a device from doing.

use core::fmt;

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// To read memory.
    Read,
    /// To write memory.
    Write,
    /// To raise an interrupt.
    Interrupt,
}

/// Why it was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The function may reach no memory at all.
    Unattached,
    /// Nothing is mapped there, or not for that.
    Denied,
    /// The address is longer than any that is mapped.
    OutOfRange,
    /// The interrupt is nobody's, or another function's.
    Interrupt,
    /// The unit does not like its tables: the kernel's mistake, or the unit's.
    Tables,
    /// Something else, by the unit's own number.
    Other(u8),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unattached => f.write_str("unattached"),
            Reason::Denied => f.write_str("denied"),
            Reason::OutOfRange => f.write_str("out-of-range"),
            Reason::Interrupt => f.write_str("interrupt"),
            Reason::Tables => f.write_str("tables"),
            Reason::Other(code) => write!(f, "code-{code}"),
        }
    }
}

/// What a unit kept a device from doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Who: bus << 8 | device << 3 | function, as the unit saw it.
    pub source: u16,
    /// What was tried.
    pub access: Access,
    /// Where: an address as the device gave it; of an interrupt its number.
    pub address: u64,
    /// Why it was refused.
    pub reason: Reason,
}
