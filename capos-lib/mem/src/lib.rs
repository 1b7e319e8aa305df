//! Memory as arithmetic: who may use how much ([`Budget`]), which frames are free ([`FrameAllocator`]), and what lies where in an
//! address space ([`Regions`]).
//!
//! Nothing here touches memory that it describes. Every allocation of the bookkeeping itself is fallible, and a refused operation
//! changes nothing (architecture sections 4 and 6: out of memory is an error to the requester).
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod budget;
pub mod frames;
mod magazine;
pub mod regions;
mod sync;

pub use budget::{Budget, Exhausted, RESOURCES, Resource};
pub use frames::{FrameAllocator, FrameCache, FrameError};
pub use magazine::Magazine;
pub use regions::{
    Backing, Bounds, Commitment, LARGE_PAGES, Placement, Protection, Region, RegionError, Regions, Removal,
    Withdrawal,
};
