//! The root pointer (5.2.5): where everything begins.

use crate::bytes::{sums_to_zero, u8_at, u32_at, u64_at};
use crate::error::AcpiError;

/// As many bytes of it are needed at most.
pub const RSDP_MAX: usize = 36;

const FIRST_LEN: usize = 20;

/// The addresses of the root tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rsdp {
    /// 0 before ACPI 2.0, else 2 or more.
    pub revision: u8,
    /// Physical address of the table of 32-bit addresses.
    pub rsdt: u32,
    /// Physical address of the table of 64-bit addresses, if there is one.
    pub xsdt: Option<u64>,
}

impl Rsdp {
    /// Parses the root pointer at the beginning of `bytes`. Both checksums are verified where the revision has both.
    pub fn parse(bytes: &[u8]) -> Result<Self, AcpiError> {
        Self::checked(bytes).ok_or(AcpiError::NoRootPointer)
    }

    fn checked(bytes: &[u8]) -> Option<Self> {
        let first = bytes.get(..FIRST_LEN)?;
        if !first.starts_with(b"RSD PTR ") || !sums_to_zero(first) {
            return None;
        }
        let (revision, rsdt) = (u8_at(first, 15)?, u32_at(first, 16)?);
        if revision < 2 {
            return Some(Rsdp { revision, rsdt, xsdt: None });
        }
        // The length covers what the extended checksum covers; longer ones than today's are from the future and not summed.
        let length = usize::try_from(u32_at(bytes, 20)?).ok()?;
        if length < RSDP_MAX || (length == RSDP_MAX && !sums_to_zero(bytes.get(..RSDP_MAX)?)) {
            return None;
        }
        let xsdt = u64_at(bytes, 24)?;
        Some(Rsdp { revision, rsdt, xsdt: (xsdt != 0).then_some(xsdt) })
    }
}
