//! The heap: `talc` (decision 0038) over reserved address space that is backed as it is needed.
//!
//! Nothing is reserved before the first allocation. Growing is a call of `VirtualMemory.commit` in the middle of an
//! allocation, hence through [`crate::emergency`]. Memory goes back to the kernel when the process ends.

use crate::emergency;
use crate::thread;
use capos_abi::PAGE_SIZE;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use spinning::Spinning;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::source::Manual;

/// Address space set aside for the heap; what it may really hold is the process's budget.
const SPACE: u64 = 1 << 30;

/// Least growth: sixteen pages.
const STEP: u64 = 16 * PAGE_SIZE as u64;

/// More than the heap needs for itself beside what is allocated: its lists in the first pages, and a word for each block.
const OWN: usize = talc::min_first_heap_size::<DefaultBinning>() + 64;

#[global_allocator]
static HEAP: Growing =
    Growing(Spinning::new(State { heap: Talc::new(Manual), heap_end: None, end: 0, limit: 0 }));

struct Growing(Spinning<State>);

struct State {
    heap: Talc<Manual, DefaultBinning>,
    /// Where the heap ends by its own account, once there is one.
    heap_end: Option<NonNull<u8>>,
    /// One past the last backed byte; zero before the first allocation.
    end: u64,
    /// One past the reserved space.
    limit: u64,
}

// SAFETY: what its pointers lead to is the heap's own, whichever thread has it.
unsafe impl Send for State {}

impl State {
    /// Backs enough memory that an allocation of `layout` succeeds; false when that is refused.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, layout: Layout) -> bool {
        let need = (layout.size() + layout.align() + OWN) as u64;
        let need = need.next_multiple_of(PAGE_SIZE as u64);
        if self.end == 0 && !self.reserve() {
            return false;
        }
        self.extend(need.max(STEP)) || self.extend(need)
    }

    fn reserve(&mut self) -> bool {
        let Some(base) = emergency::reserve(thread::current(), SPACE) else { return false };
        (self.end, self.limit) = (base, base + SPACE);
        true
    }

    fn extend(&mut self, size: u64) -> bool {
        if size > self.limit - self.end || !emergency::commit(thread::current(), self.end, size) {
            return false;
        }
        let begin = self.end as *mut u8;
        self.end += size;
        self.heap_end = match self.heap_end {
            // SAFETY: just committed, ours alone, and never given back.
            None => unsafe { self.heap.claim(begin, size as usize) },
            // SAFETY: as before, and it begins where the heap ends.
            Some(end) => Some(unsafe { self.heap.extend(end, self.end as *mut u8) }),
        };
        self.heap_end.is_some()
    }
}

// SAFETY: the heap hands out disjoint blocks of committed memory under a lock, as large and aligned as the layout says.
unsafe impl GlobalAlloc for Growing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut state = self.0.lock();
        loop {
            // SAFETY: the caller asks for something.
            if let Some(block) = unsafe { state.heap.try_allocate(layout) } {
                return block.as_ptr();
            }
            if !state.grow(layout) {
                return null_mut();
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller got the block from `alloc` with this layout.
        unsafe { self.0.lock().heap.deallocate(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller got the block from `alloc` with this layout, and wants something.
        if unsafe { self.0.lock().heap.try_realloc_in_place(block, layout, size) } {
            return block;
        }
        // SAFETY: the caller's promise: rounded up to the alignment the size is not too large.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: it is not empty.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both are blocks of at least so many bytes, and not the same one; the old one is given up by the caller.
            unsafe {
                core::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

/// A lock for the heap: the threads of a process share it.
mod spinning {
    use core::cell::UnsafeCell;
    use core::ops::{Deref, DerefMut};
    use core::sync::atomic::{AtomicBool, Ordering};

    pub(super) struct Spinning<T> {
        held: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: the value is only reached through the guard, which one thread has at a time.
    unsafe impl<T: Send> Sync for Spinning<T> {}

    impl<T> Spinning<T> {
        pub(super) const fn new(value: T) -> Self {
            Spinning { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }

        pub(super) fn lock(&self) -> Guard<'_, T> {
            // A holder that was preempted needs the processor: yield it after a while instead of spinning on.
            let mut turns = 0u32;
            while self.held.swap(true, Ordering::Acquire) {
                turns += 1;
                if turns.is_multiple_of(64) {
                    crate::sys::cap_enter(1, 20_000);
                } else {
                    core::hint::spin_loop();
                }
            }
            Guard(self)
        }
    }

    pub(super) struct Guard<'a, T>(&'a Spinning<T>);

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: this guard is the only one.
            unsafe { &*self.0.value.get() }
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: this guard is the only one.
            unsafe { &mut *self.0.value.get() }
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            self.0.held.store(false, Ordering::Release);
        }
    }
}
