//! The manifest as a Cap'n Proto message, in the standard stream format, so that any tool for Cap'n Proto reads it.

mod decode;
mod encode;
mod error;

pub use decode::decode;
pub use encode::encode;
pub use error::ManifestError;

/// The one version of the format.
pub(crate) const VERSION: u32 = 1;
/// Longest message that is read. A real one has a few KiB.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// Most services of one manifest.
pub(crate) const MAX_SERVICES: usize = 1024;
