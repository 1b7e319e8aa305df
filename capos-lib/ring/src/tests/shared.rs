//! Raw access to shared memory: any index stays inside of it.

use crate::{BadShape, Index, SharedSlots};
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use std::boxed::Box;
use std::vec;

#[repr(C, align(64))]
#[derive(Clone)]
struct Line([u64; 8]);

/// Four entries of 64 bytes behind the two lines of index words, and a line that nobody may touch.
fn with_memory(test: impl FnOnce(SharedSlots<8>)) {
    let lines = Box::into_raw(vec![Line([7; 8]); 7].into_boxed_slice());
    let start = NonNull::new(lines.cast::<u8>()).expect("a box is not null");
    // SAFETY: aligned to 64 and longer than the size of four entries; freed after `test` has given the slots up.
    test(unsafe { SharedSlots::<8>::new(start, 4) }.expect("a good shape"));
    // SAFETY: made by `Box::into_raw` above.
    let lines = unsafe { Box::from_raw(lines) };
    assert_eq!(lines[6].0, [7; 8], "written behind the end");
}

#[test]
fn entries_and_index_words_do_not_overlap() {
    assert_eq!(SharedSlots::<8>::size(4), Some(6 * 64));
    with_memory(|slots| {
        assert_eq!(slots.entries(), 4);
        let all = [Index::Tail, Index::RoomWanted, Index::Head, Index::EntryWanted];
        for (n, index) in (0..).zip(all) {
            slots.store(index, n, Ordering::Relaxed);
        }
        for index in [0, 1, 2, 3, u32::MAX, 1 << 31] {
            let mut out = [0; 8];
            slots.write(index, &core::array::from_fn(|word| u64::from(index) << 8 | word as u64));
            slots.read(index & 3, &mut out);
            assert_eq!(out, core::array::from_fn(|word| u64::from(index) << 8 | word as u64));
        }
        for (n, index) in (0..).zip(all) {
            assert_eq!(slots.load(index, Ordering::Relaxed), n);
        }
    });
}

#[test]
fn shapes_that_are_none_are_refused() {
    assert_eq!((SharedSlots::<8>::size(0), SharedSlots::<8>::size(3)), (None, None));
    assert_eq!((SharedSlots::<0>::size(4), SharedSlots::<9>::size(4)), (None, None));
    assert_eq!(SharedSlots::<16>::size(2), Some(128 + 256));
    // SAFETY: a bad shape is refused before anything is accessed.
    let refused = unsafe { SharedSlots::<8>::new(NonNull::dangling(), 3) };
    assert_eq!(refused.err(), Some(BadShape));
}
