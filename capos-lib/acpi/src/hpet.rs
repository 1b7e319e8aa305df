//! The HPET's table (IA-PC HPET specification 1.0a, 3.2.4).

use crate::bytes::u8_at;
use crate::error::AcpiError;
use crate::gas::{AddressSpace, GenericAddress};
use crate::table::Table;

/// Where the event timer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hpet {
    /// Its number; the first is 0.
    pub number: u8,
    /// Physical address of its registers.
    pub address: u64,
}

impl Hpet {
    /// Reads `table` as one. Its registers must be in memory.
    pub fn parse(table: Table<'_>) -> Result<Self, AcpiError> {
        let table = table.named(b"HPET")?;
        let register = GenericAddress::at(table.bytes(), 40).filter(|it| it.space == AddressSpace::Memory);
        let number = u8_at(table.bytes(), 52).ok_or(table.bad_entry(52))?;
        Ok(Hpet { number, address: register.ok_or(table.bad_entry(40))?.address })
    }
}
