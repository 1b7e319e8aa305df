//! The page tables of one address space. Their frames are charged to the account that pays for the space.

use super::{Memory, bytes};
use crate::account::Account;
use crate::sync::Ref;
use crate::types::VmError;
use crate::x86::mem::phys;
use crate::x86::paging::kernel::share_kernel_half;
use crate::x86::paging::{KERNEL_HALF, PAGE, bits, entry, existing_entry, span, table};
use alloc::vec::Vec;
use capos_mem::{Protection, Region, Resource};
use core::sync::atomic::Ordering;

/// Lowest tables that were taken out because they had become empty: a list that runs through their own first entries, where the
/// address of the next table counts as an entry that is not present.
#[must_use]
pub(super) struct Pruned(u64);

impl Pruned {
    /// None yet.
    pub(super) const fn none() -> Self {
        Pruned(0)
    }
}

/// The tables, reachable from the top one. Used under the lock of the address space.
pub(super) struct Tables {
    top: u64,
    /// Every table below the top one, so that freeing them needs no walk through thousands of entries.
    below: Vec<u64>,
}

/// The entry of a page at physical address `pa`. [`Protection::None`] keeps the frame in the regions only.
fn leaf(pa: u64, protection: Protection) -> u64 {
    let user = pa | bits::PRESENT | bits::USER;
    match protection {
        Protection::None => 0,
        Protection::Read => user | bits::NO_EXECUTE,
        Protection::ReadWrite => user | bits::WRITABLE | bits::NO_EXECUTE,
        Protection::ReadExecute => user,
    }
}

/// One zeroed frame for a table, charged.
fn allocate(account: &Account) -> Result<u64, VmError> {
    account.charge(Resource::MemoryPages, 1).map_err(|_| VmError::BudgetExhausted)?;
    match phys::frame() {
        Some(frame) => {
            phys::zero(frame, 1);
            Ok(frame)
        }
        None => {
            account.refund(Resource::MemoryPages, 1);
            Err(VmError::OutOfMemory)
        }
    }
}

fn free(pa: u64, account: &Account) {
    phys::free(pa);
    account.refund(Resource::MemoryPages, 1);
}

impl Tables {
    /// A top table with nothing in the user half.
    pub(super) fn new(account: &Ref<Account>) -> Result<Self, VmError> {
        let top = allocate(account)?;
        // SAFETY: a fresh frame.
        unsafe { share_kernel_half(top) };
        Ok(Tables { top, below: Vec::new() })
    }

    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// Makes all tables that `pages` pages from `va` on need. What was made stays when one cannot be had; it is freed with the
    /// address space.
    pub(super) fn provide(&mut self, va: u64, pages: usize, account: &Account) -> Result<(), VmError> {
        let mut failure = VmError::OutOfMemory;
        let below = &mut self.below;
        let mut more = || {
            below.try_reserve(1).ok()?;
            let table = allocate(account).map_err(|error| failure = error).ok()?;
            below.push(table);
            Some(table)
        };
        let mut at = va;
        while at < va + bytes(pages) {
            // SAFETY: `self` is borrowed mutably, so nobody else changes these tables.
            if unsafe { entry(self.top, at, 1, &mut more) }.is_err() {
                return Err(failure);
            }
            at = (at + 1).next_multiple_of(span(2));
        }
        Ok(())
    }

    /// Writes the entries of a backed region, whose tables exist.
    pub(super) fn fill(&mut self, region: &Region<Memory>) {
        let Some(backing) = &region.backing else { return };
        let mut run = (0, 0);
        self.each_entry(region, |n| {
            if run.1 == 0 {
                run = backing.object.frames.locate(backing.first + n).unwrap_or((0, 0));
            }
            let (pa, left) = run;
            run = (pa + PAGE, left.saturating_sub(1));
            // Beyond the object there is nothing; callers checked, so this is never seen.
            if left == 0 { 0 } else { leaf(pa, region.protection) }
        });
    }

    /// Clears the entries of a region.
    pub(super) fn empty(&mut self, region: &Region<Memory>) {
        self.each_entry(region, |_| 0);
    }

    /// Takes out the lowest tables of a region that have become empty, so that a process that maps and unmaps for ever does not
    /// pay for every address it ever used. They must live until no CPU uses them.
    pub(super) fn prune(&mut self, region: &Region<Memory>, pruned: &mut Pruned) {
        let mut at = region.start;
        while at < region.end() {
            // SAFETY: user tables hold no large pages, and `self` is borrowed mutably.
            if let Some(slot) = unsafe { existing_entry(self.top, at, 2) } {
                let entry = slot.load(Ordering::Relaxed);
                // SAFETY: a present entry of level 2 names a table.
                let low = (entry & bits::PRESENT != 0).then(|| unsafe { table(entry) });
                if let Some(low) = low.filter(|low| low.iter().all(|slot| slot.load(Ordering::Relaxed) == 0))
                {
                    slot.store(0, Ordering::Release);
                    low[0].store(pruned.0, Ordering::Release);
                    pruned.0 = entry & bits::ADDRESS;
                }
            }
            at = (at + 1).next_multiple_of(span(2));
        }
    }

    /// Frees tables that were pruned and that no CPU uses any more.
    pub(super) fn release_pruned(&mut self, pruned: Pruned, account: &Account) {
        let mut at = pruned.0;
        while at != 0 {
            // SAFETY: a table on the list, which nobody else knows any more.
            let next = unsafe { table(at)[0].load(Ordering::Relaxed) };
            if let Some(n) = self.below.iter().position(|table| *table == at) {
                self.below.swap_remove(n);
            }
            free(at, account);
            at = next;
        }
    }

    fn each_entry(&mut self, region: &Region<Memory>, mut value: impl FnMut(usize) -> u64) {
        for n in 0..region.pages {
            // SAFETY: user tables hold no large pages, and `self` is borrowed mutably.
            if let Some(slot) = unsafe { existing_entry(self.top, region.start + bytes(n), 1) } {
                slot.store(value(n), Ordering::Release);
            }
        }
    }

    /// Takes everything out of the top table. The tables below must live until no CPU uses them.
    pub(super) fn cut(&mut self) {
        // SAFETY: our own top table.
        let top = unsafe { table(self.top) };
        top.iter().take(KERNEL_HALF).for_each(|slot| slot.store(0, Ordering::Release));
    }

    /// Frees the tables that were cut off and that no CPU uses any more.
    pub(super) fn release(&mut self, account: &Account) {
        core::mem::take(&mut self.below).into_iter().for_each(|table| free(table, account));
    }

    /// Frees the top table: the last thing that happens to it.
    pub(super) fn release_top(&mut self, account: &Account) {
        free(self.top, account);
    }
}
