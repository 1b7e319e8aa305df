//! The kernel heap: for cold paths only. It grows by whole chunks until there are no frames left, and then answers null, which
//! the kernel core turns into an error for whoever asked.

use super::blocks::{self, Kept};
use crate::order::LockRank;
use crate::sync::Lock;
use crate::x86::cpu::local;
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

pub(super) struct Growing {
    heap: Heap,
    end: u64,
    /// Bytes of blocks that were given out here, less those that were given back here.
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

/// The class of blocks for that layout. `None` for large ones.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let [smallest, ..] = SIZES;
    // Each size is twice the one before.
    let bits = usize::BITS - (layout.size().wrapping_sub(1) | (smallest - 1)).leading_zeros();
    let class = (bits - smallest.ilog2()) as usize;
    (class < SIZES.len() && layout.align() <= SMALL_ALIGN.min(smallest << class)).then_some(class)
}

/// The layout of all blocks of a class.
fn block_of(class: usize) -> Option<Layout> {
    let size = *SIZES.get(class)?;
    Layout::from_size_align(size, size.min(SMALL_ALIGN)).ok()
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
        let block = match class_of(layout) {
            Some(class) => self.unused(class).or_else(|| self.allocate_first_fit(block_of(class)?)),
            None => self.allocate_first_fit(layout),
        };
        self.used = self.used.wrapping_add(block.map_or(0, |_| layout.size() as u64));
        block
    }

    /// A block of a class that was given back.
    fn unused(&mut self, class: usize) -> Option<NonNull<u8>> {
        let list = self.unused.get_mut(class)?;
        let found = (*list)?;
        // SAFETY: blocks on a list belong to the heap and hold an `Unused`.
        *list = unsafe { found.as_ref() }.next;
        Some(found.cast())
    }

    /// One block of a class; more that were given back go to `kept`, which is empty.
    pub(super) fn fill(&mut self, kept: &mut Kept, class: usize) -> Option<NonNull<u8>> {
        kept.fill(usize::MAX, || self.unused(class));
        kept.take().or_else(|| self.allocate_first_fit(block_of(class)?))
    }

    /// Keeps a block of a class for later.
    ///
    /// # Safety
    /// It belongs to the heap, is of that class, and nobody uses it.
    pub(super) unsafe fn keep(&mut self, class: usize, block: NonNull<u8>) {
        let Some(list) = self.unused.get_mut(class) else { return };
        let unused = block.cast::<Unused>();
        // SAFETY: the block is ours, and large and aligned enough.
        unsafe { unused.write(Unused { next: *list }) };
        *list = Some(unused);
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
    /// `block` came from the heap with this layout and is not used any more.
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        self.used = self.used.wrapping_sub(layout.size() as u64);
        // SAFETY: the caller says so.
        unsafe {
            match class_of(layout) {
                Some(class) => self.keep(class, block),
                None => self.heap.deallocate(block, layout),
            }
        }
    }
}

/// The class of blocks for that layout, if processors keep such for themselves.
#[inline]
fn kept(layout: Layout) -> Option<usize> {
    class_of(layout).filter(|class| *class < blocks::CLASSES && local::is_adopted())
}

impl KernelHeap {
    #[cold]
    fn allocate_shared(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    /// # Safety
    /// As for [`Growing::free`].
    #[cold]
    unsafe fn free_shared(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller says so.
        unsafe { self.0.lock().free(block, layout) };
    }
}

// SAFETY: blocks come from the inner heap, which is sound for one user at a time: the lock sees to that.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match kept(layout) {
            Some(class) => {
                blocks::take(&self.0, class, layout.size()).map_or(ptr::null_mut(), NonNull::as_ptr)
            }
            None => self.allocate_shared(layout),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else { return };
        // SAFETY: the caller got the block from `alloc` with this layout.
        unsafe {
            match kept(layout) {
                Some(class) => blocks::give_back(&self.0, class, block, layout.size()),
                None => self.free_shared(block, layout),
            }
        }
    }
}

/// Bytes that are given out.
pub fn used() -> u64 {
    let shared = HEAP.0.lock().used;
    shared.wrapping_add(blocks::used())
}

/// Takes the first chunk. `false` when there is no memory at all.
pub fn init() -> bool {
    HEAP.0.lock().grow(CHUNK)
}
