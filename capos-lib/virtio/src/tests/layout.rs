//! Offsets against the specification's own arithmetic.

use crate::layout::{Layout, PAGE};

/// `vring_size` of virtio 1.2, 2.7.2, in its own words.
fn specified(size: u32) -> (u32, u32) {
    let align = |it: u32| (it + PAGE - 1) & !(PAGE - 1);
    (align(16 * size + 2 * (3 + size)), align(16 * size + 2 * (3 + size)) + align(6 + 8 * size))
}

#[test]
fn legacy_rings_are_laid_out_as_specified() {
    for size in (0..16).map(|bit| 1u16 << bit) {
        let layout = Layout::new(size).unwrap();
        assert_eq!((layout.used(), layout.bytes()), specified(size.into()), "{size}");
    }
}

#[test]
fn there_are_only_powers_of_two() {
    assert!([0, 3, 6, 255, 0x8001, 0xffff].into_iter().all(|size| Layout::new(size).is_none()));
    assert_eq!(Layout::new(0x8000).map(Layout::size), Some(0x8000));
}

#[test]
fn parts_do_not_overlap_and_indices_wrap() {
    let layout = Layout::new(8).unwrap();
    assert_eq!(layout.descriptor(7) + 16, layout.available());
    assert_eq!((layout.available_index(), layout.available_entry(0)), (130, 132));
    assert_eq!(layout.available_entry(7) + 2, layout.used_event());
    assert_eq!((layout.used(), layout.used_index(), layout.used_entry(0)), (4096, 4098, 4100));
    assert_eq!(layout.used_entry(7) + 8, layout.available_event());
    assert_eq!(layout.available_entry(0xffff), layout.available_entry(7));
    assert_eq!(layout.used_entry(8), layout.used_entry(0));
    assert_eq!(layout.bytes(), 8192);
}
