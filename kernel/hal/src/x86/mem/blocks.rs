//! Small blocks of the kernel heap that each processor keeps for itself, so that a processor that makes and drops a few small objects, as mapping
//! memory does, seldom has to wait for another.

use super::heap::Growing;
use crate::order::LockRank;
use crate::sync::{Guard, Lock};
use crate::x86::cpu::{self, MAX_CPUS};
use capos_mem::Magazine;
use core::ptr::NonNull;

/// Classes of which blocks are kept: the first, up to 512 bytes.
pub const CLASSES: usize = 5;
/// Most blocks of one class that a processor keeps.
const MOST: usize = 16;

/// What a processor keeps of one class.
pub type Kept = Magazine<NonNull<u8>, MOST>;

struct Blocks {
    kept: [Kept; CLASSES],
    /// Bytes of blocks that were given out here, less those that were given back here.
    used: u64,
}

// SAFETY: the blocks belong to the heap alone.
unsafe impl Send for Blocks {}

/// Of one processor. Aligned so that no two share a cache line and the way to one is a shift.
#[repr(align(1024))]
struct Own(Lock<Blocks>);

static OWN: [Own; MAX_CPUS] = [const {
    Own(Lock::new(
        LockRank::Blocks,
        Blocks { kept: [const { Kept::new(NonNull::dangling()) }; CLASSES], used: 0 },
    ))
}; MAX_CPUS];

#[inline]
fn of(cpu: usize) -> Guard<'static, Blocks> {
    OWN[cpu].0.lock()
}

/// A block of a class, for `size` bytes.
#[inline]
pub fn take(heap: &Lock<Growing>, class: usize, size: usize) -> Option<NonNull<u8>> {
    let mut own = of(cpu::id());
    own.used = own.used.wrapping_add(size as u64);
    own.kept[class].take().or_else(|| take_elsewhere(heap, own, class, size))
}

/// The processor has none: from the heap, or if that has none and cannot grow, from what others keep.
#[cold]
fn take_elsewhere(
    heap: &Lock<Growing>,
    mut own: Guard<'_, Blocks>,
    class: usize,
    size: usize,
) -> Option<NonNull<u8>> {
    let found = heap.lock().fill(&mut own.kept[class], class);
    drop(own);
    found.or_else(|| {
        (0..cpu::count()).for_each(|cpu| spill(heap, &mut of(cpu), class, 0));
        let mut own = of(cpu::id());
        let found = heap.lock().fill(&mut own.kept[class], class);
        own.used = own.used.wrapping_sub(if found.is_some() { 0 } else { size as u64 });
        found
    })
}

/// # Safety
/// `block` came from the heap, is of that class and for `size` bytes, and is not used any more.
#[inline]
pub unsafe fn give_back(heap: &Lock<Growing>, class: usize, block: NonNull<u8>, size: usize) {
    let mut own = of(cpu::id());
    own.used = own.used.wrapping_sub(size as u64);
    if own.kept[class].put(block).is_err() {
        give_back_half(heap, own, class, block);
    }
}

#[cold]
fn give_back_half(heap: &Lock<Growing>, mut own: Guard<'_, Blocks>, class: usize, block: NonNull<u8>) {
    spill(heap, &mut own, class, Kept::HALF);
    // There is room now.
    let _ = own.kept[class].put(block);
}

/// The heap gets back all but `keep` blocks of a class.
fn spill(heap: &Lock<Growing>, own: &mut Blocks, class: usize, keep: usize) {
    let mut heap = heap.lock();
    // SAFETY: what is kept here came from the heap, is of that class, and nobody uses it.
    own.kept[class].spill(keep, |block| unsafe { heap.keep(class, block) });
}

/// Bytes of blocks that were given out by processors, less those that were given back to them. The sum wraps: what came from the heap itself
/// may be given back here.
pub fn used() -> u64 {
    (0..cpu::count()).fold(0, |sum, cpu| of(cpu).used.wrapping_add(sum))
}
