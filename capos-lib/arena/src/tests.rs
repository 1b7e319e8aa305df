//! Runs never overlap, never leave what was added, and come back whole.

use super::{ArenaMap, BLOCK, MAX_LEN, Run};
extern crate std;
use std::vec::Vec;

fn map(end: u32) -> ArenaMap {
    let mut map = ArenaMap::empty();
    map.add(0, end);
    map
}

#[test]
fn an_empty_map_has_nothing() {
    assert_eq!(ArenaMap::empty().take(1), None);
    assert_eq!(ArenaMap::empty().free_bytes(), 0);
}

#[test]
fn runs_are_rounded_up_to_blocks() {
    let mut map = map(4096);
    let run = map.take(1).unwrap();
    assert_eq!((run.offset(), run.len()), (0, BLOCK));
    let run = map.take(65).unwrap();
    assert_eq!((run.offset(), run.len()), (BLOCK, 2 * BLOCK));
    assert_eq!(map.free_bytes(), 4096 - 3 * BLOCK);
}

#[test]
fn an_empty_request_still_owns_a_block() {
    let mut map = map(4096);
    let run = map.take(0).unwrap();
    assert!(!run.is_empty());
    assert_ne!(map.take(0).unwrap().offset(), run.offset());
}

#[test]
fn partial_blocks_at_the_ends_are_not_used() {
    let mut map = ArenaMap::empty();
    map.add(10, 200);
    let run = map.take(128).unwrap();
    assert_eq!(run.offset(), 64);
    assert_eq!(map.take(1), None);
}

#[test]
fn a_run_crosses_words_of_the_map() {
    let mut map = map(64 * 1024);
    let small = map.take(60 * BLOCK).unwrap();
    let big = map.take(4096).unwrap();
    assert_eq!(big.offset(), small.len());
    assert!(big.offset() / BLOCK < 64 && (big.offset() + big.len()) / BLOCK > 64);
}

#[test]
fn what_is_freed_is_found_again() {
    let mut map = map(8192);
    let first = map.take(4096).unwrap();
    let second = map.take(4096).unwrap();
    assert_eq!(map.take(64), None);
    map.free(first);
    assert_eq!(map.take(4096).unwrap().offset(), 0);
    map.free(second);
    assert_eq!(map.free_bytes(), 4096);
}

#[test]
fn more_than_there_is_in_a_row_is_refused() {
    let mut map = map(4096);
    let holes: Vec<Run> = (0..64).map(|_| map.take(64).unwrap()).collect();
    for (index, run) in holes.into_iter().enumerate() {
        if index % 2 == 0 {
            map.free(run);
        }
    }
    assert_eq!(map.free_bytes(), 2048);
    assert_eq!(map.take(65), None);
    assert!(map.take(64).is_some());
}

#[test]
fn the_largest_arena_fits_and_beyond_is_cut() {
    let mut map = map(MAX_LEN + 4096);
    assert_eq!(map.free_bytes(), MAX_LEN);
    assert!(map.take(MAX_LEN).is_some());
    assert_eq!(map.take(1), None);
}

#[test]
fn random_takes_and_frees_never_overlap() {
    let mut map = map(64 * 1024);
    let mut held: Vec<Run> = Vec::new();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..5_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 || held.is_empty() {
            if let Some(run) = map.take((state >> 40) as u32 % 5000) {
                for other in &held {
                    assert!(
                        run.offset() + run.len() <= other.offset()
                            || other.offset() + other.len() <= run.offset()
                    );
                }
                held.push(run);
            }
        } else {
            let index = (state >> 32) as usize % held.len();
            map.free(held.swap_remove(index));
        }
        assert_eq!(map.free_bytes() + held.iter().map(Run::len).sum::<u32>(), 64 * 1024);
    }
}
