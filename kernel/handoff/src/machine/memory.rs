//! Physical memory, seen through the direct map.
//!
//! From the first instruction in long mode the direct map covers the low 4 GiB; [`Direct::cover`] extends it by what the memory map
//! names above. Reads are checked against that, so a firmware pointer into nowhere is an answer and not a fault.

use core::slice;

use loader::map::{Kind, MemoryMap};
use loader::paging::{NoTable, Space, Tables};
use loader::physical::Physical;
use loader::{HHDM, PAGE, Refusal};

unsafe extern "C" {
    /// The tables on which long mode was entered.
    static mut boot_root: [u64; 512];
}

/// What the entry code mapped.
const LOW: u64 = 1 << 32;
const MOST_RANGES: usize = 64;
const DIRECT_MAP_SLOT: usize = 256;

/// The parts of physical memory that can be reached.
pub struct Direct {
    ranges: [(u64, u64); MOST_RANGES],
    count: usize,
}

impl Direct {
    /// The low 4 GiB.
    pub const fn low() -> Self {
        let mut ranges = [(0, 0); MOST_RANGES];
        ranges[0] = (0, LOW);
        Direct { ranges, count: 1 }
    }

    /// Extends the direct map of `space` by the memory above 4 GiB, "not comprising regions of types reserved and bad memory", and
    /// uses it from now on.
    pub fn cover(&mut self, space: &Space, map: &mut MemoryMap) -> Result<(), NoTable> {
        // Tables come from the map that is walked here; what they split lies below 4 GiB.
        let regions = map.clone();
        let mut pool = Pool { map };
        space.cover(&mut pool, HHDM, 0, LOW)?;
        for region in regions.regions().iter().filter(|region| region.end > LOW) {
            if !matches!(region.kind, Kind::Reserved | Kind::Bad) {
                let base = region.base.max(LOW);
                space.cover(&mut pool, HHDM, base, region.end - base)?;
                self.note(base, region.end);
            }
        }
        self.adopt(space);
        Ok(())
    }

    /// Extends the direct map by one firmware table, wherever it is, to the ends of its large pages.
    pub fn cover_table(&mut self, space: &Space, map: &mut MemoryMap, at: u64) -> Result<(), NoTable> {
        const AROUND: u64 = 2 << 20;
        const HIGHEST: u64 = 1 << 46;
        if (LOW..HIGHEST).contains(&at) && self.bytes(at, PAGE).is_none() {
            let base = at & !(AROUND - 1);
            space.cover(&mut Pool { map }, HHDM, base, 2 * AROUND)?;
            self.note(base, base + 2 * AROUND);
            self.adopt(space);
        }
        Ok(())
    }

    fn note(&mut self, base: u64, end: u64) {
        if let Some(place) = self.ranges.get_mut(self.count) {
            *place = (base, end);
            self.count += 1;
        }
    }

    /// Lets the running tables use the direct map of `space`.
    fn adopt(&self, space: &Space) {
        let root = HHDM + space.root();
        let table: *const [u64; 512] = core::ptr::with_exposed_provenance(root as usize);
        // SAFETY: `space` maps at least what the running tables map there, at the same addresses; the entry is replaced whole. Both
        // tables are in the low 4 GiB.
        unsafe {
            let entry = (*table)[DIRECT_MAP_SLOT];
            (&raw mut boot_root[DIRECT_MAP_SLOT]).write_volatile(entry);
            super::processor::load_tables((&raw const boot_root).addr() as u64);
        }
    }
}

impl Physical<'static> for Direct {
    fn bytes(&self, at: u64, length: u64) -> Option<&'static [u8]> {
        let end = at.checked_add(length)?;
        let ranges = self.ranges.get(..self.count)?;
        ranges.iter().any(|&(base, top)| base <= at && end <= top).then_some(())?;
        // SAFETY: the range is mapped. What is read there belongs to firmware, to the way of entry or to a boot file, and none of it
        // is written while a view of it is in use: allocations come from memory that the map calls usable, from which all of these
        // were claimed before the first allocation.
        Some(unsafe { slice::from_raw_parts(pointer(at), length as usize) })
    }
}

/// Memory that was just allocated, zeroed.
pub fn fresh(at: u64, length: u64) -> &'static mut [u8] {
    // SAFETY: every caller passes a range that `MemoryMap::allocate` returned, and passes it once, so nobody else has it.
    let bytes = unsafe { slice::from_raw_parts_mut(pointer(at), length as usize) };
    bytes.fill(0);
    bytes
}

/// Zeroes the rest of the last page of a boot file, which the kernel may show to processes.
pub fn clear_tail(at: u64, length: u64) {
    let end = at + length;
    let rest = end.next_multiple_of(PAGE) - end;
    // SAFETY: the caller has claimed all pages of the file, and nothing else that is still in use lies in them.
    unsafe { pointer(end).write_bytes(0, rest as usize) };
}

/// Where the direct map shows a physical address.
pub fn pointer(at: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut((HHDM + at) as usize)
}

/// Allocates whole pages below 4 GiB, zeroed.
pub fn allocate(
    map: &mut MemoryMap,
    want: loader::map::Want,
    what: &'static str,
) -> Result<(u64, &'static mut [u8]), Refusal> {
    let length = want.length.next_multiple_of(PAGE);
    let at = map.allocate(want)?.ok_or(Refusal::OutOfMemory(what, length))?;
    Ok((at, fresh(at, length)))
}

/// Tables in memory from the map.
pub struct Pool<'m> {
    /// Where they come from.
    pub map: &'m mut MemoryMap,
}

impl Tables for Pool<'_> {
    fn new_table(&mut self) -> Option<u64> {
        let want = loader::map::Want::pages(PAGE, Kind::Reclaimable);
        allocate(self.map, want, "page tables").ok().map(|(at, _)| at)
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        // SAFETY: `table` came from `new_table`, and `Space` computes the index from nine bits.
        unsafe { pointer(table).cast::<u64>().add(index).read() }
    }

    fn write(&mut self, table: u64, index: usize, value: u64) {
        // SAFETY: as for `read`; the tables belong to this pool.
        unsafe { pointer(table).cast::<u64>().add(index).write_volatile(value) }
    }
}
