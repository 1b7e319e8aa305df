//! Frames of physical memory, and the direct map by which the kernel reaches them.

use super::{cache, clear};
use crate::order::LockRank;
use crate::sync::Lock;
use crate::x86::paging::PAGE;
use capos_mem::FrameAllocator;
use capos_mem::frames::MAX_FRAMES;
use core::sync::atomic::{AtomicU64, Ordering};
use limine::memory_map::{Entry, EntryType};

static OFFSET: AtomicU64 = AtomicU64::new(0);
static KERNEL_PAGES: AtomicU64 = AtomicU64::new(0);

enum Source {
    /// Before the allocator exists: the rest of one usable range.
    Early {
        next: u64,
        end: u64,
    },
    Allocator(FrameAllocator<'static>),
}

static SOURCE: Lock<Source> = Lock::new(LockRank::Frames, Source::Early { next: 0, end: 0 });

/// Where the direct map begins.
#[inline]
pub fn offset() -> u64 {
    OFFSET.load(Ordering::Relaxed)
}

/// The kernel's pointer to physical address `pa`. Valid for RAM that the kernel may use, and for boot modules (read-only).
#[inline]
pub fn pointer(pa: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut((offset() + pa) as usize)
}

fn usable(memory: &[&Entry]) -> impl Iterator<Item = (u64, u64)> {
    let limit = MAX_FRAMES as u64 * PAGE;
    memory
        .iter()
        .filter(|entry| entry.entry_type == EntryType::USABLE)
        .map(move |entry| {
            (entry.base.next_multiple_of(PAGE), ((entry.base + entry.length) / PAGE * PAGE).min(limit))
        })
        .filter(|(start, end)| start < end)
}

/// Starts with the largest usable range as the source of frames.
pub fn init_early(direct_map: u64, memory: &[&Entry]) {
    OFFSET.store(direct_map, Ordering::Relaxed);
    let largest = usable(memory).max_by_key(|(start, end)| end - start);
    if let Some((next, end)) = largest {
        *SOURCE.lock() = Source::Early { next, end };
    }
}

/// Changes over to the real allocator, whose bitmap lies at the start of what is left of the early range. `false` when there is
/// no room for it.
pub fn init(memory: &[&Entry]) -> bool {
    let mut source = SOURCE.lock();
    let Source::Early { next, end } = *source else { return true };
    let frames = usable(memory).map(|(_, end)| (end / PAGE) as usize).max().unwrap_or(0);
    let words = FrameAllocator::words_needed(frames);
    let taken = (words as u64 * 8).next_multiple_of(PAGE);
    if end - next < taken {
        return false;
    }
    // SAFETY: unused memory of the early range, which never leaves the kernel from here on.
    let metadata = unsafe { core::slice::from_raw_parts_mut(pointer(next).cast::<u64>(), words) };
    let Ok(mut allocator) = FrameAllocator::new(metadata, frames) else { return false };
    KERNEL_PAGES.fetch_add(taken / PAGE, Ordering::Relaxed);
    for (start, stop) in usable(memory) {
        let start = if stop == end { next + taken } else { start };
        // Ranges that overlap are the firmware's mistake; the second one is left alone.
        let _ = allocator.add((start / PAGE) as usize, ((stop - start) / PAGE) as usize);
    }
    *source = Source::Allocator(allocator);
    true
}

/// Adds memory that the loader no longer needs.
pub fn reclaim(start: u64, end: u64) {
    if let Source::Allocator(allocator) = &mut *SOURCE.lock() {
        let (first, last) = (start.div_ceil(PAGE), end / PAGE);
        // Beyond the largest usable address there is no bitmap, and such a range stays unused.
        let _ = allocator.add(first as usize, last.saturating_sub(first) as usize);
    }
}

/// Runs `work` on the allocator; `None` before there is one.
pub(super) fn with<R>(work: impl FnOnce(&mut FrameAllocator<'static>) -> R) -> Option<R> {
    match &mut *SOURCE.lock() {
        Source::Allocator(allocator) => Some(work(allocator)),
        Source::Early { .. } => None,
    }
}

/// One frame, whatever is in it.
pub fn frame() -> Option<u64> {
    match &mut *SOURCE.lock() {
        Source::Allocator(allocator) => allocator.allocate().map(|frame| frame as u64 * PAGE),
        Source::Early { next, end } => (*next < *end).then(|| {
            *next += PAGE;
            *next - PAGE
        }),
    }
}

/// One zeroed frame that the kernel keeps.
pub fn kernel_frame() -> Option<u64> {
    let frame = frame().or_else(|| {
        cache::drain();
        frame()
    })?;
    KERNEL_PAGES.fetch_add(1, Ordering::Relaxed);
    zero(frame, 1);
    Some(frame)
}

/// Takes back what [`kernel_frame`] gave.
pub fn give_back_kernel_frame(frame: u64) {
    KERNEL_PAGES.fetch_sub(1, Ordering::Relaxed);
    cache::give_back(frame);
}

/// So many consecutive zeroed frames that the kernel keeps.
pub fn kernel_run(pages: usize) -> Option<u64> {
    let take = || with(|allocator| allocator.allocate_run(pages, 1)).flatten();
    let first = take().or_else(|| {
        cache::drain();
        take()
    })?;
    KERNEL_PAGES.fetch_add(pages as u64, Ordering::Relaxed);
    let address = first as u64 * PAGE;
    zero(address, pages as u64);
    Some(address)
}

/// Clears `pages` consecutive frames that belong to the caller.
#[inline]
pub fn zero(pa: u64, pages: u64) {
    // SAFETY: the frames are the caller's alone and lie in the direct map.
    unsafe { clear::pages(pointer(pa), pages) };
}

/// Frames that the kernel uses for itself.
pub fn kernel_pages() -> u64 {
    KERNEL_PAGES.load(Ordering::Relaxed)
}
