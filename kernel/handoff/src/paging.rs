//! The page tables that the kernel is entered with: the direct map, the kernel's segments, and the loader's own pages.
//!
//! Four levels always; if firmware left five on, the entry code turned them off. Writable memory is never executable: the direct map
//! and all data carry NX wherever the processor has it.

use crate::PAGE;
use crate::boot::Span;
use crate::map::page_down;

/// A page of the second level: 2 MiB.
pub const LARGE_PAGE: u64 = 2 << 20;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Where tables live.
pub trait Tables {
    /// Physical address of a new table, all zero; `None` when memory is at its end.
    fn new_table(&mut self) -> Option<u64>;
    /// Reads an entry of the table at a physical address.
    fn read(&self, table: u64, index: usize) -> u64;
    /// Writes an entry.
    fn write(&mut self, table: u64, index: usize, value: u64);
}

/// What may be done with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reading.
    Read,
    /// Reading and writing.
    Write,
    /// Reading and executing.
    Execute,
}

/// There was no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTable;

/// An address space under construction. Its tables are passed to each operation, since they come from a map that others use too.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    root: u64,
    no_execute: u64,
}

impl Space {
    /// An empty space. `no_execute` says whether the processor knows NX; without it the bit is reserved and must stay clear.
    pub fn new(tables: &mut dyn Tables, no_execute: bool) -> Result<Self, NoTable> {
        let root = tables.new_table().ok_or(NoTable)?;
        Ok(Space { root, no_execute: if no_execute { NO_EXECUTE } else { 0 } })
    }

    /// Physical address of the top-level table.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Maps the physical memory `from`, rounded outward to pages, at `address`.
    pub fn map(
        &self,
        tables: &mut dyn Tables,
        address: u64,
        from: Span,
        access: Access,
    ) -> Result<(), NoTable> {
        let flags = self.flags(access);
        let first = page_down(from.at);
        let virtual_first = page_down(address);
        let pages = (from.at - first + from.length).div_ceil(PAGE);
        for page in 0..pages {
            let at = virtual_first.wrapping_add(page * PAGE);
            let table = self.table_for(tables, at, 1)?;
            tables.write(table, index(at, 1), (first + page * PAGE) | flags);
        }
        Ok(())
    }

    /// Makes sure that the direct map at `offset` covers `length` bytes of physical memory, with large pages.
    pub fn cover(
        &self,
        tables: &mut dyn Tables,
        offset: u64,
        physical: u64,
        length: u64,
    ) -> Result<(), NoTable> {
        let flags = self.flags(Access::Write) | LARGE;
        let mut at = physical & !(LARGE_PAGE - 1);
        let end = physical.saturating_add(length).min(ADDRESS);
        while at < end {
            let table = self.table_for(tables, offset + at, 2)?;
            tables.write(table, index(offset + at, 2), at | flags);
            at += LARGE_PAGE;
        }
        Ok(())
    }

    /// The table of `level` that maps `address`; missing ones above are made.
    fn table_for(&self, tables: &mut dyn Tables, address: u64, level: u32) -> Result<u64, NoTable> {
        let mut table = self.root;
        for above in (level + 1..=4).rev() {
            let place = index(address, above);
            let entry = tables.read(table, place);
            table = if entry & PRESENT != 0 {
                entry & ADDRESS
            } else {
                let new = tables.new_table().ok_or(NoTable)?;
                tables.write(table, place, new | PRESENT | WRITABLE);
                new
            };
        }
        Ok(table)
    }

    fn flags(&self, access: Access) -> u64 {
        PRESENT
            | match access {
                Access::Read => self.no_execute,
                Access::Write => WRITABLE | self.no_execute,
                Access::Execute => 0,
            }
    }
}

fn index(address: u64, level: u32) -> usize {
    ((address >> (12 + 9 * (level - 1))) & 0x1ff) as usize
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::{HHDM, KERNEL_BASE};

    struct Fake {
        tables: Vec<[u64; 512]>,
        most: usize,
    }

    impl Tables for Fake {
        fn new_table(&mut self) -> Option<u64> {
            (self.tables.len() < self.most).then(|| {
                self.tables.push([0; 512]);
                self.tables.len() as u64 * PAGE
            })
        }
        fn read(&self, table: u64, index: usize) -> u64 {
            self.tables[(table / PAGE) as usize - 1][index]
        }
        fn write(&mut self, table: u64, index: usize, value: u64) {
            self.tables[(table / PAGE) as usize - 1][index] = value;
        }
    }

    fn fake(most: usize) -> Fake {
        Fake { tables: vec![], most }
    }

    /// Walks as the processor does: (physical address, entry).
    fn walk(fake: &Fake, root: u64, address: u64) -> Option<(u64, u64)> {
        let mut table = root;
        for level in (1..=4).rev() {
            let entry = fake.read(table, index(address, level));
            if entry & PRESENT == 0 {
                return None;
            }
            let size = PAGE << (9 * (level - 1));
            if level == 1 || entry & LARGE != 0 {
                return Some(((entry & ADDRESS) + address % size, entry));
            }
            table = entry & ADDRESS;
        }
        None
    }

    #[test]
    fn pages_are_where_they_were_put() {
        let mut tables = fake(99);
        let space = Space::new(&mut tables, true).unwrap();
        let from = Span { at: 0x7f_5000, length: 0x2001 };
        space.map(&mut tables, KERNEL_BASE + 0x1000, from, Access::Execute).unwrap();
        let root = space.root();
        assert_eq!(walk(&tables, root, KERNEL_BASE), None);
        let (physical, entry) = walk(&tables, root, KERNEL_BASE + 0x3123).unwrap();
        assert_eq!((physical, entry & (WRITABLE | NO_EXECUTE)), (0x7f_7123, 0));
        assert_eq!(walk(&tables, root, KERNEL_BASE + 0x4000), None);
    }

    #[test]
    fn nothing_is_writable_and_executable() {
        for (access, flags) in
            [(Access::Read, NO_EXECUTE), (Access::Write, NO_EXECUTE | WRITABLE), (Access::Execute, 0)]
        {
            let mut tables = fake(99);
            let space = Space::new(&mut tables, true).unwrap();
            space.map(&mut tables, 0x1000, Span { at: 0x1000, length: 1 }, access).unwrap();
            let root = space.root();
            assert_eq!(walk(&tables, root, 0x1000).unwrap().1 & (WRITABLE | NO_EXECUTE), flags);
        }
    }

    #[test]
    fn a_processor_without_nx_never_sees_the_bit() {
        let mut tables = fake(99);
        let space = Space::new(&mut tables, false).unwrap();
        space.cover(&mut tables, HHDM, 0, LARGE_PAGE).unwrap();
        let root = space.root();
        assert_eq!(walk(&tables, root, HHDM).unwrap().1 & NO_EXECUTE, 0);
    }

    #[test]
    fn the_direct_map_covers_what_was_asked() {
        let mut tables = fake(99);
        let space = Space::new(&mut tables, true).unwrap();
        space.cover(&mut tables, HHDM, 0, 1 << 32).unwrap();
        space.cover(&mut tables, HHDM, 0x1_8010_0000, 0x20_0000).unwrap();
        let root = space.root();
        for address in [0, 0xfee0_0000, 0xffff_ffff, 0x1_8010_0000, 0x1_802f_ffff, 0x1_803f_ffff] {
            let (physical, entry) = walk(&tables, root, HHDM + address).unwrap();
            assert_eq!(physical, address);
            assert_ne!(entry & NO_EXECUTE, 0);
        }
        assert_eq!(walk(&tables, root, HHDM + 0x1_8040_0000), None);
    }

    #[test]
    fn running_out_of_tables_is_said() {
        assert!(Space::new(&mut fake(0), true).is_err());
        let mut tables = fake(3);
        let space = Space::new(&mut tables, true).unwrap();
        assert_eq!(space.map(&mut tables, 0, Span { at: 0, length: 1 }, Access::Read), Err(NoTable));
    }
}
