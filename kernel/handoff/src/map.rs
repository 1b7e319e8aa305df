//! The memory map: what the firmware said, sorted and without overlaps, and what the loader took since.
//!
//! The protocol promises the kernel that usable and reclaimable regions are page aligned and overlap nothing (PROTOCOL.md, "Memory Map
//! Feature"), while firmware promises nothing at all. So whatever is not usable goes in first and wins, usable memory fills the gaps
//! that remain, and each allocation splits a usable region.

use crate::{PAGE, Refusal};

/// Most regions in a map. UEFI machines report some hundred; GRUB joins them first.
pub const MAX_REGIONS: usize = 512;

/// Kinds of memory, numbered as in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    /// Free memory.
    Usable = 0,
    /// Not to be touched.
    Reserved = 1,
    /// ACPI tables, free once they were read.
    AcpiReclaimable = 2,
    /// Belongs to the firmware.
    AcpiNvs = 3,
    /// Broken.
    Bad = 4,
    /// The loader's: free once the kernel needs neither its responses nor its tables.
    Reclaimable = 5,
    /// The kernel, its file and the boot files.
    KernelAndModules = 6,
}

impl Kind {
    /// The kind of an e820 type, which PVH and Multiboot2 both use; what is unknown is reserved.
    pub fn from_e820(number: u32) -> Kind {
        match number {
            1 => Kind::Usable,
            3 => Kind::AcpiReclaimable,
            4 => Kind::AcpiNvs,
            5 => Kind::Bad,
            _ => Kind::Reserved,
        }
    }
}

/// A range of physical memory of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub base: u64,
    /// First byte after.
    pub end: u64,
    /// What it is.
    pub kind: Kind,
}

/// What an allocation may look like.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// How many bytes; rounded up to pages.
    pub length: u64,
    /// Multiple at which it starts; a power of two, at least a page.
    pub align: u64,
    /// Lowest address.
    pub from: u64,
    /// Address below which it ends.
    pub below: u64,
    /// What the region becomes.
    pub kind: Kind,
}

impl Want {
    /// Whole pages anywhere between 1 MiB and 4 GiB: above what real mode needs, below what 32-bit code can reach.
    pub fn pages(length: u64, kind: Kind) -> Want {
        Want { length, align: PAGE, from: 0x10_0000, below: 0x1_0000_0000, kind }
    }
}

/// The map. Regions are sorted and do not overlap.
#[derive(Clone, Debug)]
pub struct MemoryMap {
    regions: [Region; MAX_REGIONS],
    count: usize,
}

impl MemoryMap {
    /// A map from the firmware's entries: (base, length, kind). The first page is never usable.
    pub fn from_firmware(entries: impl Iterator<Item = (u64, u64, Kind)> + Clone) -> Result<Self, Refusal> {
        let nothing = Region { base: 0, end: 0, kind: Kind::Reserved };
        let mut map = MemoryMap { regions: [nothing; MAX_REGIONS], count: 0 };
        for (base, length, kind) in entries.clone().filter(|entry| entry.2 != Kind::Usable) {
            map.fill(Region { base, end: base.saturating_add(length), kind })?;
        }
        map.fill(Region { base: 0, end: PAGE, kind: Kind::Reserved })?;
        for (base, length, kind) in entries.filter(|entry| entry.2 == Kind::Usable) {
            map.fill(Region { base, end: base.saturating_add(length), kind })?;
        }
        if map.regions().iter().any(|region| region.kind == Kind::Usable) {
            Ok(map)
        } else {
            Err(Refusal::NoMemoryMap)
        }
    }

    /// The regions, sorted.
    pub fn regions(&self) -> &[Region] {
        self.regions.get(..self.count).unwrap_or(&[])
    }

    /// Makes `length` bytes at `base`, rounded outward to pages, another kind. False, and nothing changes, unless all of it is usable.
    pub fn claim(&mut self, base: u64, length: u64, kind: Kind) -> Result<bool, Refusal> {
        let start = page_down(base);
        let Some(end) = base.checked_add(length).and_then(page_up) else { return Ok(false) };
        if start == end {
            return Ok(true);
        }
        let holds =
            |region: &Region| region.kind == Kind::Usable && region.base <= start && end <= region.end;
        let Some(index) = self.regions().iter().position(holds) else { return Ok(false) };
        self.split(index, Region { base: start, end, kind })?;
        Ok(true)
    }

    /// Makes whatever is usable of a range, rounded outward to pages, another kind: so that nobody allocates what is in use, even if
    /// the firmware says of a part of it that it is no memory.
    pub fn claim_usable_parts(&mut self, base: u64, length: u64, kind: Kind) -> Result<(), Refusal> {
        let Some(end) = base.checked_add(length).and_then(page_up) else { return Ok(()) };
        let mut at = page_down(base);
        while at < end {
            let next = |region: &&Region| region.kind == Kind::Usable && region.end > at && region.base < end;
            let Some(&part) = self.regions().iter().find(next) else { return Ok(()) };
            let (start, stop) = (part.base.max(at), part.end.min(end));
            self.claim(start, stop - start, kind)?;
            at = stop;
        }
        Ok(())
    }

    /// Whether the whole range, rounded outward to pages, lies in one region of this kind.
    pub fn is_all(&self, base: u64, length: u64, kind: Kind) -> bool {
        let Some(end) = base.checked_add(length).and_then(page_up) else { return false };
        let start = page_down(base);
        self.regions().iter().any(|region| region.kind == kind && region.base <= start && end <= region.end)
    }

    /// Takes memory from the highest place that fits, so that low memory stays free for those who need it.
    pub fn allocate(&mut self, want: Want) -> Result<Option<u64>, Refusal> {
        let Some(length) = page_up(want.length) else { return Ok(None) };
        let place = |region: &Region| {
            let base = region.end.min(want.below).checked_sub(length)? & !(want.align - 1);
            (region.kind == Kind::Usable && base >= region.base.max(want.from)).then_some(base)
        };
        let Some(base) = self.regions().iter().rev().find_map(place) else { return Ok(None) };
        Ok(self.claim(base, length, want.kind)?.then_some(base))
    }

    /// Puts `new` in the place of the part of region `index` that it covers.
    fn split(&mut self, index: usize, new: Region) -> Result<(), Refusal> {
        let Some(&old) = self.regions().get(index) else { return Ok(()) };
        let needed = usize::from(old.base < new.base) + usize::from(new.end < old.end);
        if self.count + needed > MAX_REGIONS {
            return Err(Refusal::TooManyRegions);
        }
        self.remove(index);
        for piece in [Region { end: new.base, ..old }, new, Region { base: new.end, ..old }] {
            self.insert(piece)?;
        }
        self.join();
        Ok(())
    }

    /// Adds the parts of `new` that no region covers yet. Usable parts are rounded inward to pages.
    fn fill(&mut self, new: Region) -> Result<(), Refusal> {
        let mut at = new.base;
        while at < new.end {
            match self.regions().iter().find(|region| region.end > at).copied() {
                Some(region) if region.base <= at => at = region.end,
                next => {
                    let end = next.map_or(new.end, |region| region.base.min(new.end));
                    self.insert(inward(Region { base: at, end, kind: new.kind }))?;
                    at = end;
                }
            }
        }
        Ok(())
    }

    /// Inserts a region that overlaps no other; an empty one is passed over.
    fn insert(&mut self, region: Region) -> Result<(), Refusal> {
        if region.base >= region.end {
            return Ok(());
        }
        let index = self.regions().iter().position(|other| other.base > region.base).unwrap_or(self.count);
        let tail = self.regions.get_mut(index..=self.count).ok_or(Refusal::TooManyRegions)?;
        tail.rotate_right(1);
        if let Some(place) = tail.first_mut() {
            *place = region;
        }
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, index: usize) {
        if let Some(tail) = self.regions.get_mut(index..self.count) {
            tail.rotate_left(1);
            self.count -= 1;
        }
    }

    /// Joins neighbours that the loader made, so that many small allocations do not fill the map.
    fn join(&mut self) {
        let mut index = 1;
        while index < self.count {
            let (Some(&left), Some(&right)) = (self.regions.get(index - 1), self.regions.get(index)) else {
                return;
            };
            let ours = matches!(left.kind, Kind::Reclaimable | Kind::KernelAndModules);
            if ours && left.kind == right.kind && left.end == right.base {
                self.remove(index);
                if let Some(place) = self.regions.get_mut(index - 1) {
                    place.end = right.end;
                }
            } else {
                index += 1;
            }
        }
    }
}

/// The page boundary at or below.
pub fn page_down(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// The page boundary at or above, if there is one.
pub fn page_up(address: u64) -> Option<u64> {
    address.checked_next_multiple_of(PAGE)
}

fn inward(region: Region) -> Region {
    if region.kind != Kind::Usable {
        return region;
    }
    let base = page_up(region.base).unwrap_or(region.end);
    Region { base, end: page_down(region.end), kind: region.kind }
}

#[cfg(test)]
mod tests;
