//! The kernel heap: for cold paths only. It grows by whole chunks until there are no frames left, and then answers null, which
//! the kernel core turns into an error for whoever asked.

use crate::order::LockRank;
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

/// Small blocks come in these sizes, each with a list of its own of those given back: kernel objects have few sizes, and a first
/// fit would walk past more and more holes. They are never joined again.
const SIZES: [usize; 8] = [32, 64, 128, 256, 512, 1024, 2048, 4096];
/// Alignment of small blocks, as far as their size.
const SMALL_ALIGN: usize = 64;

/// A block on a list; lies in the block itself.
struct Unused {
    next: Option<NonNull<Unused>>,
}

struct Growing {
    heap: Heap,
    end: u64,
    /// Bytes of blocks that are given out.
    used: u64,
    unused: [Option<NonNull<Unused>>; SIZES.len()],
}

// SAFETY: the lists name blocks that belong to the heap alone.
unsafe impl Send for Growing {}

/// The kernel's allocator.
struct KernelHeap(Lock<Growing>);

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Lock::new(
    LockRank::Heap,
    Growing { heap: Heap::empty(), end: HEAP_BASE, used: 0, unused: [None; SIZES.len()] },
));

/// The list for blocks of that layout, and the layout that all its blocks have. `None` for large ones.
fn class_of(layout: Layout) -> Option<(usize, Layout)> {
    let (n, size) = SIZES.into_iter().enumerate().find(|(_, size)| *size >= layout.size())?;
    let block = Layout::from_size_align(size, size.min(SMALL_ALIGN)).ok()?;
    (layout.align() <= block.align()).then_some((n, block))
}

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
        let block = self.find(layout)?;
        self.used += layout.size() as u64;
        Some(block)
    }

    fn find(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let Some((class, block)) = class_of(layout) else { return self.allocate_first_fit(layout) };
        let list = self.unused.get_mut(class)?;
        let Some(found) = *list else { return self.allocate_first_fit(block) };
        // SAFETY: blocks on a list belong to the heap and hold an `Unused`.
        *list = unsafe { found.as_ref() }.next;
        Some(found.cast())
    }

    fn allocate_first_fit(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.heap.allocate_first_fit(layout) {
            return Some(block);
        }
        let wanted = (layout.size() as u64).checked_add(layout.align() as u64)?;
        self.grow(wanted);
        self.heap.allocate_first_fit(layout).ok()
    }

    /// # Safety
    /// `block` came from `allocate` with this layout and is not used any more.
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        self.used -= layout.size() as u64;
        match class_of(layout).and_then(|(class, _)| self.unused.get_mut(class)) {
            Some(list) => {
                let unused = block.cast::<Unused>();
                // SAFETY: the block is ours again, and large and aligned enough.
                unsafe { unused.write(Unused { next: *list }) };
                *list = Some(unused);
            }
            // SAFETY: the caller says so.
            None => unsafe { self.heap.deallocate(block, layout) },
        }
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
            unsafe { self.0.lock().free(block, layout) };
        }
    }
}

/// Bytes that are given out.
pub fn used() -> u64 {
    HEAP.0.lock().used
}

/// Takes the first chunk. `false` when there is no memory at all.
pub fn init() -> bool {
    HEAP.0.lock().grow(CHUNK)
}
