//! Long changes in steps, as the real machine has them: the memory is taken at the beginning, the change comes with the last step.

use super::mem::Frames;
use super::vm::AddressSpace;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::{Protection, VmError};

/// Pages of a step.
const STEP: usize = 512;

enum Kind {
    Object(Ref<Frames>),
    Commit(Place, Ref<Frames>, Protection),
    Protect(Place, Protection),
    Unmap(Place),
}

struct Place {
    space: Ref<AddressSpace>,
    va: u64,
    pages: usize,
}

/// A change that takes several steps.
pub struct Work {
    left: usize,
    kind: Kind,
}

impl Work {
    fn new(pages: usize, kind: Kind) -> Option<Work> {
        Some(Work { left: pages.div_ceil(STEP), kind })
    }

    /// New memory for an object, when it is long.
    pub fn object(pages: usize, account: &Ref<Account>) -> Result<Option<Work>, VmError> {
        if pages <= STEP {
            return Ok(None);
        }
        Ok(Work::new(pages, Kind::Object(Frames::zeroed(pages, account)?)))
    }

    /// [`AddressSpace::commit`], when it is long.
    pub fn commit(
        space: &Ref<AddressSpace>,
        va: u64,
        pages: usize,
        protection: Protection,
    ) -> Result<Option<Work>, VmError> {
        if pages <= STEP {
            return Ok(None);
        }
        space.can_commit(va, pages)?;
        let frames = space.frames(pages)?;
        let place = Place { space: space.clone(), va, pages };
        Ok(Work::new(pages, Kind::Commit(place, frames, protection)))
    }

    /// [`AddressSpace::protect`], when it is long.
    pub fn protect(
        space: &Ref<AddressSpace>,
        va: u64,
        pages: usize,
        protection: Protection,
    ) -> Result<Option<Work>, VmError> {
        let place = Place { space: space.clone(), va, pages };
        Ok(Work::new(pages, Kind::Protect(place, protection)).filter(|_| pages > STEP))
    }

    /// [`AddressSpace::unmap`], when it is long.
    pub fn unmap(space: &Ref<AddressSpace>, va: u64, pages: usize) -> Result<Option<Work>, VmError> {
        let place = Place { space: space.clone(), va, pages };
        Ok(Work::new(pages, Kind::Unmap(place)).filter(|_| pages > STEP))
    }

    /// Gives it up; what was taken for it is the caller's.
    pub fn into_memory(self) -> Option<Frames> {
        match self.kind {
            Kind::Object(frames) | Kind::Commit(_, frames, _) => frames.into_inner(),
            Kind::Protect(..) | Kind::Unmap(_) => None,
        }
    }

    /// Goes on. `None` when there is more to do; an object's memory when that was the work.
    pub fn step(&mut self) -> Option<Result<Option<Ref<Frames>>, VmError>> {
        self.left -= 1;
        if self.left > 0 {
            return None;
        }
        Some(match &self.kind {
            Kind::Object(frames) => Ok(Some(frames.clone())),
            Kind::Commit(place, frames, protection) => {
                place.space.commit_with(frames, place.va, place.pages, *protection).map(|()| None)
            }
            Kind::Protect(place, protection) => {
                place.space.protect(place.va, place.pages, *protection).map(|()| None)
            }
            Kind::Unmap(place) => place.space.unmap(place.va, place.pages).map(|()| None),
        })
    }
}
