//! Memory that is taken and cleared step by step, so that nobody else has to wait for all of it.

use super::{Frames, Owner};
use crate::account::Account;
use crate::label::Label;
use crate::sync::Ref;
use crate::types::MemError;
use alloc::vec::Vec;
use capos_mem::{LARGE_PAGES, Resource};

/// A part of a budget for pages that are not there yet; goes back when dropped.
struct Charge {
    account: Ref<Account>,
    pages: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.refund(Resource::MemoryPages, self.pages as u64);
    }
}

/// Some of the frames, and the charge for the rest.
pub(in crate::x86) struct Growing {
    frames: Frames,
    missing: Charge,
    phase: usize,
}

impl Growing {
    /// Charges for `pages` pages, of which the first is number `phase` of a large page.
    pub fn new(phase: usize, pages: usize, account: &Ref<Account>) -> Result<Growing, MemError> {
        account.charge(Resource::MemoryPages, pages as u64).map_err(|_| MemError::BudgetExhausted)?;
        let missing = Charge { account: account.clone(), pages };
        let frames = Frames {
            extents: Vec::new(),
            pages: 0,
            owner: Owner::Account(account.clone()),
            label: Label::new(),
        };
        Ok(Growing { frames, missing, phase: phase % LARGE_PAGES })
    }

    /// Takes and clears as many as a large page has, or fewer. True when all are there.
    pub fn step(&mut self) -> Result<bool, MemError> {
        let to_boundary = LARGE_PAGES - (self.phase + self.frames.pages) % LARGE_PAGES;
        let pages = self.missing.pages.min(to_boundary);
        if pages > 0 {
            self.missing.pages -= pages;
            let more = Frames::charged(pages, &self.missing.account, |frames, pages| frames.take(0, pages))?;
            self.frames.append(more)?;
        }
        Ok(self.missing.pages == 0)
    }

    /// Those that are there.
    pub fn into_frames(self) -> Frames {
        self.frames
    }

    /// The frames, when all are there.
    pub fn finish(self) -> Result<Ref<Frames>, MemError> {
        if self.frames.pages == 0 || self.missing.pages > 0 {
            return Err(MemError::OutOfMemory);
        }
        Ok(Ref::try_new(self.frames)?)
    }
}
