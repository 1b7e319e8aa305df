//! The one place where the atomics of lock-free structures come from, so that loom can model the structures themselves. (What only counts
//! takes the processor's.)

#[cfg(not(all(loom, test)))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(all(loom, test)))]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, fence};

#[cfg(all(loom, test))]
pub(crate) use loom::hint::spin_loop;
#[cfg(all(loom, test))]
pub(crate) use loom::sync::atomic::fence;
#[cfg(all(loom, test))]
pub(crate) use model::{AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize};

/// Atomics of loom that are made when they are first used: loom's own cannot be made where a constant is wanted.
#[cfg(all(loom, test))]
mod model {
    use loom::sync::atomic as real;
    use std::cell::OnceCell;
    use std::ops::Deref;

    pub(crate) struct Later<A, V> {
        start: V,
        made: OnceCell<A>,
    }

    // SAFETY: loom runs all its threads on one of the host's.
    unsafe impl<A, V> Sync for Later<A, V> {}
    // SAFETY: as above.
    unsafe impl<A, V> Send for Later<A, V> {}

    impl<A, V> Later<A, V> {
        pub const fn new(start: V) -> Self {
            Later { start, made: OnceCell::new() }
        }
    }

    impl<A: From<V>, V: Copy> Deref for Later<A, V> {
        type Target = A;

        fn deref(&self) -> &A {
            self.made.get_or_init(|| A::from(self.start))
        }
    }

    /// A pointer, which loom makes in another way.
    pub(crate) struct Pointer<T>(real::AtomicPtr<T>);

    impl<T> From<*mut T> for Pointer<T> {
        fn from(start: *mut T) -> Self {
            Pointer(real::AtomicPtr::new(start))
        }
    }

    impl<T> Deref for Pointer<T> {
        type Target = real::AtomicPtr<T>;

        fn deref(&self) -> &real::AtomicPtr<T> {
            &self.0
        }
    }

    pub(crate) type AtomicPtr<T> = Later<Pointer<T>, *mut T>;
    pub(crate) type AtomicU8 = Later<real::AtomicU8, u8>;
    pub(crate) type AtomicU16 = Later<real::AtomicU16, u16>;
    pub(crate) type AtomicU64 = Later<real::AtomicU64, u64>;
    pub(crate) type AtomicUsize = Later<real::AtomicUsize, usize>;
}
