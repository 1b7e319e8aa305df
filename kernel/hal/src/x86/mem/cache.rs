//! The frames that each processor keeps for itself. Pages and page tables of programs come from there, so that a processor that maps a little
//! memory seldom has to wait for another.

use super::phys;
use crate::order::LockRank;
use crate::sync::{Guard, Lock};
use crate::x86::cpu::{self, MAX_CPUS};
use crate::x86::paging::PAGE;
use capos_mem::FrameCache;

/// Most frames that are worth to be taken and given back one by one: whoever needs more, or has more that lie together, goes to the allocator.
pub const FEW: usize = 4;

/// Of one processor. Aligned so that no two share a cache line and the way to one is a shift.
#[repr(align(1024))]
struct Own(Lock<FrameCache>);

static OWN: [Own; MAX_CPUS] = [const { Own(Lock::new(LockRank::Cache, FrameCache::new())) }; MAX_CPUS];

#[inline]
fn of(cpu: usize) -> Guard<'static, FrameCache> {
    OWN[cpu].0.lock()
}

/// One frame, whatever is in it. For when this processor knows its number.
#[inline]
pub fn take() -> Option<u64> {
    let mut own = of(cpu::id());
    let frame = match own.take() {
        Some(frame) => frame,
        None => take_elsewhere(own)?,
    };
    Some(frame as u64 * PAGE)
}

#[cold]
fn take_elsewhere(mut own: Guard<'_, FrameCache>) -> Option<usize> {
    let found = phys::with(|shared| own.take_after_filling(shared)).flatten();
    drop(own);
    found.or_else(|| {
        drain();
        phys::with(|shared| shared.allocate()).flatten()
    })
}

/// Takes back a frame that came from here or from the allocator.
#[inline]
pub fn give_back(pa: u64) {
    let mut own = of(cpu::id());
    if let Err(frame) = own.put((pa / PAGE) as usize) {
        give_back_half(own, frame);
    }
}

#[cold]
fn give_back_half(mut own: Guard<'_, FrameCache>, frame: usize) {
    let good = phys::with(|shared| own.put_after_spilling(frame, shared));
    debug_assert!(good == Some(true), "a frame was freed twice");
}

/// The allocator gets back what all processors keep: somebody needs a frame and it has none, or not enough together.
#[cold]
pub fn drain() {
    for cpu in 0..cpu::count() {
        let mut own = of(cpu);
        let good = phys::with(|shared| own.drain(shared));
        debug_assert!(good != Some(false), "a frame was freed twice");
    }
}

/// How many frames nobody uses. One store is looked at after the other: what goes from one to another meanwhile may be missed, or counted twice.
pub fn free() -> u64 {
    let kept: usize = (0..cpu::count()).map(|cpu| of(cpu).len()).sum();
    phys::with(|shared| shared.free_frames() + kept).unwrap_or(0) as u64
}
