//! What one function reaches.

use super::interrupts::Origin;
use super::tables::TableMemory;
use super::unit::Silent;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::IommuError;
use crate::x86::mem::Frames;
use crate::x86::paging::PAGE;
use alloc::vec::Vec;
use capos_iommu::{MapError, Tables};
use core::mem;

/// Memory that is mapped. It stays as long as the unit may remember it.
struct Mapping {
    iova: u64,
    frames: Ref<Frames>,
}

/// What one function reaches while it is attached: nothing but what is mapped here.
pub struct Domain {
    origin: Origin,
    number: u16,
    /// Always there but in `drop`.
    tables: Option<Tables>,
    memory: TableMemory,
    mappings: Vec<Mapping>,
    attached: bool,
    caches_absent: bool,
}

impl From<MapError> for IommuError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::OutOfRange => IommuError::InvalidArgument,
            MapError::Exists => IommuError::Exists,
            MapError::NotFound => IommuError::NotFound,
            MapError::OutOfMemory => IommuError::OutOfMemory,
        }
    }
}

impl From<Silent> for IommuError {
    fn from(Silent: Silent) -> Self {
        IommuError::Unresponsive
    }
}

impl Domain {
    /// Nothing yet, for the function at `function` and addresses of `bits` bits. `account` pays for its tables.
    pub fn new(function: u32, bits: u32, account: &Ref<Account>) -> Result<Domain, IommuError> {
        let origin = super::origin(function).ok_or(IommuError::Absent)?;
        if !origin.prepare() {
            return Err(IommuError::OutOfMemory);
        }
        let (bits, shape) = {
            let unit = origin.unit.lock();
            (bits.min(unit.bits()), unit.shape(bits))
        };
        let (format, levels, large, coherent) = shape;
        let mut memory = TableMemory::new(account, coherent);
        let Some(tables) = Tables::new(format, levels, bits, large, &mut memory) else {
            return Err(memory.refused().into());
        };
        let (number, caches_absent) = {
            let mut unit = origin.unit.lock();
            (unit.take_number(), unit.caches_absent())
        };
        let Some(number) = number else {
            tables.destroy(&mut memory);
            memory.release();
            return Err(IommuError::OutOfMemory);
        };
        let mappings = Vec::new();
        Ok(Domain { origin, number, tables: Some(tables), memory, mappings, attached: false, caches_absent })
    }

    /// Has all of `frames` be at `iova` and after.
    pub fn map(&mut self, iova: u64, frames: &Ref<Frames>, writable: bool) -> Result<(), IommuError> {
        if frames.is_device() || (writable && frames.is_read_only()) {
            return Err(IommuError::InvalidArgument);
        }
        self.mappings.try_reserve(1).map_err(|_| IommuError::OutOfMemory)?;
        self.enter(iova, frames, writable)?;
        self.mappings.push(Mapping { iova, frames: frames.clone() });
        if self.caches_absent && self.attached {
            // It stays mapped if the unit does not answer: what was mapped may be remembered.
            self.origin.unit.lock().forget(self.number)?;
        }
        Ok(())
    }

    /// Takes out what was mapped at `iova`, all of it, and waits until the unit has forgotten it.
    pub fn unmap(&mut self, iova: u64) -> Result<Ref<Frames>, IommuError> {
        let found =
            self.mappings.iter().position(|mapping| mapping.iova == iova).ok_or(IommuError::NotFound)?;
        let Some(tables) = &self.tables else { return Err(IommuError::NotFound) };
        let pages = self.mappings.get(found).map_or(0, |mapping| mapping.frames.pages() as u64);
        tables.unmap(iova, pages, &mut self.memory)?;
        let mapping = self.mappings.swap_remove(found);
        if self.attached && self.origin.unit.lock().forget(self.number).is_err() {
            self.memory.abandon();
            mem::forget(mapping);
            return Err(IommuError::Unresponsive);
        }
        self.memory.release();
        Ok(mapping.frames)
    }

    /// The function reaches what is mapped from now on.
    pub fn attach(&mut self) -> Result<(), IommuError> {
        let Some(tables) = self.tables.as_ref().filter(|_| !self.attached) else { return Ok(()) };
        let mut unit = self.origin.unit.lock();
        if unit.is_attached(self.origin.source) {
            return Err(IommuError::Taken);
        }
        // Even if it does not answer it may look.
        self.attached = true;
        unit.attach(self.origin.source, tables, self.number)?;
        Ok(())
    }

    /// The function reaches nothing from now on. What it had under way is done when this returns.
    pub fn detach(&mut self) -> Result<(), IommuError> {
        if self.attached {
            self.origin.unit.lock().detach(self.origin.source, self.number)?;
            self.attached = false;
        }
        Ok(())
    }

    /// Whether the unit's own tables say that the function reaches what is mapped here: for audits.
    pub fn is_in_place(&self) -> bool {
        let Some(tables) = &self.tables else { return false };
        self.origin.unit.lock().has(self.origin.source, tables, self.number)
    }

    /// How many pages are mapped, by the tables themselves.
    pub fn pages(&self) -> u64 {
        self.tables.as_ref().map_or(0, |tables| tables.pages(&self.memory))
    }

    /// Whether the tables have page `page` of `frames` at `iova`: for audits.
    pub fn shows(&self, iova: u64, frames: &Frames, page: usize) -> bool {
        let found = self.tables.as_ref().and_then(|tables| tables.translate(iova, &self.memory));
        found.is_some()
            && found.map(|(address, _)| address) == frames.locate(page).map(|(address, _)| address)
    }

    fn enter(&mut self, iova: u64, frames: &Frames, writable: bool) -> Result<(), IommuError> {
        let Some(tables) = &self.tables else { return Err(IommuError::InvalidArgument) };
        let mut page = 0;
        while let Some((address, pages)) = frames.locate(page) {
            let at = iova.checked_add(page as u64 * PAGE).ok_or(MapError::OutOfRange);
            let entered = at.and_then(|at| tables.map(at, address, pages as u64, writable, &mut self.memory));
            if let Err(error) = entered {
                // What was entered before, in pieces that may be parts of one.
                if page > 0 {
                    let _ = tables.unmap(iova, page as u64, &mut self.memory);
                }
                self.forget_undone();
                let refused = self.memory.refused();
                return Err(if error == MapError::OutOfMemory { refused.into() } else { error.into() });
            }
            page += pages;
        }
        if page == 0 { Err(IommuError::InvalidArgument) } else { Ok(()) }
    }

    /// Tables that were made for what did not succeed go back.
    fn forget_undone(&mut self) {
        if self.attached && self.origin.unit.lock().forget(self.number).is_err() {
            self.memory.abandon();
        } else {
            self.memory.release();
        }
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        if self.detach().is_err() {
            // The unit may remember everything: all of it stays.
            self.memory.abandon();
            mem::forget(mem::take(&mut self.mappings));
            return;
        }
        if let Some(tables) = self.tables.take() {
            tables.destroy(&mut self.memory);
            self.memory.release();
        }
        self.origin.unit.lock().give_number(self.number);
    }
}
