//! What can be wrong with firmware's tables. It is always the firmware's fault.

use core::fmt;

/// The four characters that name a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature(pub [u8; 4]);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
        self.0.iter().map(printable).try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

/// What is wrong, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcpiError {
    /// There is no root pointer where there should be one.
    NoRootPointer,
    /// A table lies where there is no memory, or reaches beyond it.
    Unreadable(Signature),
    /// A table has another name than the one it was found by.
    WrongTable {
        /// What it should be.
        expected: Signature,
        /// What it says.
        found: Signature,
    },
    /// The bytes of a table do not add up to zero.
    BadChecksum(Signature),
    /// A table says it is shorter than it can be, or longer than any is.
    BadLength {
        /// The table.
        table: Signature,
        /// What it says.
        length: u32,
    },
    /// An entry of a table does not fit into it.
    BadEntry {
        /// The table.
        table: Signature,
        /// Where the entry begins, bytes from the table's start.
        offset: usize,
    },
}

impl fmt::Display for AcpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRootPointer => f.write_str("firmware's ACPI root pointer is not one"),
            Self::Unreadable(table) => write!(f, "firmware's ACPI table {table} lies outside of memory"),
            Self::WrongTable { expected, found } => {
                write!(f, "firmware's ACPI table {expected} calls itself {found}")
            }
            Self::BadChecksum(table) => write!(f, "firmware's ACPI table {table} has a wrong checksum"),
            Self::BadLength { table, length } => {
                write!(f, "firmware's ACPI table {table} cannot be {length} bytes long")
            }
            Self::BadEntry { table, offset } => {
                write!(f, "firmware's ACPI table {table} has a broken entry at byte {offset}")
            }
        }
    }
}

impl core::error::Error for AcpiError {}
