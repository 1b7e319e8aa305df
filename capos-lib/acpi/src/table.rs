//! One table: the common header (5.2.6) and the bytes behind it.

use crate::bytes::{array_at, sums_to_zero, u8_at, u32_at};
use crate::error::{AcpiError, Signature};

/// Length of the header that all tables have.
pub const HEADER_LEN: usize = 36;

/// Longest table believed in. The largest known (DSDTs of servers) have a few hundred KiB.
const LENGTH_MAX: u32 = 16 << 20;

/// A table whose length and checksum are right.
#[derive(Clone, Copy, Debug)]
pub struct Table<'m> {
    bytes: &'m [u8],
    signature: Signature,
    revision: u8,
}

impl<'m> Table<'m> {
    /// Checks a table that `bytes` holds from the beginning on.
    pub fn parse(bytes: &'m [u8]) -> Result<Self, AcpiError> {
        let signature = Signature(array_at(bytes, 0).unwrap_or_default());
        let length = Self::length_of(bytes)?;
        let bytes = bytes.get(..length).ok_or(AcpiError::Unreadable(signature))?;
        if !sums_to_zero(bytes) {
            return Err(AcpiError::BadChecksum(signature));
        }
        Ok(Table { bytes, signature, revision: u8_at(bytes, 8).unwrap_or(0) })
    }

    /// The length that a header gives, if a table can be that long.
    pub(crate) fn length_of(header: &[u8]) -> Result<usize, AcpiError> {
        let table = Signature(array_at(header, 0).unwrap_or_default());
        let length = u32_at(header, 4).ok_or(AcpiError::Unreadable(table))?;
        match usize::try_from(length) {
            Ok(len) if len >= HEADER_LEN && length <= LENGTH_MAX => Ok(len),
            _ => Err(AcpiError::BadLength { table, length }),
        }
    }

    /// Its name.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Its revision.
    pub fn revision(&self) -> u8 {
        self.revision
    }

    /// The whole table, header included; offsets in the specification are offsets here.
    pub fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// What is behind the header.
    pub fn body(&self) -> &'m [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// Itself, if it is called `name`.
    pub(crate) fn named(self, name: &[u8; 4]) -> Result<Self, AcpiError> {
        if self.signature.0 == *name {
            return Ok(self);
        }
        Err(AcpiError::WrongTable { expected: Signature(*name), found: self.signature })
    }

    /// The error for an entry at `offset`.
    pub(crate) fn bad_entry(&self, offset: usize) -> AcpiError {
        AcpiError::BadEntry { table: self.signature, offset }
    }
}
