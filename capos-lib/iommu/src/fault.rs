//! What a unit kept a device from doing.

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

impl Access {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Interrupt => "interrupt",
        }
    }
}

impl Reason {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Unattached => "unattached",
            Reason::Denied => "denied",
            Reason::OutOfRange => "out-of-range",
            Reason::Interrupt => "interrupt",
            Reason::Tables => "tables",
            Reason::Other(_) => "other",
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
