//! Memory that clients' requests name, and how a device comes to know it.

use rt::CallError;
use rt::generated::{DmaBufferClient, DmaPoolClient, MemoryObjectClient};

/// What a device knows memory by, as long as this is there.
pub(super) struct Found {
    /// The token of its first byte.
    pub token: u64,
    _buffer: DmaBufferClient,
}

impl Found {
    /// Has the device of this pool know it.
    pub fn of(pool: &DmaPoolClient, object: &MemoryObjectClient) -> Result<Found, CallError> {
        let buffer = pool.attach_blocking(object)?;
        Ok(Found { token: buffer.info_blocking()?.token, _buffer: buffer })
    }
}

/// Memory of a client. It is there as long as a request names it, and longer than any device.
pub(super) struct Memory {
    pub object: MemoryObjectClient,
    /// What the device of now knows it by.
    pub found: Option<Found>,
}
