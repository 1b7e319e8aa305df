//! Address spaces of processes: the regions are the truth, page tables are made from them.
//!
//! The kernel never uses a user address to reach memory; [`AddressSpace::peek`] looks the region up and reads the frames.

mod audit;
pub(crate) mod flush;
mod remains;
mod tables;
mod window;
mod withdraw;
mod work;

pub use work::Work;

use super::cpu::local::Local;
use super::mem::Frames;
use super::paging::{PAGE, kernel};
use crate::account::Account;
use crate::lease::Lease;
use crate::order::LockRank;
use crate::pure::residence::Residence;
use crate::sync::{Lock, Ref};
use crate::types::{Protection, SpaceUsage, VmError};
use capos_abi::{PAGE_SIZE, layout};
use capos_mem::{Backing, Bounds, LARGE_PAGES, Region, RegionError, Regions};
use remains::Remains;
use tables::{Pruned, Tables};

/// Most regions of one address space: bounds the kernel heap that one process can take.
const MOST_REGIONS: usize = 4096;

const BOUNDS: Bounds = Bounds {
    start: layout::USER_MIN,
    end: layout::USER_MAX,
    dynamic_start: layout::DYNAMIC_BASE,
    dynamic_end: layout::DYNAMIC_MAX,
};

/// The user half of one process's memory.
pub struct AddressSpace {
    inner: Lock<Inner>,
    /// Physical address of the top table.
    top: u64,
    /// Bit per CPU that has the tables loaded.
    loaded: Residence,
    account: Ref<Account>,
}

/// What lies behind a mapping.
#[derive(Clone)]
struct Memory {
    frames: Ref<Frames>,
    /// Whether it may ever be made writable: not if it was mapped from a read-only facet.
    writable: bool,
    /// What it hangs by, if somebody can take it away.
    lease: Option<Ref<Lease>>,
}

struct Inner {
    regions: Regions<Memory>,
    tables: Tables,
    /// What is left of a space that nobody uses any more.
    remains: Option<Remains>,
}

impl Inner {
    /// Whether anything may be entered: not when it is being taken back.
    fn can_grow(&self) -> Result<(), VmError> {
        // As everything else that the budget of an ended process would have to pay.
        if self.remains.is_some() { Err(VmError::BudgetExhausted) } else { Ok(()) }
    }
}

/// Makes the kernel's own address space current.
pub(super) fn load_kernel_space(local: &Local) {
    local.top.set(0);
    kernel::load();
}

impl From<RegionError> for VmError {
    fn from(error: RegionError) -> Self {
        match error {
            RegionError::BadRange => VmError::InvalidArgument,
            RegionError::Exists => VmError::Exists,
            RegionError::NotFound => VmError::NotFound,
            RegionError::NoSpace | RegionError::TooManyRegions | RegionError::OutOfMemory => {
                VmError::OutOfMemory
            }
        }
    }
}

/// The pure crate's word for the same thing.
fn pure(protection: Protection) -> capos_mem::Protection {
    match protection {
        Protection::None => capos_mem::Protection::None,
        Protection::Read => capos_mem::Protection::Read,
        Protection::ReadWrite => capos_mem::Protection::ReadWrite,
        Protection::ReadExecute => capos_mem::Protection::ReadExecute,
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        let leases = (
            self.lease.as_ref().map(|lease| lease.number()),
            other.lease.as_ref().map(|lease| lease.number()),
        );
        Ref::ptr_eq(&self.frames, &other.frames) && self.writable == other.writable && leases.0 == leases.1
    }
}

impl Memory {
    /// One facet of `frames`, to be mapped with `protection`.
    fn facet(frames: &Ref<Frames>, writable: bool, protection: Protection) -> Result<Self, VmError> {
        let memory =
            Memory { frames: frames.clone(), writable: writable && !frames.is_read_only(), lease: None };
        memory.allows(protection)?;
        Ok(memory)
    }

    /// Whether lease number `lease` is what it hangs by.
    fn hangs_by(&self, lease: u64) -> bool {
        self.lease.as_ref().is_some_and(|held| held.number() == lease)
    }

    fn allows(&self, protection: Protection) -> Result<(), VmError> {
        if !self.writable && protection == Protection::ReadWrite { Err(VmError::Denied) } else { Ok(()) }
    }
}

fn inside(frames: &Frames, first: usize, pages: usize) -> Result<(), VmError> {
    match first.checked_add(pages) {
        Some(end) if pages > 0 && end <= frames.pages() => Ok(()),
        _ => Err(VmError::InvalidArgument),
    }
}

impl AddressSpace {
    /// An empty space whose memory `budget` pays.
    pub fn new(budget: &Ref<Account>) -> Result<Ref<AddressSpace>, VmError> {
        let tables = Tables::new(budget)?;
        let top = tables.top();
        let regions = Regions::new(BOUNDS, MOST_REGIONS);
        let inner = Lock::new(LockRank::Space, Inner { regions, tables, remains: None });
        Ok(Ref::try_new(AddressSpace { inner, top, loaded: Residence::nowhere(), account: budget.clone() })?)
    }

    /// Sets address space aside.
    pub fn reserve(&self, pages: usize) -> Result<u64, VmError> {
        let inner = &mut *self.inner.lock();
        inner.can_grow()?;
        Ok(inner.regions.reserve(pages)?)
    }

    /// Backs reserved pages with zeroed memory. For what is long see [`Work`].
    pub fn commit(&self, va: u64, pages: usize, protection: Protection) -> Result<(), VmError> {
        let phase = (va / PAGE) as usize % LARGE_PAGES;
        self.back(va, pages, protection, || Ok(Frames::zeroed_from(phase, pages, &self.account)?))
    }

    /// Whether pages are reserved and not backed.
    fn can_commit(&self, va: u64, pages: usize) -> Result<(), VmError> {
        Ok(self.inner.lock().regions.commitment(va, pages).map(drop)?)
    }

    /// Backs reserved pages with what `take` takes for them. Looks before it takes, so that a mistake costs nothing.
    fn back(
        &self,
        va: u64,
        pages: usize,
        protection: Protection,
        take: impl FnOnce() -> Result<Ref<Frames>, VmError>,
    ) -> Result<(), VmError> {
        let inner = &mut *self.inner.lock();
        let commitment = inner.regions.commitment(va, pages)?;
        let object = Memory { frames: take()?, writable: true, lease: None };
        let backing = Backing { object, first: 0 };
        self.show(&mut inner.tables, (va, pages), pure(protection), &backing)?;
        commitment.commit(pure(protection), backing);
        Ok(())
    }

    /// Whether all pages are backed and may be protected so.
    fn can_protect(&self, va: u64, pages: usize, protection: Protection) -> Result<(), VmError> {
        let inner = self.inner.lock();
        let mut covered = 0;
        for part in inner.regions.overlapping(va, pages)? {
            part.backing.as_ref().ok_or(VmError::NotFound)?.object.allows(protection)?;
            covered += part.pages;
        }
        if covered == pages { Ok(()) } else { Err(VmError::NotFound) }
    }

    /// Whether all pages are there to be taken out.
    fn can_unmap(&self, va: u64, pages: usize) -> Result<(), VmError> {
        Ok(self.inner.lock().regions.removal(va, pages).map(drop)?)
    }

    /// Changes the protection of backed pages.
    pub fn protect(&self, va: u64, pages: usize, protection: Protection) -> Result<(), VmError> {
        let inner = &mut *self.inner.lock();
        for part in inner.regions.overlapping(va, pages)? {
            if let Some(backing) = &part.backing {
                backing.object.allows(protection)?;
            }
        }
        inner.regions.protect(va, pages, pure(protection))?;
        for part in inner.regions.overlapping(va, pages)? {
            if let Some(backing) = &part.backing {
                inner.tables.fill(part.start, part.pages, part.protection, backing);
            }
        }
        self.flush(va, pages);
        Ok(())
    }

    /// Takes pages out, reservation included.
    pub fn unmap(&self, va: u64, pages: usize) -> Result<(), VmError> {
        let inner = &mut *self.inner.lock();
        let removal = inner.regions.removal(va, pages)?;
        let mut pruned = Pruned::none();
        let mut flush = false;
        for (start, pages) in removal.backed() {
            inner.tables.empty(start, pages, &mut pruned);
            flush = true;
        }
        if flush {
            self.flush(va, pages);
        }
        // Only now may tables and frames go.
        if !pruned.is_empty() {
            inner.tables.release_pruned(pruned, &self.account);
        }
        removal.remove();
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
        inside(frames, first, pages)?;
        let object = Memory { lease, ..Memory::facet(frames, writable, protection)? };
        let inner = &mut *self.inner.lock();
        if object.lease.as_ref().is_some_and(|lease| lease.is_over()) {
            return Err(VmError::Withdrawn);
        }
        inner.can_grow()?;
        let placement = inner.regions.placement(pages, first)?;
        let backing = Backing { object, first };
        self.show(&mut inner.tables, (placement.start(), pages), pure(protection), &backing)?;
        Ok(placement.place(pure(protection), Some(backing)))
    }

    /// Shows `backing` where nothing is, or changes nothing.
    fn show(
        &self,
        tables: &mut Tables,
        (va, pages): (u64, usize),
        protection: capos_mem::Protection,
        backing: &Backing<Memory>,
    ) -> Result<(), VmError> {
        let mut pruned = Pruned::none();
        let result = tables.show((va, pages), protection, backing, &self.account, &mut pruned);
        if !pruned.is_empty() {
            self.flush(va, pages);
            tables.release_pruned(pruned, &self.account);
        }
        result
    }

    /// Maps part of `frames` at `va`. `writable` as for [`AddressSpace::map`].
    pub fn map_fixed(
        &self,
        va: u64,
        frames: &Ref<Frames>,
        first: usize,
        pages: usize,
        protection: Protection,
        writable: bool,
    ) -> Result<(), VmError> {
        inside(frames, first, pages)?;
        let object = Memory::facet(frames, writable, protection)?;
        let inner = &mut *self.inner.lock();
        inner.can_grow()?;
        if inner.regions.overlapping(va, pages)?.next().is_some() {
            return Err(VmError::Exists);
        }
        let backing = Backing { object, first };
        let region =
            Region { start: va, pages, protection: pure(protection), backing: Some(backing.clone()) };
        inner.regions.insert(region)?;
        self.show(&mut inner.tables, (va, pages), pure(protection), &backing).inspect_err(|_| {
            // Takes out what was just entered, which needs no room.
            let _ = inner.regions.remove(va, pages);
        })
    }

    /// Copies user memory out, through the bookkeeping and the direct map. For crash records.
    pub fn peek(&self, va: u64, out: &mut [u8]) -> Result<(), VmError> {
        let inner = self.inner.lock();
        let mut done = 0;
        while done < out.len() {
            let at = va.checked_add(done as u64).ok_or(VmError::InvalidArgument)?;
            let region = inner.regions.find(at).ok_or(VmError::NotFound)?;
            let backing = region.backing.as_ref().ok_or(VmError::NotFound)?;
            let offset = (at - region.start) as usize;
            let length = (out.len() - done).min(region.pages * PAGE_SIZE - offset);
            let piece = out.get_mut(done..done + length).ok_or(VmError::InvalidArgument)?;
            backing
                .object
                .frames
                .read(backing.first * PAGE_SIZE + offset, piece)
                .map_err(|_| VmError::NotFound)?;
            done += length;
        }
        Ok(())
    }

    /// Changes user memory, whatever its protection, as a debugger does. What the space may not write (the program's code, which all its
    /// processes share, or another's memory) becomes a copy of its own first. All or nothing.
    pub fn poke(&self, va: u64, bytes: &[u8]) -> Result<(), VmError> {
        let end = va.checked_add(bytes.len() as u64).ok_or(VmError::InvalidArgument)?;
        let inner = &mut *self.inner.lock();
        let mut at = va;
        while at < end {
            let region = inner.regions.find(at).ok_or(VmError::NotFound)?;
            let backing = region.backing.as_ref().ok_or(VmError::NotFound)?;
            let next = end.min((at / PAGE + 1) * PAGE);
            if !backing.object.writable {
                let page = at / PAGE * PAGE;
                let first = backing.first + ((page - region.start) / PAGE) as usize;
                let (protection, frames) = (region.protection, backing.object.frames.clone());
                self.make_own(inner, page, protection, &frames, first)?;
            }
            at = next;
        }
        let mut done = 0;
        while done < bytes.len() {
            let at = va + done as u64;
            let region = inner.regions.find(at).ok_or(VmError::NotFound)?;
            let backing = region.backing.as_ref().ok_or(VmError::NotFound)?;
            let offset = (at - region.start) as usize;
            let length = (bytes.len() - done).min(region.pages * PAGE_SIZE - offset);
            let piece = bytes.get(done..done + length).ok_or(VmError::InvalidArgument)?;
            let frames = &backing.object.frames;
            frames.write(backing.first * PAGE_SIZE + offset, piece).map_err(|_| VmError::Denied)?;
            done += length;
        }
        Ok(())
    }

    /// Puts a copy in the place of one page, `first` of `frames`, with the same protection.
    fn make_own(
        &self,
        inner: &mut Inner,
        page: u64,
        protection: capos_mem::Protection,
        frames: &Frames,
        first: usize,
    ) -> Result<(), VmError> {
        let own = Frames::zeroed(1, &self.account)?;
        let mut buffer = [0; 512];
        for offset in (0..PAGE_SIZE).step_by(buffer.len()) {
            frames.read(first * PAGE_SIZE + offset, &mut buffer).map_err(|_| VmError::NotFound)?;
            own.write(offset, &buffer).map_err(|_| VmError::NotFound)?;
        }
        let backing = Backing { object: Memory { frames: own, writable: true, lease: None }, first: 0 };
        let old = inner.regions.exchange(page, backing.clone())?;
        // The entry changes in one store: who executes there finds the old page or the new one.
        inner.tables.fill(page, 1, protection, &backing);
        self.flush(page, 1);
        // The old page is given up only now, when no CPU uses it.
        drop(old);
        Ok(())
    }

    /// Takes everything out, tables included, as much at a time as `left` allows for: each table, each region and each piece of memory takes up
    /// one. False when there is more. From the first time on nothing can be entered any more.
    pub fn clear_some(&self, left: &mut u32) -> bool {
        let inner = &mut *self.inner.lock();
        let remains = match &mut inner.remains {
            Some(remains) => remains,
            none => {
                inner.tables.cut();
                self.flush(layout::USER_MIN, usize::MAX);
                none.insert(Remains::new(inner.regions.clear()))
            }
        };
        inner.tables.release_some(&self.account, left) && remains.release_some(left)
    }

    /// How many regions there are, reserved ones included.
    pub fn regions(&self) -> u64 {
        self.inner.lock().regions.len() as u64
    }

    /// How many pages are backed.
    pub fn mapped_pages(&self) -> u64 {
        self.inner.lock().regions.backed_pages() as u64
    }

    /// What it consists of.
    pub fn usage(&self) -> SpaceUsage {
        let inner = self.inner.lock();
        let backed = inner.regions.backed_pages() as u64;
        let all: usize = inner.regions.iter().map(|region| region.pages).sum();
        let (large, tables) = inner.tables.usage();
        SpaceUsage { reserved: all as u64 - backed, backed, large, tables }
    }

    /// Physical address of the top table: names the space.
    #[inline]
    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// Makes the space current on this CPU.
    #[inline]
    pub(super) fn load(&self, local: &Local) {
        self.loaded.enter(local.bit.get(), || {
            local.top.set(self.top);
            // SAFETY: the top table shares the kernel half and lives as long as `self`, which the CPU's `running` keeps alive.
            unsafe { kernel::load_root(self.top) };
        });
    }

    /// This CPU has loaded something else.
    #[inline]
    pub(super) fn unloaded(&self, local: &Local) {
        self.loaded.leave(local.bit.get());
    }

    /// No CPU uses an old translation of `pages` pages from `va` on once this returns. Only CPUs that have the space loaded hear of it:
    /// loading another one forgets all.
    #[inline]
    fn flush(&self, va: u64, pages: usize) {
        flush::on(self.loaded.after_change(), va, pages);
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        // No CPU has it loaded: each would hold a `Ref`.
        let inner = &mut *self.inner.lock();
        let mut all = u32::MAX;
        inner.tables.release_some(&self.account, &mut all);
        inner.tables.release_top(&self.account);
    }
}
