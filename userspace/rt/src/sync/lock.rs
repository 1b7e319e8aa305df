//! Something that one thread at a time may see, and waiting for it to change.

use super::list::Waiter;
use super::raw::RawLock;
use super::{AtomicPtr, Ordering};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::ptr::{NonNull, null_mut};

/// Something that one thread at a time may see.
pub struct Mutex<T> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time have the value, which may go from thread to thread.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Mutex<T> {}

/// The value, until this is dropped.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    /// Around `value`.
    #[cfg(not(all(test, loom)))]
    pub const fn new(value: T) -> Self {
        Mutex { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Around `value`.
    #[cfg(all(test, loom))]
    pub fn new(value: T) -> Self {
        Mutex { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Waits until nobody else has it. Of those who wait the one that came first is next, but who comes just then may be faster.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.raw.lock();
        MutexGuard { mutex: self }
    }

    /// The value if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then_some(MutexGuard { mutex: self })
    }

    /// The value, when nobody else can have it any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and nobody else has this guard.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

/// Waits for a change of something behind a [`Mutex`].
pub struct Condvar {
    lock: RawLock,
    /// Who waits, the one that came first at the head. Only looked at under `lock`.
    first: AtomicPtr<Waiter>,
    last: AtomicPtr<Waiter>,
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// Nobody waits.
    #[cfg(not(all(test, loom)))]
    pub const fn new() -> Self {
        Condvar { lock: RawLock::new(), first: AtomicPtr::new(null_mut()), last: AtomicPtr::new(null_mut()) }
    }

    /// Nobody waits.
    #[cfg(all(test, loom))]
    pub fn new() -> Self {
        Condvar { lock: RawLock::new(), first: AtomicPtr::new(null_mut()), last: AtomicPtr::new(null_mut()) }
    }

    /// Gives the value up, waits for a notification, and takes it again. What changes after the value was given up notifies us.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let own = Waiter::new();
        own.prepare(null_mut());
        self.enqueue(&own);
        let mutex = guard.mutex;
        drop(guard);
        own.sleep();
        mutex.lock()
    }

    /// Waits as long as `unwanted` says so of the value.
    pub fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        mut unwanted: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let mut guard = guard;
        while unwanted(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Wakes the one who has waited longest.
    pub fn notify_one(&self) {
        if let Some(waiter) = self.dequeue() {
            // SAFETY: we have taken it out.
            unsafe { Waiter::wake(waiter) };
        }
    }

    /// Wakes all who wait now.
    pub fn notify_all(&self) {
        self.lock.lock();
        let mut next = self.first.load(Ordering::Relaxed);
        self.first.store(null_mut(), Ordering::Relaxed);
        self.last.store(null_mut(), Ordering::Relaxed);
        self.lock.unlock();
        while let Some(waiter) = NonNull::new(next) {
            // SAFETY: we have taken all of them out; it is alive until it is woken.
            unsafe {
                next = waiter.as_ref().next.load(Ordering::Relaxed);
                Waiter::wake(waiter);
            }
        }
    }

    pub(super) fn enqueue(&self, own: &Waiter) {
        let entry = NonNull::from(own).as_ptr();
        self.lock.lock();
        match NonNull::new(self.last.load(Ordering::Relaxed)) {
            // SAFETY: it is in the list, and we have the lock.
            Some(last) => unsafe { last.as_ref() }.next.store(entry, Ordering::Relaxed),
            None => self.first.store(entry, Ordering::Relaxed),
        }
        self.last.store(entry, Ordering::Relaxed);
        self.lock.unlock();
    }

    fn dequeue(&self) -> Option<NonNull<Waiter>> {
        self.lock.lock();
        let first = NonNull::new(self.first.load(Ordering::Relaxed));
        if let Some(first) = first {
            // SAFETY: as in `enqueue`.
            let next = unsafe { first.as_ref() }.next.load(Ordering::Relaxed);
            self.first.store(next, Ordering::Relaxed);
            if next.is_null() {
                self.last.store(null_mut(), Ordering::Relaxed);
            }
        }
        self.lock.unlock();
        first
    }
}
