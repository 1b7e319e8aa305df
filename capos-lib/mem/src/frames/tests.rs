//! The allocator against a set of frame numbers.

use super::{FrameAllocator, FrameError, MAX_FRAMES};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

fn words(frames: usize) -> Vec<u64> {
    vec![!0; FrameAllocator::words_needed(frames)]
}

#[test]
fn metadata_of_64_gib_takes_two_bits_a_frame_and_a_little() {
    assert_eq!(MAX_FRAMES, 64 * 1024 * 1024 * 1024 / 4096);
    let words = FrameAllocator::words_needed(MAX_FRAMES);
    assert_eq!(words, 2 * (MAX_FRAMES / 64 + 4096 + 64 + 1));
}

#[test]
fn metadata_that_is_too_short_is_refused() {
    let mut short = vec![0; FrameAllocator::words_needed(1000) - 1];
    assert_eq!(FrameAllocator::new(&mut short, 1000).err(), Some(FrameError::BadMetadata));
}

#[test]
fn more_frames_than_four_levels_cover_are_refused() {
    assert_eq!(FrameAllocator::new(&mut [], MAX_FRAMES + 1).err(), Some(FrameError::BadMetadata));
}

#[test]
fn a_new_allocator_manages_nothing() {
    let mut words = words(100);
    let mut frames = FrameAllocator::new(&mut words, 100).unwrap();
    assert_eq!((frames.allocate(), frames.allocate_run(1, 1)), (None, None));
    assert_eq!((frames.free_frames(), frames.managed_frames()), (0, 0));
    assert_eq!(frames.free(5), Err(FrameError::NotManaged));
}

#[test]
fn no_frames_at_all_is_a_valid_machine() {
    let mut words = words(0);
    let mut frames = FrameAllocator::new(&mut words, 0).unwrap();
    assert_eq!(frames.allocate(), None);
    assert_eq!(frames.add(0, 1), Err(FrameError::NotManaged));
    assert_eq!(frames.add(0, 0), Ok(()));
}

#[test]
fn single_frames_come_from_the_top_and_runs_from_the_bottom() {
    let mut words = words(1000);
    let mut frames = FrameAllocator::new(&mut words, 1000).unwrap();
    frames.add(10, 500).unwrap();
    assert_eq!(frames.allocate(), Some(509));
    assert_eq!(frames.allocate_run(3, 1), Some(10));
    assert_eq!(frames.allocate_run(64, 64), Some(64));
    assert_eq!(frames.free_frames(), 500 - 68);
}

#[test]
fn a_run_does_not_cross_a_hole() {
    let mut words = words(1000);
    let mut frames = FrameAllocator::new(&mut words, 1000).unwrap();
    frames.add(0, 100).unwrap();
    frames.add(101, 200).unwrap();
    assert_eq!(frames.allocate_run(150, 1), Some(101));
    assert_eq!(frames.allocate_run(101, 1), None);
    assert_eq!(frames.allocate_run(100, 1), Some(0));
}

#[test]
fn a_run_may_reach_the_very_last_frame() {
    let mut words = words(128);
    let mut frames = FrameAllocator::new(&mut words, 128).unwrap();
    frames.add(0, 128).unwrap();
    assert_eq!(frames.allocate_run(129, 1), None);
    assert_eq!(frames.allocate_run(128, 1), Some(0));
    assert_eq!(frames.allocate(), None);
}

#[test]
fn a_run_of_nothing_or_absurd_length_is_refused() {
    let mut words = words(128);
    let mut frames = FrameAllocator::new(&mut words, 128).unwrap();
    frames.add(0, 128).unwrap();
    for (count, align) in [(0, 1), (1, 0), (usize::MAX, 1), (1, usize::MAX), (usize::MAX, usize::MAX)] {
        let run = frames.allocate_run(count, align);
        assert!(run.is_none() || (count, align, run) == (1, usize::MAX, Some(0)), "{count} {align}");
    }
}

#[test]
fn a_double_free_is_told_from_a_foreign_frame() {
    let mut words = words(100);
    let mut frames = FrameAllocator::new(&mut words, 100).unwrap();
    frames.add(0, 10).unwrap();
    let frame = frames.allocate().unwrap();
    assert_eq!(frames.free(frame), Ok(()));
    assert_eq!(frames.free(frame), Err(FrameError::AlreadyFree));
    assert_eq!(frames.free(50), Err(FrameError::NotManaged));
    assert_eq!(frames.free(usize::MAX), Err(FrameError::NotManaged));
    assert_eq!(frames.free_frames(), 10);
}

#[test]
fn a_run_with_one_bad_frame_is_not_freed_at_all() {
    let mut words = words(100);
    let mut frames = FrameAllocator::new(&mut words, 100).unwrap();
    frames.add(0, 10).unwrap();
    let first = frames.allocate_run(9, 1).unwrap();
    assert_eq!(frames.free_run(first, 10), Err(FrameError::AlreadyFree));
    assert_eq!(frames.free_run(first, 11), Err(FrameError::NotManaged));
    assert_eq!(frames.free_run(first, usize::MAX), Err(FrameError::NotManaged));
    assert_eq!(frames.free_frames(), 1);
    assert_eq!(frames.free_run(first, 9), Ok(()));
    assert_eq!(frames.free_frames(), 10);
}

#[test]
fn frames_are_added_once() {
    let mut words = words(100);
    let mut frames = FrameAllocator::new(&mut words, 100).unwrap();
    frames.add(10, 10).unwrap();
    assert_eq!(frames.add(19, 2), Err(FrameError::AlreadyManaged));
    assert_eq!(frames.add(99, 2), Err(FrameError::NotManaged));
    assert_eq!((frames.free_frames(), frames.managed_frames()), (10, 10));
}

#[test]
#[cfg_attr(miri, ignore = "walks two megabytes of bitmap")]
fn a_hole_of_gigabytes_is_stepped_over() {
    let mut words = words(MAX_FRAMES);
    let mut frames = FrameAllocator::new(&mut words, MAX_FRAMES).unwrap();
    frames.add(3, 2).unwrap();
    frames.add(MAX_FRAMES - 2, 2).unwrap();
    assert_eq!(frames.allocate(), Some(MAX_FRAMES - 1));
    assert_eq!(frames.allocate_run(2, 1), Some(3));
    assert_eq!(frames.allocate_run(1, 1), Some(MAX_FRAMES - 2));
    assert_eq!(frames.allocate(), None);
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize, usize),
    One,
    Run(usize, usize),
    Free(usize),
    FreeRun(usize, usize),
}

const FRAMES: usize = 700;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..FRAMES + 10, 0..200usize).prop_map(|(first, count)| Step::Add(first, count)),
        4 => any::<()>().prop_map(|()| Step::One),
        3 => (0..80usize, 0..20usize).prop_map(|(count, align)| Step::Run(count, align)),
        3 => (0..FRAMES + 10).prop_map(Step::Free),
        2 => (0..FRAMES, 0..40usize).prop_map(|(first, count)| Step::FreeRun(first, count)),
    ]
}

#[derive(Default)]
struct Model {
    managed: BTreeSet<usize>,
    free: BTreeSet<usize>,
}

impl Model {
    fn add(&mut self, first: usize, count: usize) -> Result<(), FrameError> {
        if first + count > FRAMES {
            return Err(FrameError::NotManaged);
        }
        if (first..first + count).any(|frame| self.managed.contains(&frame)) {
            return Err(FrameError::AlreadyManaged);
        }
        self.managed.extend(first..first + count);
        self.free.extend(first..first + count);
        Ok(())
    }

    fn run(&mut self, count: usize, align: usize) -> Option<usize> {
        let fits = |start: &usize| (*start..start + count).all(|frame| self.free.contains(&frame));
        let start = (0..FRAMES).step_by(align.max(1)).find(fits).filter(|_| count > 0 && align > 0)?;
        (start..start + count).for_each(|frame| assert!(self.free.remove(&frame)));
        Some(start)
    }

    fn free(&mut self, first: usize, count: usize) -> Result<(), FrameError> {
        if first + count > FRAMES || !(first..first + count).all(|frame| self.managed.contains(&frame)) {
            return Err(FrameError::NotManaged);
        }
        if (first..first + count).any(|frame| self.free.contains(&frame)) {
            return Err(FrameError::AlreadyFree);
        }
        self.free.extend(first..first + count);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 256 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_allocator_follows_the_model(steps in prop::collection::vec(step(), 0..if cfg!(miri) { 20 } else { 120 })) {
        let mut words = words(FRAMES);
        let mut frames = FrameAllocator::new(&mut words, FRAMES).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Add(first, count) => prop_assert_eq!(frames.add(first, count), model.add(first, count)),
                Step::One => prop_assert_eq!(frames.allocate(), model.free.pop_last()),
                Step::Run(count, align) => prop_assert_eq!(frames.allocate_run(count, align), model.run(count, align)),
                Step::Free(frame) => prop_assert_eq!(frames.free(frame), model.free(frame, 1)),
                Step::FreeRun(first, count) => prop_assert_eq!(frames.free_run(first, count), model.free(first, count)),
            }
            prop_assert_eq!(frames.free_frames(), model.free.len());
            prop_assert_eq!(frames.managed_frames(), model.managed.len());
        }
    }
}
