//! Address spaces: the bookkeeping of the real one without page tables.

pub use super::work::Work;

use super::heap;
use super::mem::Frames;
use crate::account::Account;
use crate::lease::Lease;
use crate::order::LockRank;
use crate::sync::{Lock, Ref};
use crate::types::{MappedRegisters, Protection, SpaceUsage, VmError};
use alloc::collections::BTreeMap;
use capos_abi::{PAGE_SIZE, layout};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Clone)]
struct Page {
    backing: Option<(Ref<Frames>, usize)>,
    protection: Protection,
    /// Whether it may ever be made writable.
    writable: bool,
    /// What it hangs by, if somebody can take it away.
    lease: Option<Ref<Lease>>,
}

impl Page {
    /// Set aside, with nothing behind it.
    fn reserved() -> Page {
        Page { backing: None, protection: Protection::None, writable: true, lease: None }
    }
}

/// The user half of one process's memory, page by page.
pub struct AddressSpace {
    pages: Lock<BTreeMap<u64, Page>>,
    next: AtomicU64,
    /// Its tables would be wrong, if it had any.
    damaged: AtomicBool,
    budget: Ref<Account>,
}

const PAGE: u64 = PAGE_SIZE as u64;

impl AddressSpace {
    /// An empty space whose memory `budget` pays.
    pub fn new(budget: &Ref<Account>) -> Result<Ref<AddressSpace>, VmError> {
        let space = AddressSpace {
            pages: Lock::new(LockRank::Space, BTreeMap::new()),
            next: AtomicU64::new(layout::DYNAMIC_BASE),
            damaged: AtomicBool::new(false),
            budget: budget.clone(),
        };
        Ok(Ref::try_new(space)?)
    }

    /// Sets address space aside.
    pub fn reserve(&self, pages: usize) -> Result<u64, VmError> {
        let start = self.pick(pages)?;
        let page = Page::reserved();
        self.put((0..pages as u64).map(|n| (start + n * PAGE, page.clone())))?;
        Ok(start)
    }

    /// Backs reserved pages with zeroed memory.
    pub fn commit(&self, va: u64, pages: usize, protection: Protection) -> Result<(), VmError> {
        self.can_commit(va, pages)?;
        self.commit_with(&self.frames(pages)?, va, pages, protection)
    }

    pub(super) fn can_commit(&self, va: u64, pages: usize) -> Result<(), VmError> {
        self.check(va, pages, |page| if page.backing.is_none() { Ok(()) } else { Err(VmError::Exists) })
    }

    pub(super) fn frames(&self, pages: usize) -> Result<Ref<Frames>, VmError> {
        Ok(Frames::zeroed(pages, &self.budget)?)
    }

    pub(super) fn commit_with(
        &self,
        frames: &Ref<Frames>,
        va: u64,
        pages: usize,
        protection: Protection,
    ) -> Result<(), VmError> {
        self.can_commit(va, pages)?;
        self.each(va, pages, |n, page| {
            *page = Page { backing: Some((frames.clone(), n)), protection, ..Page::reserved() }
        });
        Ok(())
    }

    /// Changes the protection of backed pages.
    pub fn protect(&self, va: u64, pages: usize, protection: Protection) -> Result<(), VmError> {
        self.check(va, pages, |page| match &page.backing {
            None => Err(VmError::NotFound),
            Some((frames, _)) => Self::allowed(frames, protection, page.writable),
        })?;
        self.each(va, pages, |_, page| page.protection = protection);
        Ok(())
    }

    /// Takes pages out, reservation included.
    pub fn unmap(&self, va: u64, pages: usize) -> Result<(), VmError> {
        self.check(va, pages, |_| Ok(()))?;
        let mut map = self.pages.lock();
        for n in 0..pages as u64 {
            map.remove(&(va + n * PAGE));
        }
        Ok(())
    }

    /// Maps part of `frames` somewhere. `writable` says whether it may ever be made writable, and `lease` by what it can be taken away.
    pub fn map(
        &self,
        frames: &Ref<Frames>,
        first: usize,
        pages: usize,
        protection: Protection,
        writable: bool,
        lease: Option<Ref<Lease>>,
    ) -> Result<u64, VmError> {
        Self::inside(frames, first, pages)?;
        Self::allowed(frames, protection, writable)?;
        if lease.as_ref().is_some_and(|lease| lease.is_over()) {
            return Err(VmError::Withdrawn);
        }
        let start = self.pick(pages)?;
        self.insert(
            (start, pages),
            (frames, first),
            &Page { protection, writable, lease, ..Page::reserved() },
        )?;
        Ok(start)
    }

    /// Takes one of the pages that are mapped by lease number `lease` away; it stays reserved. True when there was one: there may be more.
    pub fn withdraw(&self, lease: u64) -> bool {
        self.supplant(lease, |_| Page::reserved())
    }

    /// The same for registers of a device that is gone: ones are left there, in memory of its own if there is some.
    pub fn leave_ones(&self, lease: u64) -> bool {
        let ones = Frames::zeroed(1, &self.budget).ok();
        let ones = ones.filter(|frames| frames.write(0, &[0xff; PAGE_SIZE]).is_ok());
        self.supplant(lease, |page| match ones {
            Some(frames) => Page { backing: Some((frames, 0)), lease: None, ..page.clone() },
            None => Page::reserved(),
        })
    }

    /// Puts something else in the place of a page that hangs by lease number `lease`.
    fn supplant(&self, lease: u64, by: impl FnOnce(&Page) -> Page) -> bool {
        let taken = {
            let mut map = self.pages.lock();
            let mut pages = map.values_mut();
            let by_lease = |page: &&mut Page| page.lease.as_ref().is_some_and(|held| held.number() == lease);
            pages.find(by_lease).map(|page| {
                let new = by(page);
                core::mem::replace(page, new)
            })
        };
        taken.is_some()
    }

    /// Maps part of `frames` at `va`.
    pub fn map_fixed(
        &self,
        va: u64,
        frames: &Ref<Frames>,
        first: usize,
        pages: usize,
        protection: Protection,
        writable: bool,
    ) -> Result<(), VmError> {
        Self::inside(frames, first, pages)?;
        Self::allowed(frames, protection, writable)?;
        Self::aligned(va, pages)?;
        let taken = (0..pages as u64).any(|n| self.pages.lock().contains_key(&(va + n * PAGE)));
        if taken {
            return Err(VmError::Exists);
        }
        self.insert((va, pages), (frames, first), &Page { protection, writable, ..Page::reserved() })
    }

    /// Copies user memory out through the bookkeeping.
    pub fn peek(&self, va: u64, out: &mut [u8]) -> Result<(), VmError> {
        let map = self.pages.lock();
        for (n, byte) in out.iter_mut().enumerate() {
            let at = va.checked_add(n as u64).ok_or(VmError::InvalidArgument)?;
            let page = map.get(&(at & !(PAGE - 1))).ok_or(VmError::NotFound)?;
            let (frames, index) = page.backing.as_ref().ok_or(VmError::NotFound)?;
            let offset = index * PAGE_SIZE + usize::try_from(at % PAGE).unwrap_or(0);
            frames.read(offset, core::slice::from_mut(byte)).map_err(|_| VmError::NotFound)?;
        }
        Ok(())
    }

    /// Changes user memory, whatever its protection; what the space may not write becomes a copy of its own first.
    pub fn poke(&self, va: u64, bytes: &[u8]) -> Result<(), VmError> {
        for n in 0..bytes.len() as u64 {
            self.peek(va.checked_add(n).ok_or(VmError::InvalidArgument)?, &mut [0])?;
        }
        let mut map = self.pages.lock();
        for (n, byte) in bytes.iter().enumerate() {
            let at = va + n as u64;
            let page = map.get_mut(&(at & !(PAGE - 1))).ok_or(VmError::NotFound)?;
            let (frames, index) = page.backing.clone().ok_or(VmError::NotFound)?;
            if !page.writable || frames.is_read_only() {
                let own = Frames::zeroed(1, &self.budget)?;
                let mut whole = [0; PAGE_SIZE];
                frames.read(index * PAGE_SIZE, &mut whole).map_err(|_| VmError::NotFound)?;
                own.write(0, &whole).map_err(|_| VmError::NotFound)?;
                *page = Page {
                    backing: Some((own, 0)),
                    writable: true,
                    protection: page.protection,
                    lease: None,
                };
            }
            let (frames, index) = page.backing.as_ref().ok_or(VmError::NotFound)?;
            let offset = index * PAGE_SIZE + usize::try_from(at % PAGE).unwrap_or(0);
            frames.write(offset, core::slice::from_ref(byte)).map_err(|_| VmError::Denied)?;
        }
        Ok(())
    }

    /// Takes everything out, as much at a time as `left` allows for; here 64 pages take up one. False when there is more.
    pub fn clear_some(&self, left: &mut u32) -> bool {
        let mut pages = self.pages.lock();
        while !pages.is_empty() {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            (0..64).for_each(|_| drop(pages.pop_last()));
        }
        true
    }

    /// Number `index` of what is mapped of devices' registers.
    pub fn registers(&self, index: usize) -> Option<MappedRegisters> {
        let pages = self.pages.lock();
        let found = pages.values().filter_map(|page| {
            let (frames, at) = page.backing.as_ref()?;
            let lease = page.lease.as_ref().map_or(0, |lease| lease.number());
            let address = frames.registers()? + *at as u64 * PAGE;
            Some(MappedRegisters { lease, address, pages: 1, writable: page.writable })
        });
        found.into_iter().nth(index)
    }

    /// Whether some of `frames` is mapped that `allowed` does not allow: it is given the first page, and whether it may be made writable.
    pub fn shows_other(&self, frames: &Frames, allowed: impl Fn(usize, bool) -> bool) -> bool {
        let is_other = |page: &Page| {
            let backing = page.backing.as_ref().filter(|(backing, _)| backing.label() == frames.label());
            backing.is_some_and(|(_, first)| !allowed(*first, page.writable))
        };
        self.pages.lock().values().any(is_other)
    }

    /// Whether processors find what is mapped: here as long as no test says that they do not.
    pub fn has_right_tables(&self) -> bool {
        !self.damaged.load(Ordering::Relaxed)
    }

    /// From now on they do not, or do again.
    pub fn damage(&self, damaged: bool) {
        self.damaged.store(damaged, Ordering::Relaxed);
    }

    /// How many regions there are: here each page is one.
    pub fn regions(&self) -> u64 {
        self.pages.lock().len() as u64
    }

    /// How many pages are backed.
    pub fn mapped_pages(&self) -> u64 {
        self.pages.lock().values().filter(|page| page.backing.is_some()).count() as u64
    }

    /// What it consists of: no tables here.
    pub fn usage(&self) -> SpaceUsage {
        let backed = self.mapped_pages();
        let all = self.pages.lock().len() as u64;
        SpaceUsage { reserved: all - backed, backed, large: 0, tables: 0 }
    }

    fn pick(&self, pages: usize) -> Result<u64, VmError> {
        if pages == 0 || pages > 1 << 30 {
            return Err(VmError::InvalidArgument);
        }
        let size = (pages as u64 + 1) * PAGE;
        let start = self.next.fetch_add(size, Ordering::Relaxed) + PAGE;
        Ok(start)
    }

    fn aligned(va: u64, pages: usize) -> Result<(), VmError> {
        let end = (pages as u64).checked_mul(PAGE).and_then(|len| va.checked_add(len));
        match end {
            Some(end)
                if va.is_multiple_of(PAGE)
                    && pages > 0
                    && va >= layout::USER_MIN
                    && end <= layout::USER_MAX =>
            {
                Ok(())
            }
            _ => Err(VmError::InvalidArgument),
        }
    }

    fn inside(frames: &Ref<Frames>, first: usize, pages: usize) -> Result<(), VmError> {
        match first.checked_add(pages) {
            Some(end) if pages > 0 && end <= frames.pages() => Ok(()),
            _ => Err(VmError::InvalidArgument),
        }
    }

    fn allowed(frames: &Ref<Frames>, protection: Protection, writable: bool) -> Result<(), VmError> {
        if (frames.is_read_only() || !writable) && protection == Protection::ReadWrite {
            Err(VmError::Denied)
        } else {
            Ok(())
        }
    }

    /// Enters pages like `like`.
    fn insert(
        &self,
        (va, pages): (u64, usize),
        (frames, first): (&Ref<Frames>, usize),
        like: &Page,
    ) -> Result<(), VmError> {
        let page = |n| Page { backing: Some((frames.clone(), first + n)), ..like.clone() };
        self.put((0..pages).map(|n| (va + n as u64 * PAGE, page(n))))
    }

    /// Enters pages; the real machine allocates a region and page tables here, which may fail.
    fn put(&self, pages: impl Iterator<Item = (u64, Page)>) -> Result<(), VmError> {
        if heap::fails() {
            return Err(VmError::OutOfMemory);
        }
        heap::unfailing(|| self.pages.lock().extend(pages));
        Ok(())
    }

    fn check(&self, va: u64, pages: usize, ok: impl Fn(&Page) -> Result<(), VmError>) -> Result<(), VmError> {
        Self::aligned(va, pages)?;
        let map = self.pages.lock();
        (0..pages as u64).try_for_each(|n| ok(map.get(&(va + n * PAGE)).ok_or(VmError::NotFound)?))
    }

    fn each(&self, va: u64, pages: usize, change: impl Fn(usize, &mut Page)) {
        let mut map = self.pages.lock();
        for n in 0..pages {
            if let Some(page) = map.get_mut(&(va + n as u64 * PAGE)) {
                change(n, page);
            }
        }
    }
}
