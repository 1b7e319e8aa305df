//! Why something was not done, and whose fault that is.

use capos_abi::ExceptionCode;
use core::fmt;

/// What is wrong with a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameFault {
    /// It has no bytes.
    Empty,
    /// It has more than 255.
    Long,
    /// It is `.` or `..`.
    Dots,
    /// It has a `/` or a NUL.
    Byte,
    /// It is not UTF-8.
    Encoding,
}

/// What a volume could not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VolumeError {
    /// There is no room left.
    Full,
    /// What the disk gave back is not what was written, or it gave nothing back.
    Media,
    /// The disk cannot be written.
    ReadOnly,
    /// The disk is gone, or failed.
    Gone,
}

/// Why an operation did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The name is none.
    Name(NameFault),
    /// There is no such name or object.
    NotFound,
    /// The name is taken.
    Exists,
    /// The object is of another kind than the operation is for.
    Kind,
    /// The directory has entries.
    NotEmpty,
    /// A directory would be below itself.
    Cycle,
    /// It belongs to another domain, and cannot go there.
    Domain,
    /// An offset or length that no file can have.
    Range,
    /// The object cannot be changed.
    ReadOnly,
    /// The quota of the domain is used up.
    Quota,
    /// A record on the disk makes no sense, though its checksum is right.
    Corrupt,
    /// The volume has a format that is not known here.
    Version,
    /// What the volume said.
    Volume(VolumeError),
}

impl Error {
    /// How a service tells it to its client.
    pub const fn exception(self) -> ExceptionCode {
        match self {
            Error::Name(_) | Error::Cycle | Error::Domain | Error::Range => ExceptionCode::InvalidArgument,
            Error::NotFound => ExceptionCode::NotFound,
            Error::Exists => ExceptionCode::Exists,
            Error::Kind | Error::NotEmpty => ExceptionCode::WrongState,
            Error::ReadOnly | Error::Volume(VolumeError::ReadOnly) => ExceptionCode::Denied,
            Error::Quota => ExceptionCode::BudgetExhausted,
            Error::Corrupt => ExceptionCode::Malformed,
            Error::Version => ExceptionCode::Unsupported,
            Error::Volume(VolumeError::Full) => ExceptionCode::OutOfMemory,
            Error::Volume(VolumeError::Media) => ExceptionCode::DeviceFault,
            Error::Volume(VolumeError::Gone) => ExceptionCode::Disconnected,
        }
    }
}

impl From<VolumeError> for Error {
    fn from(error: VolumeError) -> Error {
        Error::Volume(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Name(NameFault::Empty) => "a name has one byte at least",
            Error::Name(NameFault::Long) => "a name has 255 bytes at most",
            Error::Name(NameFault::Dots) => "`.` and `..` are no names",
            Error::Name(NameFault::Byte) => "a name has no `/` and no NUL",
            Error::Name(NameFault::Encoding) => "a name is UTF-8",
            Error::NotFound => "there is no such name",
            Error::Exists => "the name is taken",
            Error::Kind => "it is something of another kind",
            Error::NotEmpty => "it is not empty",
            Error::Cycle => "a directory cannot be below itself",
            Error::Domain => "it belongs to another domain",
            Error::Range => "no file is that long",
            Error::ReadOnly | Error::Volume(VolumeError::ReadOnly) => "it is read-only",
            Error::Quota => "the quota is used up",
            Error::Corrupt => "a record makes no sense",
            Error::Version => "the format is not known here",
            Error::Volume(VolumeError::Full) => "the disk is full",
            Error::Volume(VolumeError::Media) => "the disk did not give back what was written",
            Error::Volume(VolumeError::Gone) => "the disk is gone",
        })
    }
}

impl core::error::Error for Error {}
