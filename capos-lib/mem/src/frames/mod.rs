//! Which frames of physical memory are free.
//!
//! The allocator never touches the frames. It works on a bitmap that its caller supplies, with summaries above it, so that a
//! single frame is found in four word reads wherever it is. Single frames come from the top of memory and contiguous runs from
//! the bottom, so that single frames do not break up the low memory that old devices need.

mod bitmap;
mod cache;
#[cfg(test)]
mod tests;

pub use cache::{CACHED, FrameCache};

use bitmap::{Bitmap, MAX_BITS, words_for};

/// Most frames that one allocator manages: 64 GiB of 4 KiB frames.
pub const MAX_FRAMES: usize = MAX_BITS;

/// Why the allocator refused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// The frame is free already: a double free, which is a defect of the caller's.
    AlreadyFree,
    /// The frame was never given to the allocator, or is beyond its end.
    NotManaged,
    /// The frame was given to the allocator before.
    AlreadyManaged,
    /// The words supplied do not cover the frames, or the frames are more than [`MAX_FRAMES`].
    BadMetadata,
}

/// Hands out frames, named by their number (physical address / 4 KiB).
pub struct FrameAllocator<'m> {
    free: Bitmap<'m>,
    managed: Bitmap<'m>,
    free_count: usize,
    managed_count: usize,
}

impl<'m> FrameAllocator<'m> {
    /// How many words of metadata it takes to cover frame numbers below `frames`.
    pub const fn words_needed(frames: usize) -> usize {
        2 * words_for(frames)
    }

    /// An allocator for frame numbers below `frames` that manages none yet. Overwrites `words`.
    ///
    /// # Errors
    /// [`FrameError::BadMetadata`] when `words` is shorter than [`FrameAllocator::words_needed`].
    pub fn new(words: &'m mut [u64], frames: usize) -> Result<Self, FrameError> {
        if frames > MAX_FRAMES {
            return Err(FrameError::BadMetadata);
        }
        let (free, rest) = words.split_at_mut_checked(words_for(frames)).ok_or(FrameError::BadMetadata)?;
        let (managed, _) = rest.split_at_mut_checked(words_for(frames)).ok_or(FrameError::BadMetadata)?;
        Ok(FrameAllocator {
            free: Bitmap::new(free, frames).ok_or(FrameError::BadMetadata)?,
            managed: Bitmap::new(managed, frames).ok_or(FrameError::BadMetadata)?,
            free_count: 0,
            managed_count: 0,
        })
    }

    /// Gives `count` frames from `first` on to the allocator, as free ones. All or nothing.
    ///
    /// # Errors
    /// [`FrameError::AlreadyManaged`] when one of them was given before, [`FrameError::NotManaged`] beyond the end.
    pub fn add(&mut self, first: usize, count: usize) -> Result<(), FrameError> {
        let end = self.end_of(first, count)?;
        if self.managed.has_any(first..end) {
            return Err(FrameError::AlreadyManaged);
        }
        self.managed.set_range(first..end);
        self.free.set_range(first..end);
        self.managed_count += count;
        self.free_count += count;
        Ok(())
    }

    /// One frame: the highest that is free.
    #[inline]
    pub fn allocate(&mut self) -> Option<usize> {
        let frame = self.free.highest()?;
        self.free.clear(frame);
        self.free_count -= 1;
        Some(frame)
    }

    /// `count` consecutive frames, the first a multiple of `align`: the lowest that are free. `None` too when `count` or `align`
    /// is zero.
    pub fn allocate_run(&mut self, count: usize, align: usize) -> Option<usize> {
        let first = self.free.lowest_run(count, align)?;
        self.free.clear_range(first..first + count);
        self.free_count -= count;
        Some(first)
    }

    /// Takes one frame back.
    ///
    /// # Errors
    /// [`FrameError::AlreadyFree`] or [`FrameError::NotManaged`].
    #[inline]
    pub fn free(&mut self, frame: usize) -> Result<(), FrameError> {
        if !self.managed.get(frame) {
            return Err(FrameError::NotManaged);
        }
        if self.free.get(frame) {
            return Err(FrameError::AlreadyFree);
        }
        self.free.set(frame);
        self.free_count += 1;
        Ok(())
    }

    /// Takes `count` consecutive frames back. All or nothing.
    ///
    /// # Errors
    /// As [`FrameAllocator::free`], when it holds for any of them.
    pub fn free_run(&mut self, first: usize, count: usize) -> Result<(), FrameError> {
        let end = self.end_of(first, count)?;
        if !self.managed.has_all(first..end) {
            return Err(FrameError::NotManaged);
        }
        if self.free.has_any(first..end) {
            return Err(FrameError::AlreadyFree);
        }
        self.free.set_range(first..end);
        self.free_count += count;
        Ok(())
    }

    /// How many frames are free.
    #[inline]
    pub fn free_frames(&self) -> usize {
        self.free_count
    }

    /// How many frames were given to the allocator.
    #[inline]
    pub fn managed_frames(&self) -> usize {
        self.managed_count
    }

    fn end_of(&self, first: usize, count: usize) -> Result<usize, FrameError> {
        first.checked_add(count).filter(|end| *end <= self.managed.bits()).ok_or(FrameError::NotManaged)
    }
}
