//! Memory that another process writes, too, as the entries of a shared queue: a `MemoryObject`, mapped, and reached by nothing but atomics
//! and copies that the compiler cannot see into.

use crate::generated::MemoryObjectClient;
use crate::ipc::CallError;
use crate::region::Region;
use capos_abi::{ExceptionCode, PAGE_SIZE};
use capos_queue::{Index, SharedSlots, Slots};
use capos_schema::virtual_memory::Protection;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};

/// The entries of a queue in mapped memory; unmapped when dropped.
pub struct Mapped<const WORDS: usize> {
    slots: SharedSlots<WORDS>,
    /// Keeps the memory mapped. Dropped behind `slots`, which is an address and not touched again.
    _region: Region,
}

/// Bytes that a memory object needs for so many entries: whole pages; `None` when there is no such queue.
pub fn size<const WORDS: usize>(entries: u32) -> Option<u64> {
    SharedSlots::<WORDS>::size(entries).map(|bytes| bytes.next_multiple_of(PAGE_SIZE) as u64)
}

impl<const WORDS: usize> Mapped<WORDS> {
    /// Maps an object that another process may have, too. An object that is too small is refused by the kernel.
    pub fn map(object: &MemoryObjectClient, entries: u32) -> Result<Self, CallError> {
        Self::map_at(object, 0, entries)
    }

    /// The same for a queue that begins at `offset` in the object, a multiple of the page size.
    pub fn map_at(object: &MemoryObjectClient, offset: u64, entries: u32) -> Result<Self, CallError> {
        let invalid = || CallError::Exception(ExceptionCode::InvalidArgument.into());
        let size = size::<WORDS>(entries).ok_or_else(invalid)?;
        let region = Region::map(object, offset, size, Protection::ReadWrite)?;
        let start = NonNull::new(region.address() as *mut u8).ok_or_else(invalid)?;
        // SAFETY: the region is page aligned, at least as long as `size` says, and lives as long as this. It was mapped for this alone,
        // so nothing else in the program refers to it.
        let slots = unsafe { SharedSlots::new(start, entries) }.map_err(|_| invalid())?;
        Ok(Mapped { slots, _region: region })
    }
}

impl<const WORDS: usize> Slots<WORDS> for Mapped<WORDS> {
    #[inline]
    fn entries(&self) -> u32 {
        self.slots.entries()
    }

    #[inline]
    fn load(&self, index: Index, order: Ordering) -> u32 {
        self.slots.load(index, order)
    }

    #[inline]
    fn store(&self, index: Index, value: u32, order: Ordering) {
        self.slots.store(index, value, order);
    }

    #[inline]
    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    #[inline]
    fn read(&self, index: u32, out: &mut [u64; WORDS]) {
        self.slots.read(index, out);
    }

    #[inline]
    fn write(&self, index: u32, entry: &[u64; WORDS]) {
        self.slots.write(index, entry);
    }
}
