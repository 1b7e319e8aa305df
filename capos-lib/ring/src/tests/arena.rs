//! Ranges and copies in the message arena.

use super::Pair;
use crate::{KernelRing, OutOfArena};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use std::vec;
use std::vec::Vec;

fn contents(ring: &KernelRing) -> Vec<u8> {
    let mut all = vec![0; ring.arena_len()];
    ring.arena_read(0, &mut all).expect("the whole arena");
    all
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + 3) as u8).collect()
}

#[test]
fn ranges_up_to_the_end_are_good_and_beyond_are_not() {
    let pair = Pair::small();
    let ring = &pair.kernel;
    for (off, len) in [(0, 0), (0, 4096), (4096, 0), (4095, 1), (8, 4088)] {
        assert_eq!(ring.check_range(off, len), Ok(()), "{off} {len}");
    }
    for (off, len) in [(0, 4097), (4096, 1), (4097, 0), (u32::MAX, u32::MAX), (1, u32::MAX), (u32::MAX, 1)] {
        assert_eq!(ring.check_range(off, len), Err(OutOfArena), "{off} {len}");
    }
}

#[test]
fn bytes_come_back_as_they_were_written() {
    let pair = Pair::small();
    for (off, len) in [(0, 64), (8, 63), (3, 64), (1, 1), (0, 0), (4088, 8), (4089, 7)] {
        let bytes = pattern(len);
        pair.kernel.arena_write(off, &bytes).unwrap();
        let mut back = vec![0; len];
        pair.kernel.arena_read(off, &mut back).unwrap();
        assert_eq!(back, bytes, "{off} {len}");
    }
}

#[test]
fn a_write_touches_nothing_but_its_range() {
    let pair = Pair::small();
    pair.kernel.arena_write(0, &vec![0xee; 4096]).unwrap();
    pair.kernel.arena_write(16, &pattern(21)).unwrap();
    let mut expected = vec![0xee; 4096];
    expected[16..37].copy_from_slice(&pattern(21));
    assert_eq!(contents(&pair.kernel), expected);
}

#[test]
fn accesses_beyond_the_end_change_nothing() {
    let pair = Pair::small();
    let mut out = [0x55; 16];
    assert_eq!(pair.kernel.arena_read(4088, &mut out), Err(OutOfArena));
    assert_eq!(out, [0x55; 16]);
    assert_eq!(pair.kernel.arena_write(4088, &[1; 9]), Err(OutOfArena));
    assert_eq!(pair.kernel.arena_store(4096, 1), Err(OutOfArena));
    assert_eq!(pair.kernel.arena_load(u32::MAX), Err(OutOfArena));
    assert_eq!(contents(&pair.kernel), vec![0; 4096]);
}

#[test]
fn words_are_aligned_or_refused() {
    let pair = Pair::small();
    pair.kernel.arena_store(4088, 0x0102_0304_0506_0708).unwrap();
    assert_eq!(pair.kernel.arena_load(4088), Ok(0x0102_0304_0506_0708));
    for off in [1, 4, 7, 4089] {
        assert_eq!(pair.kernel.arena_load(off), Err(OutOfArena));
        assert_eq!(pair.kernel.arena_store(off, 1), Err(OutOfArena));
    }
}

#[test]
fn messages_of_every_length_are_copied_exactly() {
    // Miri takes a second for each.
    let short = if cfg!(miri) { 62..66 } else { 0..80 };
    let long = [248, 255, 256, 257, 263, 264, 511, 4096];
    for len in short.chain(long.into_iter().filter(|len| !cfg!(miri) || *len == 257)) {
        let (from, to) = (Pair::small(), Pair::small());
        from.kernel.arena_write(0, &pattern(4096)).unwrap();
        to.kernel.arena_write(0, &vec![0xee; 4096]).unwrap();
        let off = if len <= 4088 { 8 } else { 0 };
        KernelRing::arena_copy(&from.kernel, 0, &to.kernel, off, len).unwrap();
        let mut expected = vec![0xee; 4096];
        expected[off as usize..(off + len) as usize].copy_from_slice(&pattern(len as usize));
        assert!(contents(&to.kernel) == expected, "{len}");
    }
}

#[test]
fn copies_between_odd_offsets_are_exact_too() {
    let (from, to) = (Pair::small(), Pair::small());
    from.kernel.arena_write(0, &pattern(4096)).unwrap();
    KernelRing::arena_copy(&from.kernel, 1, &to.kernel, 6, 300).unwrap();
    let mut back = vec![0; 300];
    to.kernel.arena_read(6, &mut back).unwrap();
    assert_eq!(back, pattern(301)[1..]);
}

#[test]
fn a_copy_with_one_bad_range_copies_nothing() {
    let (from, to) = (Pair::small(), Pair::small());
    from.kernel.arena_write(0, &pattern(4096)).unwrap();
    assert_eq!(KernelRing::arena_copy(&from.kernel, 8, &to.kernel, 0, 4089), Err(OutOfArena));
    assert_eq!(KernelRing::arena_copy(&from.kernel, 0, &to.kernel, 8, 4089), Err(OutOfArena));
    assert_eq!(KernelRing::arena_copy(&from.kernel, 0, &to.kernel, u32::MAX, u32::MAX), Err(OutOfArena));
    assert_eq!(contents(&to.kernel), vec![0; 4096]);
}

#[test]
fn a_copy_within_one_arena_is_allowed() {
    let pair = Pair::small();
    pair.kernel.arena_write(0, &pattern(64)).unwrap();
    KernelRing::arena_copy(&pair.kernel, 0, &pair.kernel, 512, 64).unwrap();
    let mut back = [0; 64];
    pair.kernel.arena_read(512, &mut back).unwrap();
    assert_eq!(back[..], pattern(64));
}

#[test]
fn user_and_kernel_mean_the_same_bytes() {
    let pair = Pair::small();
    // SAFETY: nobody else uses the arena meanwhile.
    unsafe { pair.user.arena_slice_mut(100, 5) }.unwrap().copy_from_slice(b"hello");
    let mut seen = [0; 5];
    pair.kernel.arena_read(100, &mut seen).unwrap();
    assert_eq!(&seen, b"hello");
    pair.kernel.arena_write(100, b"world").unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { pair.user.arena_slice(100, 5) }, Ok(&b"world"[..]));
}

#[test]
fn the_users_ranges_are_checked_too() {
    let pair = Pair::small();
    assert_eq!(pair.user.arena_pointer(4096, 1), Err(OutOfArena));
    assert_eq!(pair.user.arena_pointer(u32::MAX, 0), Err(OutOfArena));
    assert_eq!(pair.user.arena_pointer(1, usize::MAX), Err(OutOfArena));
    assert!(pair.user.arena_pointer(4096, 0).is_ok());
}

#[test]
fn a_startup_length_never_exceeds_the_arena() {
    let pair = Pair::small();
    pair.kernel.init_header(1, 1, u32::MAX);
    assert_eq!(pair.user.startup_len(), 4096);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 500 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_read_or_write_follows_a_plain_buffer(
        off in 0u32..4200, bytes in prop::collection::vec(any::<u8>(), 0..400), back in 0u32..4200, len in 0usize..400,
    ) {
        let pair = Pair::small();
        let mut model = vec![0u8; 4096];
        let place = model.get_mut(off as usize..off as usize + bytes.len());
        let written = place.map(|place| place.copy_from_slice(&bytes)).ok_or(OutOfArena);
        prop_assert_eq!(pair.kernel.arena_write(off, &bytes), written);
        let mut out = vec![0; len];
        let expected = model.get(back as usize..back as usize + len).ok_or(OutOfArena);
        let read = pair.kernel.arena_read(back, &mut out).map(|()| out.as_slice());
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_copy_follows_a_plain_buffer(from in 0u32..4200, to in 0u32..4200, len in 0u32..4200) {
        let (src, dst) = (Pair::small(), Pair::small());
        src.kernel.arena_write(0, &pattern(4096)).unwrap();
        let mut model = vec![0u8; 4096];
        let source = pattern(4096);
        let ranges = source.get(from as usize..(from + len) as usize).zip(model.get_mut(to as usize..(to + len) as usize));
        let copied = ranges.map(|(source, target)| target.copy_from_slice(source)).ok_or(OutOfArena);
        prop_assert_eq!(KernelRing::arena_copy(&src.kernel, from, &dst.kernel, to, len), copied);
        prop_assert_eq!(contents(&dst.kernel), model);
    }
}
