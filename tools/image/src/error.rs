//! Why an image could not be made, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use capos_cpio::WriteError;

/// Why an image could not be made.
#[derive(Debug)]
pub enum Error {
    /// A boot file's name has characters that a boot loader's configuration cannot carry.
    BadName(String),
    /// Two boot files have the same name.
    DuplicateName(String),
    /// The kernel's command line has characters that a boot loader's configuration cannot carry.
    BadCommandLine(String),
    /// The package refused a file.
    Package(String, WriteError),
    /// A tool is not installed.
    ToolMissing {
        /// What was looked for.
        tool: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A tool failed.
    ToolFailed {
        /// Its command line.
        command: String,
        /// What it said.
        output: String,
    },
    /// A file could not be read or written.
    Io(PathBuf, std::io::Error),
    /// A file system or a partition table could not be written.
    Layout(String),
}

impl Error {
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Error {
        Error::Io(path.to_owned(), error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BadName(name) => {
                write!(f, "boot file `{name}`: names are 1 to 64 letters, digits, and . _ + -")
            }
            Error::DuplicateName(name) => write!(f, "two boot files are called `{name}`"),
            Error::BadCommandLine(line) => write!(
                f,
                "kernel command line `{line}`: words are letters, digits, and . _ + - = , : / with single blanks between"
            ),
            Error::Package(name, error) => write!(f, "boot file `{name}`: {error}"),
            Error::ToolMissing { tool, package } => {
                write!(f, "{tool} is missing: install the package {package}")
            }
            Error::ToolFailed { command, output } => write!(f, "`{command}` failed: {}", output.trim()),
            Error::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Layout(what) => write!(f, "the image cannot be laid out: {what}"),
        }
    }
}

impl std::error::Error for Error {}
