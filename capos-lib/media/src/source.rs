//! Where the bytes of a medium come from.

use core::fmt;
use core::future::Future;

/// A device, a partition, an image.
pub trait Source {
    /// Its size.
    fn bytes(&self) -> u64;

    /// Reads what lies from byte `at` on; it is inside.
    fn read(&self, at: u64, into: &mut [u8]) -> impl Future<Output = Result<(), SourceError>>;
}

/// What a source says when it does not do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceError {
    /// The medium does not give it back.
    Unreadable,
    /// It is gone, or failed altogether.
    Gone,
}

impl fmt::Display for SourceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            SourceError::Unreadable => "the medium does not give it back",
            SourceError::Gone => "the medium is gone",
        })
    }
}
