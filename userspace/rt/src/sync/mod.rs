//! Locks for programs of several threads. A lock that is free, and one that nobody waits for, is taken and given back by one atomic
//! operation; whoever has to wait sleeps in the kernel (PARK, decision 0016) and is woken by name.

mod list;
mod lock;
mod parker;
mod raw;

#[cfg(all(test, loom))]
mod models;

pub use lock::{Condvar, Mutex, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

#[cfg(not(all(test, loom)))]
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
