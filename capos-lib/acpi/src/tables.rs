//! The list of tables: RSDT and XSDT (5.2.7, 5.2.8).

use crate::bytes::{array_at, u32_at, u64_at};
use crate::error::{AcpiError, Signature};
use crate::rsdp::Rsdp;
use crate::table::{HEADER_LEN, Table};
use core::fmt;

/// Gives `length` bytes of physical memory at `address`, or nothing if they are not all there.
pub type Memory<'m> = &'m (dyn Fn(u64, usize) -> Option<&'m [u8]> + Sync);

/// Tables listed at most; machines have about thirty.
const TABLES_MAX: usize = 256;

/// The machine's tables.
#[derive(Clone, Copy)]
pub struct Tables<'m> {
    memory: Memory<'m>,
    /// Addresses, each `width` bytes.
    list: &'m [u8],
    width: usize,
}

impl fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("count", &self.count()).field("width", &self.width).finish()
    }
}

impl<'m> Tables<'m> {
    /// The tables that `rsdp` leads to: by the XSDT, or by the RSDT where there is no XSDT or a broken one.
    pub fn of(rsdp: &Rsdp, memory: Memory<'m>) -> Result<Self, AcpiError> {
        let wide = rsdp.xsdt.map(|address| Self::root(address, b"XSDT", 8, memory));
        match wide {
            Some(Ok(tables)) => Ok(tables),
            Some(Err(error)) if rsdp.rsdt == 0 => Err(error),
            _ => Self::root(u64::from(rsdp.rsdt), b"RSDT", 4, memory),
        }
    }

    fn root(address: u64, name: &[u8; 4], width: usize, memory: Memory<'m>) -> Result<Self, AcpiError> {
        let table = load(address, Signature(*name), memory)?.named(name)?;
        Ok(Tables { memory, list: table.body(), width })
    }

    /// How many tables the list names.
    pub fn count(&self) -> usize {
        (self.list.len() / self.width).min(TABLES_MAX)
    }

    /// Table number `index`. `None` beyond the last; an error for one that is broken.
    pub fn table(&self, index: usize) -> Option<Result<Table<'m>, AcpiError>> {
        if index >= self.count() {
            return None;
        }
        let at = index * self.width;
        let address =
            if self.width == 8 { u64_at(self.list, at) } else { u32_at(self.list, at).map(u64::from) };
        Some(self.load(address?))
    }

    /// All tables in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Table<'m>, AcpiError>> {
        let tables = *self;
        (0..self.count()).filter_map(move |index| tables.table(index))
    }

    /// The sound tables called `name`.
    pub fn all(&self, name: [u8; 4]) -> impl Iterator<Item = Table<'m>> {
        self.iter().flatten().filter(move |table| table.signature().0 == name)
    }

    /// The first sound table called `name`.
    pub fn find(&self, name: &[u8; 4]) -> Option<Table<'m>> {
        self.all(*name).next()
    }

    /// The table at a physical address that another table gave (the DSDT's is in the FADT).
    pub fn load(&self, address: u64) -> Result<Table<'m>, AcpiError> {
        load(address, Signature(*b"????"), self.memory)
    }
}

/// Reads the header first, since only it tells how much more there is.
fn load<'m>(address: u64, name: Signature, memory: Memory<'m>) -> Result<Table<'m>, AcpiError> {
    let header = memory(address, HEADER_LEN).ok_or(AcpiError::Unreadable(name))?;
    let found = Signature(array_at(header, 0).unwrap_or(name.0));
    let length = Table::length_of(header)?;
    Table::parse(memory(address, length).ok_or(AcpiError::Unreadable(found))?)
}
