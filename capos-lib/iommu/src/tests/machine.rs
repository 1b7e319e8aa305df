//! Memory that counts its tables, and a walker that knows the formats by the specifications alone.

use crate::{Format, Memory};
use std::collections::BTreeMap;

/// Tables by their addresses.
pub struct Machine {
    tables: BTreeMap<u64, [u64; 512]>,
    next: u64,
    /// How many more there are.
    pub left: usize,
}

impl Machine {
    pub fn new() -> Machine {
        Machine { tables: BTreeMap::new(), next: 0x0007_0000_0000_0000, left: usize::MAX }
    }

    pub fn count(&self) -> usize {
        self.tables.len()
    }
}

impl Memory for Machine {
    fn take(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        self.next += 0x3000;
        self.tables.insert(self.next, [0; 512]);
        Some(self.next)
    }

    fn give(&mut self, table: u64) {
        assert_eq!(self.tables.remove(&table), Some([0; 512]), "given back twice, or not empty");
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        self.tables[&table][index]
    }

    fn write(&mut self, table: u64, index: usize, value: u64) {
        self.tables.get_mut(&table).unwrap()[index] = value;
    }
}

/// Where a unit would take an access: the address and whether it may write.
pub fn walk(machine: &Machine, format: Format, root: u64, levels: u32, iova: u64) -> Option<(u64, bool)> {
    if iova >> (12 + 9 * levels) != 0 {
        return None;
    }
    let (mut table, mut level, mut writable) = (root, levels, true);
    loop {
        let shift = 12 + 9 * (level - 1);
        let entry = machine.tables.get(&table).expect("a table")[(iova >> shift & 0x1ff) as usize];
        let address = entry & 0xf_ffff_ffff_f000;
        let last = match format {
            Format::Intel => {
                // R or W is presence; bit 7 a page above the lowest level; all else that is set is an address.
                if entry & 0b11 == 0 {
                    return None;
                }
                assert_eq!(entry & 1, 1, "nothing is write-only");
                assert_eq!(entry & !0xf_ffff_ffff_f083, 0, "reserved bits of {entry:#x}");
                writable &= entry & 0b10 != 0;
                level == 1 || entry & 0x80 != 0
            }
            Format::Amd => {
                if entry & 1 == 0 {
                    return None;
                }
                assert_eq!(entry & 0x8fff_ffff_ffff & 0x1fe, 0, "reserved bits of {entry:#x}");
                assert_eq!(entry >> 61 & 1, 1, "nothing is write-only");
                writable &= entry >> 62 & 1 == 1;
                let next = (entry >> 9 & 7) as u32;
                assert!(next == 0 || next == level - 1, "no level is passed over");
                next == 0
            }
        };
        let offset = iova & ((1 << shift) - 1);
        if last {
            assert_eq!(address & ((1 << shift) - 1), 0, "a page lies where its size allows");
            return Some((address + offset, writable));
        }
        (table, level) = (address, level - 1);
    }
}
