//! The host allocator with a failure on demand, so that "fail the nth allocation, for every n" can be tested.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

std::thread_local! {
    static COUNTDOWN: Cell<Option<u64>> = const { Cell::new(None) };
    static FRAMES: Cell<Option<u64>> = const { Cell::new(None) };
    static USED: Cell<u64> = const { Cell::new(0) };
}

/// Makes the `n`th allocation of this thread from now on (0 is the next) fail, once.
pub fn fail_nth_allocation(n: u64) {
    COUNTDOWN.set(Some(n));
}

/// Makes the `n`th allocation of frames of this thread from now on (0 is the next) fail, once.
pub fn fail_nth_frames(n: u64) {
    FRAMES.set(Some(n));
}

/// Plans no failure. Returns whether a planned one had not happened yet.
pub fn never_fail() -> bool {
    let (heap, frames) = (COUNTDOWN.take(), FRAMES.take());
    heap.is_some() || frames.is_some()
}

/// Counts one allocation; true when it is the one to fail.
pub(super) fn fails() -> bool {
    COUNTDOWN.try_with(counts_down).unwrap_or(false)
}

/// The same for frames.
pub(super) fn frames_fail() -> bool {
    FRAMES.try_with(counts_down).unwrap_or(false)
}

fn counts_down(countdown: &Cell<Option<u64>>) -> bool {
    match countdown.get() {
        None => false,
        Some(0) => {
            countdown.set(None);
            true
        }
        Some(n) => {
            countdown.set(Some(n - 1));
            false
        }
    }
}

/// Runs the fake's own bookkeeping, whose allocations the real machine does not make, without failures.
pub(super) fn unfailing<R>(run: impl FnOnce() -> R) -> R {
    let planned = COUNTDOWN.take();
    let result = run();
    COUNTDOWN.set(planned);
    result
}

/// Bytes that this thread has allocated and not freed. What it frees of another's counts against it.
pub(super) fn used() -> u64 {
    USED.get()
}

fn count(change: impl FnOnce(u64) -> u64) {
    // A thread that ends frees what it had after the counter is gone.
    let _ = USED.try_with(|used| used.set(change(used.get())));
}

struct Faulty;

#[global_allocator]
static HEAP: Faulty = Faulty;

// SAFETY: passes everything on to the system allocator, or answers null, which the contract of `GlobalAlloc` allows.
unsafe impl GlobalAlloc for Faulty {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() {
            return core::ptr::null_mut();
        }
        count(|used| used.wrapping_add(layout.size() as u64));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(|used| used.wrapping_sub(layout.size() as u64));
        // SAFETY: the caller keeps the contract; all our memory is the system allocator's.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails() {
            return core::ptr::null_mut();
        }
        count(|used| used.wrapping_add(size as u64).wrapping_sub(layout.size() as u64));
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}
