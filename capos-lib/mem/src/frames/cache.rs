//! Frames that one processor keeps for itself, so that it seldom needs the allocator that all share.

use super::FrameAllocator;
use crate::magazine::Magazine;

/// Most frames that one processor keeps.
pub const CACHED: usize = 64;

/// With fewer free frames than this the allocator gives out single ones only: what lay in one processor's cache might be missing on another.
const LOW: usize = 16 * CACHED;

/// The frames that one processor keeps. They count as taken out of the allocator; who wants to know how many are free adds them.
pub struct FrameCache(Magazine<usize, CACHED>);

impl FrameCache {
    /// None.
    pub const fn new() -> Self {
        FrameCache(Magazine::new(0))
    }

    /// How many are here.
    #[inline]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is here.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one.
    #[inline]
    pub fn take(&mut self) -> Option<usize> {
        self.0.take()
    }

    /// Takes one when none is here: a good number comes from `shared` first. `None` when that has none either; another processor may.
    pub fn take_after_filling(&mut self, shared: &mut FrameAllocator<'_>) -> Option<usize> {
        if shared.free_frames() < LOW {
            return shared.allocate();
        }
        self.0.fill(CACHED, || shared.allocate());
        self.0.take()
    }

    /// Puts one here that is nobody's any more.
    ///
    /// # Errors
    /// Gives it back when there is no room: see [`FrameCache::put_after_spilling`].
    #[inline]
    pub fn put(&mut self, frame: usize) -> Result<(), usize> {
        self.0.put(frame)
    }

    /// Puts one here when there is no room: half of the others go to `shared` first. False when one of them is no frame that was taken out
    /// there: a defect of who put it here.
    pub fn put_after_spilling(&mut self, frame: usize, shared: &mut FrameAllocator<'_>) -> bool {
        let good = self.spill(Magazine::<usize, CACHED>::HALF, shared);
        good && self.0.put(frame).is_ok()
    }

    /// Gives all back. False as for [`FrameCache::put_after_spilling`].
    pub fn drain(&mut self, shared: &mut FrameAllocator<'_>) -> bool {
        self.spill(0, shared)
    }

    fn spill(&mut self, keep: usize, shared: &mut FrameAllocator<'_>) -> bool {
        let mut good = true;
        self.0.spill(keep, |frame| good &= shared.free(frame).is_ok());
        good
    }
}

impl Default for FrameCache {
    fn default() -> Self {
        FrameCache::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use super::{CACHED, FrameAllocator, FrameCache, LOW};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
    use std::vec::Vec;

    fn allocator(words: &mut Vec<u64>, frames: usize) -> FrameAllocator<'_> {
        words.resize(FrameAllocator::words_needed(frames), 0);
        let mut allocator = FrameAllocator::new(words, frames).expect("words enough");
        allocator.add(0, frames).expect("new");
        allocator
    }

    #[test]
    fn one_visit_serves_half_a_cache_of_neighbours() {
        let mut words = Vec::new();
        let mut shared = allocator(&mut words, 2 * LOW);
        let mut own = FrameCache::new();
        assert!(own.take().is_none());
        assert_eq!(own.take_after_filling(&mut shared), Some(2 * LOW - 1));
        assert_eq!((own.len(), shared.free_frames()), (CACHED / 2 - 1, 2 * LOW - CACHED / 2));
        assert_eq!(own.take(), Some(2 * LOW - 2));
    }

    #[test]
    fn where_few_are_left_nobody_keeps_any() {
        let mut words = Vec::new();
        let mut shared = allocator(&mut words, LOW - 1);
        let mut own = FrameCache::new();
        for n in 1..LOW {
            assert_eq!(own.take_after_filling(&mut shared), Some(LOW - 1 - n));
            assert!(own.is_empty());
        }
        assert_eq!(own.take_after_filling(&mut shared), None);
    }

    #[test]
    fn a_full_cache_keeps_the_last_half() {
        let mut words = Vec::new();
        let mut shared = allocator(&mut words, 200);
        let mut own = FrameCache::new();
        let frames: Vec<usize> = core::iter::from_fn(|| shared.allocate()).take(CACHED + 1).collect();
        for frame in frames.iter().take(CACHED) {
            assert_eq!(own.put(*frame), Ok(()));
        }
        let last = frames[CACHED];
        assert_eq!(own.put(last), Err(last));
        assert!(own.put_after_spilling(last, &mut shared));
        assert_eq!((own.len(), shared.free_frames()), (CACHED / 2 + 1, 200 - 1 - CACHED / 2));
        assert_eq!(own.take(), Some(last));
        assert!(own.drain(&mut shared));
        assert_eq!(shared.free_frames(), 199);
    }

    #[test]
    fn a_frame_that_was_put_here_twice_is_found_when_it_goes_back() {
        let mut words = Vec::new();
        let mut shared = allocator(&mut words, 10);
        let frame = shared.allocate().expect("there are ten");
        let mut own = FrameCache::new();
        assert!(own.put(frame).is_ok() && own.put(frame).is_ok());
        assert!(!own.drain(&mut shared));
        assert_eq!(shared.free_frames(), 10);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 128 }, failure_persistence: None, ..Default::default() })]

        /// Processors take and give back at random. None is refused as long as one is free anywhere, when all caches are drained before giving
        /// up; and what is free is always what is not in use, to the frame.
        #[test]
        fn nothing_is_lost_doubled_or_kept_from_who_needs_it(
            frames in prop::sample::select(std::vec![50usize, LOW, LOW + 100, LOW + 300]),
            steps in prop::collection::vec((0usize..3, any::<bool>(), 1usize..120), 0..if cfg!(miri) { 10 } else { 120 }),
        ) {
            let mut words = Vec::new();
            let mut shared = allocator(&mut words, frames);
            let mut caches = [FrameCache::new(), FrameCache::new(), FrameCache::new()];
            let mut used: Vec<usize> = Vec::new();
            for (whose, takes, many) in steps {
                for _ in 0..many {
                    let Some(own) = caches.get_mut(whose) else { continue };
                    if takes {
                        let found = own.take().or_else(|| own.take_after_filling(&mut shared)).or_else(|| {
                            caches.iter_mut().for_each(|cache| assert!(cache.drain(&mut shared)));
                            shared.allocate()
                        });
                        prop_assert_eq!(found.is_none(), used.len() == frames);
                        used.extend(found);
                    } else if let Some(frame) = used.pop()
                        && let Err(frame) = own.put(frame)
                    {
                        prop_assert!(own.put_after_spilling(frame, &mut shared));
                    }
                }
                let kept: usize = caches.iter().map(FrameCache::len).sum();
                prop_assert_eq!(shared.free_frames() + kept + used.len(), frames);
                let mut distinct = used.clone();
                distinct.sort_unstable();
                distinct.dedup();
                prop_assert_eq!(distinct.len(), used.len());
            }
        }
    }
}
