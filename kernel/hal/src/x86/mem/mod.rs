//! Memory: frames for user space, and how much there is.

mod blocks;
pub(super) mod cache;
mod clear;
pub(super) mod growing;
pub(super) mod heap;
pub(super) mod phys;

use super::paging::PAGE;
use crate::account::Account;
use crate::label::Label;
use crate::sync::Ref;
use crate::types::{MemError, OutOfRange};
use alloc::vec::Vec;
use capos_abi::PAGE_SIZE;
use capos_mem::{FrameAllocator, LARGE_PAGES, Resource};
use core::arch::asm;

/// Pages of the machine that the kernel manages.
pub fn total_pages() -> u64 {
    phys::with(|allocator| allocator.managed_frames() as u64).unwrap_or(0)
}

/// Pages nobody uses.
pub fn free_pages() -> u64 {
    cache::free()
}

/// Pages of the kernel itself: heap, tables, stacks.
pub fn kernel_pages() -> u64 {
    phys::kernel_pages()
}

/// Bytes of the kernel heap that are in use.
pub fn heap_bytes() -> u64 {
    heap::used()
}

/// Some consecutive frames.
#[derive(Clone, Copy)]
struct Extent {
    /// Index of the first page in the whole.
    page: usize,
    /// Its physical address.
    address: u64,
}

/// Extents for which room is made at a time.
const BATCH: usize = 32;

enum Owner {
    /// Frames of the allocator, paid by an account.
    Account(Ref<Account>),
    /// The same, and they count as DMA pages too.
    Dma(Ref<Account>),
    /// A boot module: stays for ever, read-only.
    Boot,
    /// Registers of a device: no memory at all, and only to be mapped.
    Device,
}

/// Pages that may be mapped into user space; never holds Rust objects.
pub struct Frames {
    /// Sorted by page; never empty.
    extents: Vec<Extent>,
    pages: usize,
    owner: Owner,
    label: Label,
}

impl Frames {
    /// What tells it from other memory.
    pub fn label(&self) -> u64 {
        self.label.number()
    }

    /// `pages` zeroed pages charged to `budget`, wherever they are; whole large pages from the beginning on if there are such.
    pub fn zeroed(pages: usize, budget: &Ref<Account>) -> Result<Ref<Frames>, MemError> {
        Self::zeroed_from(0, pages, budget)
    }

    /// The same for pages of which the first is number `phase` of a large page.
    pub(super) fn zeroed_from(
        phase: usize,
        pages: usize,
        budget: &Ref<Account>,
    ) -> Result<Ref<Frames>, MemError> {
        Self::allocate(pages, budget, |frames, pages| frames.take(phase, pages))
    }

    /// Like [`Frames::zeroed`], physically contiguous.
    pub fn contiguous(pages: usize, budget: &Ref<Account>) -> Result<Ref<Frames>, MemError> {
        Self::allocate(pages, budget, |frames, pages| frames.take_run(pages))
    }

    /// Like [`Frames::contiguous`], with physical addresses below `1 << address_bits`. As long as anybody has them they count as DMA pages.
    pub(super) fn for_device(
        pages: usize,
        address_bits: u32,
        budget: &Ref<Account>,
    ) -> Result<Ref<Frames>, MemError> {
        Self::allocate(pages, budget, |frames, pages| {
            frames.take_run(pages)?;
            budget.charge(Resource::DmaPages, pages as u64).map_err(|_| MemError::BudgetExhausted)?;
            frames.owner = Owner::Dma(budget.clone());
            // The allocator gave the lowest that there are.
            let end = frames.locate(0).map_or(u64::MAX, |(address, pages)| address + pages as u64 * PAGE);
            let is_below = end <= 1u64.checked_shl(address_bits).unwrap_or(u64::MAX);
            is_below.then_some(()).ok_or(MemError::OutOfMemory)
        })
    }

    /// Whether it was made so.
    pub(super) fn is_for_device(&self) -> bool {
        matches!(self.owner, Owner::Dma(_))
    }

    fn allocate(
        pages: usize,
        budget: &Ref<Account>,
        take: impl FnOnce(&mut Frames, usize) -> Result<(), MemError>,
    ) -> Result<Ref<Frames>, MemError> {
        budget.charge(Resource::MemoryPages, pages as u64).map_err(|_| MemError::BudgetExhausted)?;
        Ok(Ref::try_new(Self::charged(pages, budget, take)?)?)
    }

    /// Frames that are charged for already; the charge goes with them, or back.
    fn charged(
        pages: usize,
        budget: &Ref<Account>,
        take: impl FnOnce(&mut Frames, usize) -> Result<(), MemError>,
    ) -> Result<Frames, MemError> {
        let mut frames = Frames {
            extents: Vec::new(),
            pages: 0,
            owner: Owner::Account(budget.clone()),
            label: Label::new(),
        };
        let outcome = take(&mut frames, pages);
        if outcome.is_err() || pages == 0 {
            // What was taken goes back by dropping; the rest of the charge has no frames to stand for.
            budget.refund(Resource::MemoryPages, (pages - frames.pages) as u64);
            return Err(outcome.err().unwrap_or(MemError::OutOfMemory));
        }
        frames.each_extent(|address, pages| phys::zero(address, pages as u64));
        Ok(frames)
    }

    /// Puts `more` behind, which belongs to the same account.
    fn append(&mut self, mut more: Frames) -> Result<(), MemError> {
        self.extents.try_reserve(more.extents.len()).map_err(|_| MemError::OutOfMemory)?;
        let before = self.pages;
        more.each_extent(|address, pages| {
            let last = self.extents.last().map(|last| (last.page, last.address));
            if last.is_none_or(|(page, start)| start + (self.pages - page) as u64 * PAGE != address) {
                self.extents.push(Extent { page: self.pages, address });
            }
            self.pages += pages;
        });
        debug_assert_eq!(self.pages, before + more.pages, "all of it");
        // They are ours now.
        more.pages = 0;
        more.extents.clear();
        Ok(())
    }

    /// Takes frames, large pages where they fit.
    fn take(&mut self, phase: usize, pages: usize) -> Result<(), MemError> {
        let outcome = self.take_pieces(phase, pages);
        let mut page = 0;
        for extent in &mut self.extents {
            // Up to here `page` held the extent's length.
            page += core::mem::replace(&mut extent.page, page);
        }
        outcome
    }

    fn take_pieces(&mut self, phase: usize, pages: usize) -> Result<(), MemError> {
        let before = (LARGE_PAGES - phase % LARGE_PAGES) % LARGE_PAGES;
        if pages >= before + LARGE_PAGES {
            self.take_single(before)?;
            while pages - self.pages >= LARGE_PAGES && self.take_large()? {}
        }
        self.take_single(pages)
    }

    /// Takes a large page. False when there is none.
    fn take_large(&mut self) -> Result<bool, MemError> {
        self.extents.try_reserve(1).map_err(|_| MemError::OutOfMemory)?;
        let Some(address) = run_of(LARGE_PAGES, LARGE_PAGES) else { return Ok(false) };
        let page = LARGE_PAGES;
        match self.extents.last_mut() {
            Some(last) if last.address + last.page as u64 * PAGE == address => last.page += page,
            _ => self.extents.push(Extent { page, address }),
        }
        self.pages += page;
        Ok(true)
    }

    /// Takes frames one by one until there are `pages` in all. They mostly come in descending order, so the list is built from its end and
    /// neighbours are joined.
    fn take_single(&mut self, pages: usize) -> Result<(), MemError> {
        let begin = self.extents.len();
        let outcome = match pages.saturating_sub(self.pages) {
            0 => Ok(()),
            few @ 1..=cache::FEW => self.take_few(begin, few),
            _ => self.take_many(begin, pages),
        };
        self.extents.get_mut(begin..).unwrap_or_default().reverse();
        outcome
    }

    /// Takes so many from what this processor keeps.
    fn take_few(&mut self, begin: usize, few: usize) -> Result<(), MemError> {
        self.extents.try_reserve(few).map_err(|_| MemError::OutOfMemory)?;
        for _ in 0..few {
            let address = cache::take().ok_or(MemError::OutOfMemory)?;
            self.put_before(begin, address);
        }
        Ok(())
    }

    /// Takes frames from the allocator until there are `pages` in all. Room in the list is made between the batches, because the heap takes
    /// frames too.
    fn take_many(&mut self, begin: usize, pages: usize) -> Result<(), MemError> {
        let mut drained = false;
        while self.pages < pages {
            self.extents.try_reserve(BATCH).map_err(|_| MemError::OutOfMemory)?;
            let all = phys::with(|allocator| self.take_batch(begin, pages, allocator)).unwrap_or(false);
            if !all && core::mem::replace(&mut drained, true) {
                return Err(MemError::OutOfMemory);
            }
            if !all {
                cache::drain();
            }
        }
        Ok(())
    }

    /// False when the allocator has no more.
    fn take_batch(&mut self, begin: usize, pages: usize, allocator: &mut FrameAllocator<'static>) -> bool {
        while self.pages < pages && self.extents.len() < self.extents.capacity() {
            let Some(frame) = allocator.allocate() else { return false };
            self.put_before(begin, frame as u64 * PAGE);
        }
        true
    }

    /// Puts a frame in front of those that were taken since the list had `begin` extents, for which there is room.
    fn put_before(&mut self, begin: usize, address: u64) {
        match self.extents.get_mut(begin..).and_then(<[Extent]>::last_mut) {
            Some(last) if last.address == address + PAGE => *last = Extent { page: last.page + 1, address },
            _ => self.extents.push(Extent { page: 1, address }),
        }
        self.pages += 1;
    }

    fn take_run(&mut self, pages: usize) -> Result<(), MemError> {
        self.extents.try_reserve_exact(1).map_err(|_| MemError::OutOfMemory)?;
        let address = run_of(pages, 1).ok_or(MemError::OutOfMemory)?;
        self.extents.push(Extent { page: 0, address });
        self.pages = pages;
        Ok(())
    }

    /// The pages of a boot module, which nobody writes.
    pub(super) fn of_module(address: u64, pages: usize) -> Result<Ref<Frames>, MemError> {
        Self::foreign(address, pages, Owner::Boot)
    }

    /// Pages of registers of a device at physical address `address`, to be mapped.
    pub(super) fn of_device(address: u64, pages: usize) -> Result<Ref<Frames>, MemError> {
        Self::foreign(address, pages, Owner::Device)
    }

    fn foreign(address: u64, pages: usize, owner: Owner) -> Result<Ref<Frames>, MemError> {
        let mut extents = Vec::new();
        extents.try_reserve_exact(1).map_err(|_| MemError::OutOfMemory)?;
        extents.push(Extent { page: 0, address });
        Ok(Ref::try_new(Frames { extents, pages, owner, label: Label::new() })?)
    }

    /// How many pages.
    #[inline]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Whether nobody may write: boot modules.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        matches!(self.owner, Owner::Boot)
    }

    /// Whether it is registers of a device, which are not cached, and not read or written but by who has them mapped.
    #[inline]
    pub fn is_device(&self) -> bool {
        matches!(self.owner, Owner::Device)
    }

    /// Physical address of page `page`, and how many pages follow it consecutively, itself included.
    pub(super) fn locate(&self, page: usize) -> Option<(u64, usize)> {
        let after = self.extents.partition_point(|extent| extent.page <= page);
        let extent = self.extents.get(after.checked_sub(1)?)?;
        let end = self.extents.get(after).map_or(self.pages, |next| next.page);
        let ahead = page - extent.page;
        (page < end).then(|| (extent.address + ahead as u64 * PAGE, end - page))
    }

    fn each_extent(&self, mut work: impl FnMut(u64, usize)) {
        let ends = self.extents.iter().skip(1).map(|next| next.page).chain([self.pages]);
        self.extents.iter().zip(ends).for_each(|(extent, end)| work(extent.address, end - extent.page));
    }

    /// Copies bytes out.
    pub fn read(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
        let total = out.len();
        self.each_piece(offset, total, |piece, done, length| {
            let to = out.get_mut(done..done + length).map_or(core::ptr::null_mut(), <[u8]>::as_mut_ptr);
            // SAFETY: `each_piece` keeps inside both.
            unsafe { copy(piece, to, length) };
        })
    }

    /// Copies bytes in. Refused for boot modules.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        if self.is_read_only() {
            return Err(OutOfRange);
        }
        self.each_piece(offset, bytes.len(), |piece, done, length| {
            let from = bytes.get(done..done + length).map_or(core::ptr::null(), <[u8]>::as_ptr);
            // SAFETY: `each_piece` keeps inside both.
            unsafe { copy(from, piece, length) };
        })
    }

    /// Calls `work` with pointer, bytes done so far and length of every contiguous piece of a range.
    fn each_piece(
        &self,
        offset: usize,
        total: usize,
        mut work: impl FnMut(*mut u8, usize, usize),
    ) -> Result<(), OutOfRange> {
        let end = offset.checked_add(total).ok_or(OutOfRange)?;
        if end > self.pages * PAGE_SIZE || self.is_device() {
            return Err(OutOfRange);
        }
        let mut done = 0;
        while done < total {
            let at = offset + done;
            let (address, pages) = self.locate(at / PAGE_SIZE).ok_or(OutOfRange)?;
            let within = at % PAGE_SIZE;
            let length = (total - done).min(pages * PAGE_SIZE - within);
            work(phys::pointer(address + within as u64), done, length);
            done += length;
        }
        Ok(())
    }
}

/// Copies between kernel memory and frames. User code may change the frames at the same time; in assembly the bytes are just
/// bytes, whichever version of them is seen.
///
/// # Safety
/// `length` bytes are readable at `from` and writable at `to`; they do not overlap.
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the caller says so. The direction flag is clear in the kernel.
    unsafe {
        asm!(
            "rep movsq",
            "mov ecx, {rest:e}",
            "rep movsb",
            rest = in(reg) length % 8,
            inout("rcx") length / 8 => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

/// Physical address of so many consecutive frames, the first a multiple of `align`.
fn run_of(pages: usize, align: usize) -> Option<u64> {
    let take = || phys::with(|allocator| allocator.allocate_run(pages, align)).flatten();
    let first = take().or_else(|| {
        // One of them may be what some processor keeps.
        cache::drain();
        take()
    });
    first.map(|first| first as u64 * PAGE)
}

/// Gives consecutive frames back. Few go to what this processor keeps, the lowest first: so they come in descending order again.
fn free(address: u64, pages: usize) {
    if pages <= cache::FEW {
        return (0..pages as u64).for_each(|page| cache::give_back(address + page * PAGE));
    }
    let outcome = phys::with(|allocator| allocator.free_run((address / PAGE) as usize, pages));
    debug_assert!(matches!(outcome, Some(Ok(()))), "frames at {address:#x} freed twice");
}

/// Most pages that go back in one piece.
const PIECE: usize = 8192;

impl Frames {
    /// Gives some of the frames back, as nobody else has them: as many as `left` allows for, of which each piece of memory takes up one and
    /// each [`LARGE_PAGES`] of it another. False when there are more.
    pub fn give_back_some(&mut self, left: &mut u32) -> bool {
        let (account, is_dma) = match &self.owner {
            Owner::Account(account) => (account, false),
            Owner::Dma(account) => (account, true),
            Owner::Boot | Owner::Device => return true,
        };
        while let Some(last) = self.extents.last() {
            if *left == 0 {
                return false;
            }
            let page = last.page.max(self.pages.saturating_sub(PIECE));
            let (address, pages) = (last.address + (page - last.page) as u64 * PAGE, self.pages - page);
            free(address, pages);
            account.refund(Resource::MemoryPages, pages as u64);
            if is_dma {
                account.refund(Resource::DmaPages, pages as u64);
            }
            if page == last.page {
                self.extents.pop();
            }
            self.pages = page;
            *left = left.saturating_sub(1 + (pages / LARGE_PAGES) as u32);
        }
        true
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let mut all = u32::MAX;
        self.give_back_some(&mut all);
    }
}
