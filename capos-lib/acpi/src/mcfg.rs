//! Where PCI Express configuration space is in memory (PCI Firmware specification 3.3, 4.1.2).

use crate::bytes::{u8_at, u16_at, u64_at};
use crate::error::AcpiError;
use crate::table::Table;

const FIRST: usize = 44;
const ENTRY: usize = 16;

/// The configuration space of some buses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EcamWindow {
    /// Physical address of bus 0's space, also when the window begins later.
    pub address: u64,
    /// Segment group.
    pub segment: u16,
    /// First and last bus.
    pub buses: (u8, u8),
}

/// The table of windows, all checked.
#[derive(Clone, Copy, Debug)]
pub struct Mcfg<'m> {
    entries: &'m [u8],
}

impl<'m> Mcfg<'m> {
    /// Views `table` as one.
    pub fn parse(table: Table<'m>) -> Result<Self, AcpiError> {
        let table = table.named(b"MCFG")?;
        let entries = table.bytes().get(FIRST..).ok_or(table.bad_entry(table.bytes().len()))?;
        let whole = entries.len() - entries.len() % ENTRY;
        if whole != entries.len() {
            return Err(table.bad_entry(FIRST + whole));
        }
        let mcfg = Mcfg { entries };
        match mcfg.windows().position(|window| window.buses.0 > window.buses.1) {
            Some(n) => Err(table.bad_entry(FIRST + n * ENTRY)),
            None => Ok(mcfg),
        }
    }

    /// The windows in order.
    pub fn windows(&self) -> impl Iterator<Item = EcamWindow> + 'm {
        self.entries.chunks_exact(ENTRY).filter_map(|entry| {
            Some(EcamWindow {
                address: u64_at(entry, 0)?,
                segment: u16_at(entry, 8)?,
                buses: (u8_at(entry, 10)?, u8_at(entry, 11)?),
            })
        })
    }
}
