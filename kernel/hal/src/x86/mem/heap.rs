//! The kernel heap: for cold paths only. It grows by whole chunks until there are no frames left, and then answers null, which
//! the kernel core turns into an error for whoever asked.

use crate::sync::Lock;
use crate::x86::paging::PAGE;
use crate::x86::paging::kernel::{HEAP_BASE, map_fresh};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

/// Growth step.
const CHUNK: u64 = 256 * 1024;
/// The heap ends here at the latest.
const MOST: u64 = 1 << 38;

struct Growing {
    heap: Heap,
    end: u64,
}

/// The kernel's allocator.
struct KernelHeap(Lock<Growing>);

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Lock::new(Growing { heap: Heap::empty(), end: HEAP_BASE }));

impl Growing {
    /// Adds room for at least `wanted` bytes. `false` when there are no frames.
    fn grow(&mut self, wanted: u64) -> bool {
        let chunk = wanted.saturating_add(PAGE).max(CHUNK).next_multiple_of(PAGE);
        if chunk > MOST - (self.end - HEAP_BASE) {
            return false;
        }
        let start = self.end;
        while self.end < start + chunk && map_fresh(self.end).is_ok() {
            self.end += PAGE;
        }
        let got = (self.end - start) as usize;
        if got == 0 {
            return false;
        }
        // SAFETY: the pages were just mapped right behind the heap's end, and are used for nothing else.
        unsafe {
            if start == HEAP_BASE {
                self.heap.init(ptr::with_exposed_provenance_mut(HEAP_BASE as usize), got);
            } else {
                self.heap.extend(got);
            }
        }
        got as u64 >= chunk
    }

    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.heap.allocate_first_fit(layout) {
            return Some(block);
        }
        let wanted = (layout.size() as u64).checked_add(layout.align() as u64)?;
        self.grow(wanted);
        self.heap.allocate_first_fit(layout).ok()
    }
}

// SAFETY: blocks come from the inner heap, which is sound for one user at a time: the lock sees to that.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller got the block from `alloc` with this layout.
            unsafe { self.0.lock().heap.deallocate(block, layout) };
        }
    }
}

/// Takes the first chunk. `false` when there is no memory at all.
pub fn init() -> bool {
    HEAP.0.lock().grow(CHUNK)
}
