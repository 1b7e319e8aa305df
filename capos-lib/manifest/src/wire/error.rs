//! Why a message is no manifest.

use capnp::NotInSchema;
use core::fmt;
use core::str::Utf8Error;

/// The fault of whoever made the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ManifestError {
    /// It has more bytes than any real one.
    TooLong {
        /// So many.
        bytes: usize,
    },
    /// It is no Cap'n Proto message, points outside of itself, or reads the same bytes over and over.
    Malformed(capnp::ErrorKind),
    /// A text is not UTF-8.
    NotText,
    /// An enumeration or a choice has a value that this version does not know.
    UnknownValue(u16),
    /// It has another version.
    Version(u32),
    /// It has more services than anybody could want.
    TooManyServices(u32),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestError::TooLong { bytes } => write!(out, "the manifest has {bytes} bytes, too many"),
            ManifestError::Malformed(kind) => write!(out, "the manifest is no sound message: {kind}"),
            ManifestError::NotText => out.write_str("a text in the manifest is not UTF-8"),
            ManifestError::UnknownValue(value) => {
                write!(out, "the manifest has a choice {value} that this version does not know")
            }
            ManifestError::Version(version) => {
                write!(out, "the manifest has version {version}; this system reads {}", super::VERSION)
            }
            ManifestError::TooManyServices(count) => {
                write!(out, "the manifest has {count} services, too many")
            }
        }
    }
}

impl core::error::Error for ManifestError {}

impl From<capnp::Error> for ManifestError {
    fn from(error: capnp::Error) -> Self {
        ManifestError::Malformed(error.kind)
    }
}

impl From<NotInSchema> for ManifestError {
    fn from(NotInSchema(value): NotInSchema) -> Self {
        ManifestError::UnknownValue(value)
    }
}

impl From<Utf8Error> for ManifestError {
    fn from(_: Utf8Error) -> Self {
        ManifestError::NotText
    }
}
