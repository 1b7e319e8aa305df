//! Ring blocks of host memory.

use super::mem::Frames;
use crate::account::Account;
use crate::sync::Ref;
use crate::types::MemError;
use capos_abi::RingShape;
use capos_ring::{KernelRing, UserRing};
use core::ops::Deref;

/// A thread's ring block, as the kernel sees it.
pub struct RingBlock {
    ring: KernelRing,
    frames: Ref<Frames>,
    shape: RingShape,
}

impl RingBlock {
    /// A zeroed block of that shape, charged to `budget`.
    pub fn new(shape: RingShape, budget: &Ref<Account>) -> Result<RingBlock, MemError> {
        let frames = Frames::contiguous(shape.pages(), budget)?;
        // SAFETY: the block is as long as the shape says, and `frames` keeps it alive as long as the ring.
        let ring = unsafe { KernelRing::new(frames.start(), shape) };
        Ok(RingBlock { ring, frames, shape })
    }

    /// The pages, for mapping.
    pub fn frames(&self) -> &Ref<Frames> {
        &self.frames
    }

    /// The user's end of the same block. A test plays the user with it.
    pub fn user(&self) -> UserRing {
        // SAFETY: the block is as long as the shape says; tests drop the user's end before the block.
        unsafe { UserRing::new(self.frames.start(), self.shape) }
    }
}

impl Deref for RingBlock {
    type Target = KernelRing;

    #[inline]
    fn deref(&self) -> &KernelRing {
        &self.ring
    }
}
