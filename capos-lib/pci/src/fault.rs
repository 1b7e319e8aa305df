//! What can be wrong with a function. It is always the device's fault, or firmware's, which set it up.

use core::fmt;

/// What is wrong, and with what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A base address register whose writable bits are no size.
    NoSize(u8),
    /// A base address register of a reserved kind, or a 64-bit one without an upper half.
    NoKind(u8),
    /// A base address register that is not aligned to its size, or reaches beyond the last address.
    Misplaced(u8),
    /// Two base address registers of one function that overlap.
    Overlap(u8, u8),
    /// A base address register that overlaps what belongs to others.
    Taken(u8),
    /// A base address register for which there is no room where its bus is, of what was plugged in.
    NoRoom(u8),
    /// What was plugged in does not answer where it was told to.
    Deaf,
    /// It decodes places that base address registers do not tell (enhanced allocation; PCI Express 5.0, 7.8.5).
    Elsewhere,
    /// A capability that reaches beyond configuration space.
    Truncated(u8),
    /// The table of messages or the array of those pending is not inside of a base address register, or they overlap.
    Messages,
    /// A register block of a virtio device is not inside of a base address register.
    Virtio,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoSize(bar) => write!(f, "the device's BAR {bar} has no size"),
            Fault::NoKind(bar) => write!(f, "the device's BAR {bar} is of no kind"),
            Fault::Misplaced(bar) => write!(f, "firmware put BAR {bar} where it cannot be"),
            Fault::Overlap(one, other) => write!(f, "firmware had BARs {one} and {other} overlap"),
            Fault::Taken(bar) => write!(f, "firmware put BAR {bar} where something else is"),
            Fault::NoRoom(bar) => write!(f, "there is no room behind its bridge for BAR {bar}"),
            Fault::Deaf => f.write_str("the device does not answer where it was told to"),
            Fault::Elsewhere => f.write_str("the device answers where its BARs do not say"),
            Fault::Truncated(id) => {
                write!(f, "the device's capability {id:#04x} reaches beyond configuration space")
            }
            Fault::Messages => f.write_str("the device's MSI-X tables are not inside of its BARs"),
            Fault::Virtio => f.write_str("the device's virtio registers are not inside of its BARs"),
        }
    }
}

impl core::error::Error for Fault {}
