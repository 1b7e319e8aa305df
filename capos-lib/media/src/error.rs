//! What goes wrong, and whose fault it is.

use crate::source::SourceError;
use alloc::string::String;
use core::fmt;

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The device's.
    Source(SourceError),
    /// What is on the medium can not be.
    Damaged(Damage),
    /// It has no format that is known here.
    Unknown,
    /// There is no such name.
    NotFound,
    /// A file is no directory, nor a directory a file.
    Kind,
}

/// What can not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Damage {
    /// A directory is below itself, or a chain of clusters leads back into itself.
    Loop,
    /// It would lie beyond the medium.
    Beyond,
    /// A chain of clusters ends before the file does.
    Short,
    /// A directory is larger than any may be.
    TooLarge,
    /// Directories are nested deeper than any may be.
    TooDeep,
    /// To look at it takes more than anything sound does.
    TooMuch,
    /// Whatever else breaks a rule of the format.
    Format(String),
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Error::Damaged(damage)
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        Error::Source(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Source(error) => error.fmt(out),
            Error::Damaged(damage) => write!(out, "the medium is damaged: {damage}"),
            Error::Unknown => out.write_str("the medium is neither FAT nor ISO 9660"),
            Error::NotFound => out.write_str("there is no such name"),
            Error::Kind => out.write_str("a file is no directory, nor a directory a file"),
        }
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Damage::Loop => "it leads back into itself",
            Damage::Beyond => "it would lie beyond the medium",
            Damage::Short => "a chain of clusters ends before the file does",
            Damage::TooLarge => "a directory is larger than any may be",
            Damage::TooDeep => "directories are nested deeper than any may be",
            Damage::TooMuch => "to look at it takes more than anything sound does",
            Damage::Format(what) => what,
        })
    }
}
