//! The one place where atomics come from. [`Block`] is the shared memory of a ring; under loom it is a model of that memory in
//! which the indices are loom's atomics and the entries are cells that report every unordered access.

#[cfg(not(all(loom, test)))]
mod block;
#[cfg(all(loom, test))]
pub(crate) mod model;

#[cfg(not(all(loom, test)))]
pub(crate) use block::Block;
#[cfg(not(all(loom, test)))]
pub(crate) use core::sync::atomic::Ordering;
#[cfg(all(loom, test))]
pub(crate) use loom::sync::atomic::Ordering;
#[cfg(all(loom, test))]
pub(crate) use model::Block;
