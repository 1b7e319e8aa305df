//! Who has which tables: the root table has an entry for each bus, which names a context table with an entry for each function (9.1, 9.3).
//! An entry of zeroes lets a function reach nothing.

use crate::Tables;

const PRESENT: u64 = 1;

/// The entry of a bus.
pub fn root(contexts: u64) -> [u64; 2] {
    [contexts | PRESENT, 0]
}

/// The entry of a function: `tables` are its own, as domain `domain`. What it says that it has translated itself is refused.
pub fn context(tables: &Tables, domain: u16) -> [u64; 2] {
    // 1: three levels, 2: four.
    let width = u64::from(tables.levels() - 2);
    [tables.root() | PRESENT, u64::from(domain) << 8 | width]
}
