//! What an address space shows, for audits: by its regions, and whether its tables have the same.

use super::{AddressSpace, pure};
use crate::types::{MappedRegisters, Protection};
use crate::x86::mem::Frames;

impl AddressSpace {
    /// Number `index` of what is mapped of devices' registers.
    pub fn registers(&self, index: usize) -> Option<MappedRegisters> {
        let inner = self.inner.lock();
        let mapped = inner.regions.iter().filter_map(|region| {
            let backing = region.backing.as_ref()?;
            let memory = &backing.object;
            let (address, _) = memory.frames.locate(backing.first)?;
            let lease = memory.lease.as_ref().map_or(0, |lease| lease.number());
            let found = MappedRegisters { lease, address, pages: region.pages, writable: memory.writable };
            memory.frames.is_device().then_some(found)
        });
        mapped.into_iter().nth(index)
    }

    /// Whether some of `frames` is mapped that `allowed` does not allow: it is given the first page, and whether it may be made writable.
    pub fn shows_other(&self, frames: &Frames, allowed: impl Fn(usize, bool) -> bool) -> bool {
        let inner = self.inner.lock();
        let mut backed = inner.regions.iter().filter_map(|region| region.backing.as_ref());
        backed.any(|backing| {
            backing.object.frames.label() == frames.label()
                && !allowed(backing.first, backing.object.writable)
        })
    }

    /// Whether processors find in the tables what the regions have, so protected and so cached, and nothing else.
    pub fn has_right_tables(&self) -> bool {
        let inner = self.inner.lock();
        let mut expected = 0;
        for region in inner.regions.iter() {
            let Some(backing) = &region.backing else { continue };
            if !inner.tables.shows((region.start, region.pages), region.protection, backing) {
                return false;
            }
            expected += if region.protection == pure(Protection::None) { 0 } else { region.pages as u64 };
        }
        inner.tables.shown() == expected
    }
}
