//! Long changes of an address space, in steps. Between two of them everything is in order, and whoever has the work may drop it: what was
//! taken for it and is not in use yet goes back.

use super::AddressSpace;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::{Protection, VmError};
use crate::x86::mem::Frames;
use crate::x86::mem::growing::Growing;
use crate::x86::paging::PAGE;
use capos_mem::LARGE_PAGES;

/// Pages of one step that changes entries.
const STEP: usize = 16 * LARGE_PAGES;

enum Kind {
    Object(Option<Growing>),
    Commit { place: Place, growing: Option<Growing> },
    Protect(Place),
    Unmap(Place),
}

/// Where something is to be done yet.
struct Place {
    space: Ref<AddressSpace>,
    va: u64,
    pages: usize,
    protection: Protection,
}

/// A change that takes several steps.
pub struct Work(Kind);

impl Place {
    /// Does `change` to the next pages. True when none are left.
    fn step(
        &mut self,
        change: impl FnOnce(&AddressSpace, u64, usize) -> Result<(), VmError>,
    ) -> Result<bool, VmError> {
        let pages = self.pages.min(STEP);
        change(&self.space, self.va, pages)?;
        self.va += pages as u64 * PAGE;
        self.pages -= pages;
        Ok(self.pages == 0)
    }
}

impl Work {
    /// New memory for an object, when it is long. `None` when [`Frames::zeroed`] does it in one step.
    pub fn object(pages: usize, account: &Ref<Account>) -> Result<Option<Work>, VmError> {
        if pages <= LARGE_PAGES {
            return Ok(None);
        }
        Ok(Some(Work(Kind::Object(Some(Growing::new(0, pages, account)?)))))
    }

    /// [`AddressSpace::commit`], when it is long.
    pub fn commit(
        space: &Ref<AddressSpace>,
        va: u64,
        pages: usize,
        protection: Protection,
    ) -> Result<Option<Work>, VmError> {
        if pages <= LARGE_PAGES {
            return Ok(None);
        }
        space.can_commit(va, pages)?;
        let phase = (va / PAGE) as usize % LARGE_PAGES;
        let growing = Some(Growing::new(phase, pages, &space.account)?);
        Ok(Some(Work(Kind::Commit { place: Place { space: space.clone(), va, pages, protection }, growing })))
    }

    /// [`AddressSpace::protect`], when it is long.
    pub fn protect(
        space: &Ref<AddressSpace>,
        va: u64,
        pages: usize,
        protection: Protection,
    ) -> Result<Option<Work>, VmError> {
        if pages <= STEP {
            return Ok(None);
        }
        space.can_protect(va, pages, protection)?;
        Ok(Some(Work(Kind::Protect(Place { space: space.clone(), va, pages, protection }))))
    }

    /// [`AddressSpace::unmap`], when it is long.
    pub fn unmap(space: &Ref<AddressSpace>, va: u64, pages: usize) -> Result<Option<Work>, VmError> {
        if pages <= STEP {
            return Ok(None);
        }
        space.can_unmap(va, pages)?;
        let place = Place { space: space.clone(), va, pages, protection: Protection::None };
        Ok(Some(Work(Kind::Unmap(place))))
    }

    /// Goes on. `None` when there is more to do; an object's memory when that was the work.
    pub fn step(&mut self) -> Option<Result<Option<Ref<Frames>>, VmError>> {
        let done = match &mut self.0 {
            Kind::Object(growing) | Kind::Commit { growing, .. } => {
                growing.as_mut().map_or(Ok(true), Growing::step).map_err(VmError::from)
            }
            Kind::Protect(place) => {
                let protection = place.protection;
                place.step(|space, va, pages| space.protect(va, pages, protection))
            }
            Kind::Unmap(place) => place.step(AddressSpace::unmap),
        };
        match done {
            Ok(false) => None,
            Ok(true) => Some(self.conclude()),
            Err(error) => Some(Err(error)),
        }
    }

    /// Gives it up; what was taken for it is the caller's.
    pub fn into_memory(self) -> Option<Frames> {
        match self.0 {
            Kind::Object(growing) | Kind::Commit { growing, .. } => growing.map(Growing::into_frames),
            Kind::Protect(_) | Kind::Unmap(_) => None,
        }
    }

    fn conclude(&mut self) -> Result<Option<Ref<Frames>>, VmError> {
        match &mut self.0 {
            Kind::Object(growing) => Ok(growing.take().map(Growing::finish).transpose()?),
            Kind::Commit { place, growing } => {
                if let Some(growing) = growing.take() {
                    let frames = growing.finish()?;
                    place.space.back(place.va, place.pages, place.protection, || Ok(frames))?;
                }
                Ok(None)
            }
            Kind::Protect(_) | Kind::Unmap(_) => Ok(None),
        }
    }
}
