//! What is left of an address space when its tables are gone: regions, and the memory behind them that was nobody else's.

use super::Memory;
use crate::x86::mem::Frames;
use alloc::vec::Vec;
use capos_mem::Region;

/// Goes bit by bit.
pub(super) struct Remains {
    regions: Vec<Region<Memory>>,
    /// Of the last region, what is not given back yet.
    frames: Option<Frames>,
}

impl Remains {
    /// All of these.
    pub fn new(regions: Vec<Region<Memory>>) -> Self {
        Remains { regions, frames: None }
    }

    /// Lets go of as much as `left` allows for. False when there is more.
    pub fn release_some(&mut self, left: &mut u32) -> bool {
        loop {
            if let Some(frames) = &mut self.frames
                && !frames.give_back_some(left)
            {
                return false;
            }
            self.frames = None;
            if self.regions.is_empty() {
                return true;
            }
            if *left == 0 {
                return false;
            }
            *left -= 1;
            self.frames = self.regions.pop().and_then(|region| region.backing?.object.frames.into_inner());
        }
    }
}
