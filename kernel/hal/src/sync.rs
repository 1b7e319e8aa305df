//! Locks and reference counts for kernel objects.
//!
//! Reference counts are our own because the standard `Arc` cannot report that memory ran out, and running out is an error to the
//! requester, never a panic.

use crate::atomics::{AtomicPtr, AtomicUsize, fence};
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

pub use crate::lock::{Guard, Lock};

/// The kernel heap has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

struct Counted<T> {
    count: AtomicUsize,
    value: T,
}

/// A shared kernel object: an `Arc` whose creation can fail.
pub struct Ref<T> {
    cell: NonNull<Counted<T>>,
    owns: PhantomData<Counted<T>>,
}

// SAFETY: a `Ref` gives out `&T` only and drops the value on whichever CPU lets go last: what `Arc` does, under the same bounds.
unsafe impl<T: Send + Sync> Send for Ref<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Ref<T> {}

impl<T> Ref<T> {
    /// Moves `value` to the heap; gives it back to nobody (drops it) when there is no room.
    pub fn try_new(value: T) -> Result<Self, OutOfMemory> {
        let layout = Layout::new::<Counted<T>>();
        // SAFETY: the layout is not of size zero: it holds the count.
        let raw = unsafe { alloc(layout) }.cast::<Counted<T>>();
        let cell = NonNull::new(raw).ok_or(OutOfMemory)?;
        // SAFETY: freshly allocated for exactly this type.
        unsafe { cell.write(Counted { count: AtomicUsize::new(1), value }) };
        Ok(Ref { cell, owns: PhantomData })
    }

    /// Whether both are the same object.
    #[inline]
    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        a.cell == b.cell
    }

    /// How many `Ref`s there are; for audits, as it may be old by the time it is read.
    pub fn count(this: &Self) -> usize {
        this.counted().count.load(Ordering::Relaxed)
    }

    /// The object itself, if this is the last `Ref` to it. For who must not drop it in the middle of something else.
    pub fn into_inner(self) -> Option<T> {
        let raw = self.into_raw();
        // SAFETY: the count still includes what was `self`, so the cell lives.
        let before = unsafe { (*raw).count.fetch_sub(1, Ordering::Release) };
        if before != 1 {
            return None;
        }
        fence(Ordering::Acquire);
        // SAFETY: nobody else can reach the cell any more; the value is moved out once, and then only the memory is freed.
        unsafe {
            let value = ptr::read(&raw const (*raw).value);
            dealloc(raw.cast(), Layout::new::<Counted<T>>());
            Some(value)
        }
    }

    #[inline]
    fn counted(&self) -> &Counted<T> {
        // SAFETY: the cell lives while any `Ref` to it does, and `self` is one.
        unsafe { self.cell.as_ref() }
    }

    fn into_raw(self) -> *mut Counted<T> {
        let raw = self.cell.as_ptr();
        core::mem::forget(self);
        raw
    }
}

impl<T> Clone for Ref<T> {
    #[inline]
    fn clone(&self) -> Self {
        // No overflow check: budgets bound the holders far below 2^63.
        self.counted().count.fetch_add(1, Ordering::Relaxed);
        Ref { cell: self.cell, owns: PhantomData }
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Ref<T> {
    #[inline]
    fn drop(&mut self) {
        if self.counted().count.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            free(self.cell);
        }
    }
}

#[cold]
fn free<T>(cell: NonNull<Counted<T>>) {
    // SAFETY: called once, by the last holder; nobody else can reach the cell.
    unsafe {
        ptr::drop_in_place(cell.as_ptr());
        dealloc(cell.as_ptr().cast(), Layout::new::<Counted<T>>());
    }
}

/// A place that holds one `Ref` or none and is changed by a single atomic swap.
pub struct RefSlot<T> {
    raw: AtomicPtr<Counted<T>>,
    owns: PhantomData<Ref<T>>,
}

// SAFETY: whatever is inside moves in and out whole, by swap; nothing is lent from it.
unsafe impl<T: Send + Sync> Sync for RefSlot<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for RefSlot<T> {}

impl<T> RefSlot<T> {
    /// Holds nothing.
    pub const fn empty() -> Self {
        RefSlot { raw: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// Puts `value` in and gives back what was there.
    #[inline]
    pub fn put(&self, value: Ref<T>) -> Option<Ref<T>> {
        Self::wrap(self.raw.swap(value.into_raw(), Ordering::AcqRel))
    }

    /// Whether `value` is what is there, at this moment.
    #[inline]
    pub fn holds(&self, value: &Ref<T>) -> bool {
        ptr::eq(self.raw.load(Ordering::Relaxed), value.cell.as_ptr())
    }

    /// Whether nothing is there, at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.raw.load(Ordering::Relaxed).is_null()
    }

    /// Takes out what is there.
    #[inline]
    pub fn take(&self) -> Option<Ref<T>> {
        Self::wrap(self.raw.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    #[inline]
    fn wrap(raw: *mut Counted<T>) -> Option<Ref<T>> {
        NonNull::new(raw).map(|cell| Ref { cell, owns: PhantomData })
    }
}

impl<T> Drop for RefSlot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Lock, Ref, RefSlot};
    use crate::order::LockRank;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Arc;

    struct Tell(Arc<AtomicUsize>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_last_holder_drops_the_value_once() {
        let drops = Arc::new(AtomicUsize::new(0));
        let first = Ref::try_new(Tell(drops.clone())).unwrap();
        let second = first.clone();
        assert!(Ref::ptr_eq(&first, &second) && Ref::count(&first) == 2);
        drop(first);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(second);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_slot_swaps_and_drops_what_it_holds() {
        let drops = Arc::new(AtomicUsize::new(0));
        let slot = RefSlot::empty();
        assert!(slot.take().is_none());
        assert!(slot.put(Ref::try_new(Tell(drops.clone())).unwrap()).is_none());
        let old = slot.put(Ref::try_new(Tell(drops.clone())).unwrap());
        assert!(old.is_some());
        drop(old);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        drop(slot);
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn refs_and_locks_hold_under_threads() {
        let total = Ref::try_new(Lock::new(LockRank::List, 0u64)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let total = total.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        *total.clone().lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*total.lock(), 4000);
        assert_eq!(Ref::count(&total), 1);
    }
}
