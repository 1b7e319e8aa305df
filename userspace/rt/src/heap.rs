//! The heap: a first-fit list of holes over reserved address space that is backed as it is needed.
//!
//! Nothing is reserved before the first allocation. Growing is a call of `VirtualMemory.commit` in the middle of an
//! allocation, hence through [`crate::emergency`]. Memory goes back to the kernel when the process ends.

use crate::emergency;
use crate::thread;
use capos_abi::PAGE_SIZE;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use linked_list_allocator::Heap;
use spinning::Spinning;

/// Address space set aside for the heap; what it may really hold is the process's budget.
const SPACE: u64 = 1 << 30;

/// Least growth: sixteen pages.
const STEP: u64 = 16 * PAGE_SIZE as u64;

#[global_allocator]
static HEAP: Growing = Growing(Spinning::new(State { heap: Heap::empty(), end: 0, limit: 0 }));

struct Growing(Spinning<State>);

struct State {
    heap: Heap,
    /// One past the last backed byte; zero before the first allocation.
    end: u64,
    /// One past the reserved space.
    limit: u64,
}

impl State {
    /// Backs enough memory that an allocation of `layout` succeeds; false when that is refused.
    fn grow(&mut self, layout: Layout) -> bool {
        let need = (layout.size() + layout.align() + 64) as u64;
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
        if self.heap.size() == 0 {
            // SAFETY: just committed, zeroed, ours alone, and never given back.
            unsafe { self.heap.init(self.end as *mut u8, size as usize) };
        } else {
            // SAFETY: just committed directly behind the heap's end, ours alone, and never given back.
            unsafe { self.heap.extend(size as usize) };
        }
        self.end += size;
        true
    }
}

// SAFETY: the heap hands out disjoint blocks of committed memory under a lock, as large and aligned as the layout says.
unsafe impl GlobalAlloc for Growing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut state = self.0.lock();
        loop {
            if let Ok(block) = state.heap.allocate_first_fit(layout) {
                return block.as_ptr();
            }
            if !state.grow(layout) {
                return null_mut();
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller got the block from `alloc` with this layout.
            unsafe { self.0.lock().heap.deallocate(block, layout) };
        }
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
