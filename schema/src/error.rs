//! Why a message could not be read or written.

use core::fmt;

/// Why bytes are not a message of the struct that was asked for. The fault is the sender's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// The length is not a whole number of words.
    Ragged,
    /// The first word is not the pointer to a struct that follows at once.
    BadRoot,
    /// The struct ends behind the message.
    Truncated,
    /// A pointer is not of the kind that its field has.
    BadPointer,
    /// A text or data lies outside the message or overlaps the struct.
    OutOfBounds,
    /// A text does not end in a zero byte.
    NotTerminated,
    /// A text is not UTF-8.
    NotUtf8,
    /// An enumerant that this version of the schema does not know.
    UnknownEnumerant(u16),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ragged => f.write_str("message is not whole words"),
            Self::BadRoot => f.write_str("message does not begin with a struct"),
            Self::Truncated => f.write_str("message is cut off"),
            Self::BadPointer => f.write_str("pointer of the wrong kind"),
            Self::OutOfBounds => f.write_str("pointer out of bounds"),
            Self::NotTerminated => f.write_str("text without its end"),
            Self::NotUtf8 => f.write_str("text is not UTF-8"),
            Self::UnknownEnumerant(value) => write!(f, "unknown enumerant {value}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a message could not be written. The fault is the writer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// The buffer is too small.
    NoRoom,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom => f.write_str("message does not fit the buffer"),
        }
    }
}

impl core::error::Error for EncodeError {}
