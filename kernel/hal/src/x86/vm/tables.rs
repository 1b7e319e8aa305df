//! The page tables of one address space. Their frames are charged to the account that pays for the space.
//!
//! An entry that names a table also says how many entries of that table are used, in bits that the processor ignores (Intel SDM vol. 3,
//! 4.5, tables 4-15 to 4-18: bits 52 to 58 and, as nothing is mapped by such an entry, 59 to 61). So a table that has become empty is known
//! without looking at it. What covers a whole 2 MiB and lies in 2 MiB of memory that begin where those do is one large page. Each
//! large page has a table in reserve, so that a part of it can be taken out or protected differently without any memory.

#[path = "tables/check.rs"]
mod check;

use super::Memory;
use super::window::{Piece, pieces};
use crate::account::Account;
use crate::sync::Ref;
use crate::types::VmError;
use crate::x86::mem::{Frames, cache, phys};
use crate::x86::paging::kernel::share_kernel_half;
use crate::x86::paging::{KERNEL_HALF, PAGE, Table, bits, index, span, table};
use alloc::vec::Vec;
use capos_mem::{Backing, LARGE_PAGES, Protection, Resource};
use core::sync::atomic::{AtomicU64, Ordering};

/// Instead of an entry for a page that nobody may touch. Not present; not zero, because its table has to stay.
const FORBIDDEN: u64 = 1 << 9;
/// Where an entry says how many entries of its table are used.
const COUNT_SHIFT: u32 = 52;
const COUNT_MASK: u64 = 0x3ff;

/// An entry of level 2, 3 or 4.
type Slot = &'static AtomicU64;

/// The entries on the way to a page: of level 4, 3 and 2.
type Path = [Slot; 3];

/// Tables that were taken out: a list that runs through their own first entries, where the address of the next table counts as an
/// entry that is not present.
#[must_use]
pub(super) struct Pruned(u64);

impl Pruned {
    /// None yet.
    pub(super) const fn none() -> Self {
        Pruned(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn push(&mut self, pa: u64) {
        // SAFETY: a table that nobody uses any more but for processors that have not heard of it; to them the entry is not present.
        let table = unsafe { table(pa) };
        table[0].store(self.0, Ordering::Release);
        self.0 = pa;
    }
}

/// The tables, reachable from the top one. Used under the lock of the address space.
pub(super) struct Tables {
    top: u64,
    /// Every table below the top one, so that freeing them needs no walk through thousands of entries.
    below: Vec<u64>,
    /// Tables in reserve, one for each large page; a list like [`Pruned`].
    reserve: u64,
    /// How many those are.
    reserved: usize,
    /// An address whose lowest table may be empty. One may stay, or a program that maps and unmaps one buffer would have a table made
    /// each time.
    spare: Option<u64>,
}

/// The entry of a page at physical address `pa`.
fn leaf(pa: u64, protection: Protection) -> u64 {
    // A page that is not cached comes with the bits that say so beside its address.
    let user = pa | bits::PRESENT | bits::USER;
    match protection {
        Protection::None => FORBIDDEN,
        Protection::Read => user | bits::NO_EXECUTE,
        Protection::ReadWrite => user | bits::WRITABLE | bits::NO_EXECUTE,
        Protection::ReadExecute => user,
    }
}

/// The bits that keep what devices have out of caches.
fn caching(frames: &Frames) -> u64 {
    if frames.is_device() { bits::UNCACHED | bits::WRITE_THROUGH } else { 0 }
}

/// The entry that names the table at `pa`, of which `used` entries are used. User pages decide for themselves what is allowed.
fn upper(pa: u64, used: usize) -> u64 {
    pa | bits::PRESENT | bits::WRITABLE | bits::USER | (used as u64) << COUNT_SHIFT
}

fn used(entry: u64) -> u64 {
    entry >> COUNT_SHIFT & COUNT_MASK
}

/// Some more entries of the table that `slot` names are used, or some fewer. That a processor may mark the entry as accessed at the
/// same time, and this be lost, does not matter.
fn count(slot: Slot, more: u64, fewer: u64) {
    let entry = slot.load(Ordering::Relaxed);
    slot.store(entry.wrapping_add(more << COUNT_SHIFT).wrapping_sub(fewer << COUNT_SHIFT), Ordering::Release);
}

fn is_large(entry: u64) -> bool {
    entry & bits::LARGE != 0
}

/// The table that an entry names. `None` for an unused one.
fn below_of(slot: Slot) -> Option<&'static Table> {
    let entry = slot.load(Ordering::Relaxed);
    // SAFETY: an entry of a user table that is used and no large page names a table, which lives as long as the entry.
    (entry != 0).then(|| unsafe { table(entry) })
}

/// One frame, charged.
fn allocate(account: &Account) -> Result<u64, VmError> {
    account.charge(Resource::MemoryPages, 1).map_err(|_| VmError::BudgetExhausted)?;
    cache::take().ok_or_else(|| {
        account.refund(Resource::MemoryPages, 1);
        VmError::OutOfMemory
    })
}

fn free(pa: u64, account: &Account) {
    cache::give_back(pa);
    account.refund(Resource::MemoryPages, 1);
}

/// Physical address of what `piece` shows of `backing`, if that can be a large page.
fn large(backing: &Backing<Memory>, piece: &Piece) -> Option<u64> {
    if piece.pages < LARGE_PAGES || backing.object.frames.is_device() {
        return None;
    }
    let (pa, ahead) = backing.object.frames.locate(backing.first + piece.done)?;
    (pa.is_multiple_of(span(2)) && ahead >= LARGE_PAGES).then_some(pa)
}

impl Tables {
    /// A top table with nothing in the user half.
    pub(super) fn new(account: &Ref<Account>) -> Result<Self, VmError> {
        let top = allocate(account)?;
        phys::zero(top, 1);
        // SAFETY: a fresh frame.
        unsafe { share_kernel_half(top) };
        Ok(Tables { top, below: Vec::new(), reserve: 0, reserved: 0, spare: None })
    }

    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// Pages that lie in large pages, and tables.
    pub(super) fn usage(&self) -> (u64, u64) {
        ((self.reserved * LARGE_PAGES) as u64, self.below.len() as u64 + 1)
    }

    fn top_slot(&self, va: u64) -> Slot {
        // SAFETY: our own top table.
        unsafe { &table(self.top)[index(va, 4)] }
    }

    /// The entries on the way to `va`, if the tables of level 3 and 2 exist.
    fn path(&self, va: u64) -> Option<Path> {
        let fourth = self.top_slot(va);
        let third = &below_of(fourth)?[index(va, 3)];
        let second = &below_of(third)?[index(va, 2)];
        Some([fourth, third, second])
    }

    /// A table of its own for the account to pay.
    fn more(&mut self, account: &Account) -> Result<u64, VmError> {
        self.below.try_reserve(1).map_err(|_| VmError::OutOfMemory)?;
        let pa = allocate(account)?;
        self.below.push(pa);
        Ok(pa)
    }

    /// Gives an unused entry an empty table.
    fn hang(&mut self, slot: Slot, account: &Account) -> Result<(), VmError> {
        let pa = self.more(account)?;
        phys::zero(pa, 1);
        slot.store(upper(pa, 0), Ordering::Release);
        Ok(())
    }

    /// The same as [`Tables::path`], with the tables made.
    fn make_path(&mut self, va: u64, account: &Account) -> Result<Path, VmError> {
        if let Some(path) = self.path(va) {
            return Ok(path);
        }
        let fourth = self.top_slot(va);
        if fourth.load(Ordering::Relaxed) == 0 {
            self.hang(fourth, account)?;
        }
        let third = below_of(fourth).map(|table| &table[index(va, 3)]).ok_or(VmError::OutOfMemory)?;
        if third.load(Ordering::Relaxed) == 0 {
            self.hang(third, account)?;
            count(fourth, 1, 0);
        }
        let second = below_of(third).map(|table| &table[index(va, 2)]).ok_or(VmError::OutOfMemory)?;
        Ok([fourth, third, second])
    }

    /// Shows `backing` in `pages` pages from `va` on, where nothing is shown. Makes the tables for all of it first; when one cannot be
    /// had, those that are empty are taken out again.
    pub(super) fn show(
        &mut self,
        (va, pages): (u64, usize),
        protection: Protection,
        backing: &Backing<Memory>,
        account: &Account,
        pruned: &mut Pruned,
    ) -> Result<(), VmError> {
        let mut reserved = 0;
        for piece in pieces(va, pages) {
            match self.provide(&piece, backing, account, &mut reserved) {
                Ok(path) if piece.pages == pages => self.fill_piece(path, &piece, protection, backing),
                Ok(_) => {}
                Err(error) => {
                    self.take_back((va, pages), reserved, pruned);
                    return Err(error);
                }
            }
        }
        if pieces(va, pages).nth(1).is_some() {
            self.fill(va, pages, protection, backing);
        }
        Ok(())
    }

    #[cold]
    fn take_back(&mut self, (va, pages): (u64, usize), reserved: usize, pruned: &mut Pruned) {
        (0..reserved).for_each(|_| self.give_up_reserve(pruned));
        pieces(va, pages).for_each(|piece| self.prune(piece.va, pruned));
    }

    /// Makes the tables for one piece.
    fn provide(
        &mut self,
        piece: &Piece,
        backing: &Backing<Memory>,
        account: &Account,
        reserved: &mut usize,
    ) -> Result<Path, VmError> {
        let path = self.make_path(piece.va, account)?;
        let [_, third, second] = path;
        // A table that is there, though empty, may be known to a processor: it stays, and the pages are small ones.
        if second.load(Ordering::Relaxed) != 0 {
            return Ok(path);
        }
        if large(backing, piece).is_some() {
            let pa = self.more(account)?;
            self.put_in_reserve(pa);
            *reserved += 1;
        } else {
            self.hang(second, account)?;
            count(third, 1, 0);
        }
        Ok(path)
    }

    fn put_in_reserve(&mut self, pa: u64) {
        let mut list = Pruned(self.reserve);
        list.push(pa);
        self.reserve = list.0;
        self.reserved += 1;
    }

    /// A table from the reserve. There is one for each large page.
    fn take_from_reserve(&mut self) -> u64 {
        let pa = self.reserve;
        // SAFETY: a table of the list, in its own frame.
        self.reserve = unsafe { table(pa) }[0].load(Ordering::Relaxed);
        self.reserved -= 1;
        pa
    }

    fn give_up_reserve(&mut self, pruned: &mut Pruned) {
        let pa = self.take_from_reserve();
        pruned.push(pa);
    }

    /// Writes the entries of `pages` pages from `va` on, whose tables exist.
    pub(super) fn fill(&mut self, va: u64, pages: usize, protection: Protection, backing: &Backing<Memory>) {
        for piece in pieces(va, pages) {
            if let Some(path) = self.path(piece.va) {
                self.fill_piece(path, &piece, protection, backing);
            }
        }
    }

    fn fill_piece(
        &mut self,
        [_, third, second]: Path,
        piece: &Piece,
        protection: Protection,
        backing: &Backing<Memory>,
    ) {
        let entry = second.load(Ordering::Relaxed);
        match large(backing, piece) {
            Some(pa) if entry == 0 || is_large(entry) => {
                second.store(leaf(pa, protection) | bits::LARGE, Ordering::Release);
                count(third, u64::from(entry == 0), 0);
            }
            _ => self.fill_small(second, piece, protection, backing),
        }
    }

    fn fill_small(&mut self, second: Slot, piece: &Piece, protection: Protection, backing: &Backing<Memory>) {
        self.split(second);
        let caching = caching(&backing.object.frames);
        let mut run = (0, 0);
        let mut added = 0;
        for (n, slot) in slots(second, piece).iter().enumerate() {
            if run.1 == 0 {
                run = backing.object.frames.locate(backing.first + piece.done + n).unwrap_or((0, 0));
            }
            let (pa, left) = run;
            run = (pa + PAGE, left.saturating_sub(1));
            // Beyond the object there is nothing; callers checked, so this is never seen.
            let entry = if left == 0 { FORBIDDEN } else { leaf(pa | caching, protection) };
            added += u64::from(slot.load(Ordering::Relaxed) == 0);
            slot.store(entry, Ordering::Release);
        }
        count(second, added, 0);
    }

    /// Clears the entries of pages that are shown. Tables that become empty are taken out; they must live until no CPU uses them.
    pub(super) fn empty(&mut self, va: u64, pages: usize, pruned: &mut Pruned) {
        for piece in pieces(va, pages) {
            let Some(path) = self.path(piece.va) else { continue };
            let second = path[2];
            if is_large(second.load(Ordering::Relaxed)) && piece.pages == LARGE_PAGES {
                second.store(0, Ordering::Release);
                self.give_up_reserve(pruned);
                Self::unhook_above(path, pruned);
            } else {
                self.split(second);
                self.empty_small(second, &piece, pruned);
            }
        }
    }

    fn empty_small(&mut self, second: Slot, piece: &Piece, pruned: &mut Pruned) {
        let mut cleared = 0;
        for slot in slots(second, piece) {
            cleared += u64::from(slot.load(Ordering::Relaxed) != 0);
            slot.store(0, Ordering::Release);
        }
        count(second, 0, cleared);
        if used(second.load(Ordering::Relaxed)) == 0
            && let Some(before) = self.spare.replace(piece.va)
            && before / span(2) != piece.va / span(2)
        {
            self.prune(before, pruned);
        }
    }

    /// Makes small pages of a large one; each entry says the same as before.
    fn split(&mut self, second: Slot) {
        let entry = second.load(Ordering::Relaxed);
        if !is_large(entry) {
            return;
        }
        let pa = self.take_from_reserve();
        let step = if entry & bits::PRESENT == 0 { 0 } else { PAGE };
        // SAFETY: a table in reserve, which nobody uses.
        let small = unsafe { table(pa) };
        for (at, slot) in (0..).map(|n| n * step).zip(small) {
            slot.store((entry & !bits::LARGE) + at, Ordering::Relaxed);
        }
        second.store(upper(pa, LARGE_PAGES), Ordering::Release);
    }

    /// Takes out the tables on the way to `va` that are empty.
    fn prune(&mut self, va: u64, pruned: &mut Pruned) {
        if let Some(path) = self.path(va) {
            let second = path[2];
            let entry = second.load(Ordering::Relaxed);
            if entry == 0 || is_large(entry) {
                Self::unhook_empty_above(path, pruned);
            } else if used(entry) == 0 {
                Self::unhook(second, pruned);
                Self::unhook_above(path, pruned);
            }
        } else {
            Self::unhook_if_empty(self.top_slot(va), pruned);
        }
    }

    /// The entry of level 2 is used no more.
    fn unhook_above(path: Path, pruned: &mut Pruned) {
        count(path[1], 0, 1);
        Self::unhook_empty_above(path, pruned);
    }

    fn unhook_empty_above([fourth, third, _]: Path, pruned: &mut Pruned) {
        if Self::unhook_if_empty(third, pruned) {
            count(fourth, 0, 1);
            Self::unhook_if_empty(fourth, pruned);
        }
    }

    fn unhook_if_empty(slot: Slot, pruned: &mut Pruned) -> bool {
        let entry = slot.load(Ordering::Relaxed);
        let empty = entry != 0 && used(entry) == 0;
        if empty {
            Self::unhook(slot, pruned);
        }
        empty
    }

    fn unhook(slot: Slot, pruned: &mut Pruned) {
        let entry = slot.swap(0, Ordering::AcqRel);
        pruned.push(entry & bits::ADDRESS);
    }

    /// Frees tables that were taken out and that no CPU uses any more.
    #[cold]
    pub(super) fn release_pruned(&mut self, pruned: Pruned, account: &Account) {
        let mut at = pruned.0;
        while at != 0 {
            // SAFETY: a table on the list, which nobody else knows any more.
            let next = unsafe { table(at)[0].load(Ordering::Relaxed) };
            // What is taken out was mostly made last.
            if let Some(n) = self.below.iter().rposition(|table| *table == at) {
                self.below.swap_remove(n);
            }
            free(at, account);
            at = next;
        }
    }

    /// Takes everything out of the top table. The tables below must live until no CPU uses them.
    pub(super) fn cut(&mut self) {
        // SAFETY: our own top table.
        let top = unsafe { table(self.top) };
        top.iter().take(KERNEL_HALF).for_each(|slot| slot.store(0, Ordering::Release));
        (self.reserve, self.reserved, self.spare) = (0, 0, None);
    }

    /// Frees tables that were cut off and that no CPU uses any more, as many as `left` allows for. False when there are more.
    pub(super) fn release_some(&mut self, account: &Account, left: &mut u32) -> bool {
        while *left > 0
            && let Some(table) = self.below.pop()
        {
            free(table, account);
            *left -= 1;
        }
        self.below.is_empty()
    }

    /// Frees the top table: the last thing that happens to it.
    pub(super) fn release_top(&mut self, account: &Account) {
        free(self.top, account);
    }
}

/// The lowest entries of a piece whose table exists.
fn slots(second: Slot, piece: &Piece) -> &'static [AtomicU64] {
    let first = index(piece.va, 1);
    below_of(second).and_then(|table| table.get(first..first + piece.pages)).unwrap_or_default()
}
