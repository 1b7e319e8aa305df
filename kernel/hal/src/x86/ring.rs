//! Ring blocks: contiguous frames that the kernel uses through its direct map while a process has them mapped.

use super::mem::{Frames, phys};
use crate::account::Account;
use crate::sync::Ref;
use crate::types::MemError;
use capos_abi::RingShape;
use capos_ring::KernelRing;
use core::ops::Deref;
use core::ptr::NonNull;

/// A thread's ring block, as the kernel sees it.
pub struct RingBlock {
    ring: KernelRing,
    frames: Ref<Frames>,
}

impl RingBlock {
    /// A zeroed block of that shape, charged to `budget`.
    pub fn new(shape: RingShape, budget: &Ref<Account>) -> Result<RingBlock, MemError> {
        if !shape.is_valid() {
            return Err(MemError::OutOfMemory);
        }
        let frames = Frames::contiguous(shape.pages(), budget)?;
        let (address, _) = frames.locate(0).ok_or(MemError::OutOfMemory)?;
        let start = NonNull::new(phys::pointer(address)).ok_or(MemError::OutOfMemory)?;
        // SAFETY: the frames are contiguous, as many as the shape says, zeroed, never hold Rust objects, and live as long as
        // `frames`.
        let ring = unsafe { KernelRing::new(start, shape) };
        Ok(RingBlock { ring, frames })
    }

    /// The pages, for mapping.
    pub fn frames(&self) -> &Ref<Frames> {
        &self.frames
    }
}

impl Deref for RingBlock {
    type Target = KernelRing;

    #[inline]
    fn deref(&self) -> &KernelRing {
        &self.ring
    }
}
