//! Why something was not done, and whose fault that is.

use capos_abi::ExceptionCode;
use capos_store::{DiskError, StoreError};
use core::fmt;

/// What is wrong with a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameFault {
    /// It has no bytes.
    Empty,
    /// It has more than 255, or that of a snapshot more than 246.
    Long,
    /// It is `.` or `..`.
    Dots,
    /// It has a `/` or a NUL.
    Byte,
    /// It is not UTF-8.
    Encoding,
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
    /// What was done since the caller looked last was lost, as a commit failed.
    Lost,
    /// What the volume said.
    Volume(StoreError),
}

impl Error {
    /// How a service tells it to its client.
    pub const fn exception(self) -> ExceptionCode {
        match self {
            Error::Name(_) | Error::Cycle | Error::Domain | Error::Range => ExceptionCode::InvalidArgument,
            Error::NotFound => ExceptionCode::NotFound,
            Error::Exists => ExceptionCode::Exists,
            Error::Kind | Error::NotEmpty => ExceptionCode::WrongState,
            Error::ReadOnly => ExceptionCode::Denied,
            Error::Quota => ExceptionCode::BudgetExhausted,
            Error::Corrupt => ExceptionCode::Malformed,
            Error::Version => ExceptionCode::Unsupported,
            Error::Lost => ExceptionCode::DeviceFault,
            Error::Volume(error) => of_volume(error),
        }
    }
}

const fn of_volume(error: StoreError) -> ExceptionCode {
    match error {
        StoreError::Full | StoreError::Disk { error: DiskError::Full, .. } => ExceptionCode::OutOfMemory,
        StoreError::Disk { error: DiskError::ReadOnly, .. } => ExceptionCode::Denied,
        StoreError::Disk { error: DiskError::Gone, .. } => ExceptionCode::Disconnected,
        StoreError::Disk { .. } | StoreError::Corrupt { .. } | StoreError::Doubtful => {
            ExceptionCode::DeviceFault
        }
        StoreError::NoVolume(_) | StoreError::Cut { .. } => ExceptionCode::Malformed,
        StoreError::NoSnapshot => ExceptionCode::NotFound,
        StoreError::TooManySnapshots => ExceptionCode::BudgetExhausted,
        StoreError::Size | StoreError::Argument | StoreError::TooMuch | StoreError::Busy => {
            ExceptionCode::Failed
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        match error {
            // Keys and places for values are as long as they can be: the record is longer.
            StoreError::Argument => Error::Corrupt,
            _ => Error::Volume(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Name(fault) => return fault.fmt(f),
            Error::Volume(error) => return error.fmt(f),
            Error::NotFound => "there is no such name",
            Error::Exists => "the name is taken",
            Error::Kind => "it is something of another kind",
            Error::NotEmpty => "it is not empty",
            Error::Cycle => "a directory cannot be below itself",
            Error::Domain => "it belongs to another domain",
            Error::Range => "no file is that long",
            Error::ReadOnly => "it is read-only",
            Error::Quota => "the quota is used up",
            Error::Corrupt => "a record makes no sense",
            Error::Version => "there are no files on it, or their format is not known here",
            Error::Lost => "what was done before was lost, as the disk failed",
        })
    }
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameFault::Empty => "a name has one byte at least",
            NameFault::Long => "a name has 255 bytes at most, and that of a snapshot 246",
            NameFault::Dots => "`.` and `..` are no names",
            NameFault::Byte => "a name has no `/` and no NUL",
            NameFault::Encoding => "a name is UTF-8",
        })
    }
}

impl core::error::Error for Error {}
