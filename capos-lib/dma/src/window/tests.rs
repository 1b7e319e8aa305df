use super::*;
use crate::world::window::play;
use alloc::vec::Vec;
use proptest::prelude::*;

fn range(first: u64, length: u64, widths: Widths, access: Access) -> Range {
    Range { first, length, widths, access }
}

/// One of each, with a gap.
fn table() -> Table {
    let mut table = Table::new(0x40);
    let ranges = [
        range(0x20, 8, Widths::EIGHT, Access::AddressToken { span: 512 }),
        range(0, 4, Widths::FOUR, Access::ReadOnly),
        range(4, 8, Widths::FOUR_OR_EIGHT, Access::ReadWrite),
        range(0x28, 8, Widths::TWO, Access::Doorbell),
        range(12, 4, Widths::FOUR, Access::Masked { writable: 0xff00, fixed: 0x1122_3344 }),
        range(0x30, 1, Widths::ONE, Access::Guarded),
        range(0x38, 8, Widths::ANY, Access::Forbidden),
    ];
    ranges.into_iter().for_each(|it| table.add(it).unwrap());
    table
}

#[test]
fn ranges_are_sorted_and_never_overlap() {
    let mut table = table();
    assert!(table.ranges().is_sorted_by_key(|it| it.first) && table.ranges().len() == 7);
    let mut add = |first, length| table.add(range(first, length, Widths::ANY, Access::ReadWrite));
    assert_eq!(add(0, 1), Err(TableError::Overlaps));
    assert_eq!(add(15, 2), Err(TableError::Overlaps), "its first byte is another's last");
    assert_eq!(add(16, 17), Err(TableError::Overlaps), "its last byte is another's first");
    assert_eq!(add(0x10, 0), Err(TableError::OutOfWindow));
    assert_eq!(add(0x40, 1), Err(TableError::OutOfWindow));
    assert_eq!(add(8, u64::MAX), Err(TableError::OutOfWindow));
    assert_eq!(add(16, 16), Ok(()));
    let mut table = Table::new(64);
    for n in 0..MOST_RANGES as u64 {
        table.add(range(2 * n, 1, Widths::ONE, Access::ReadOnly)).unwrap();
    }
    assert_eq!(table.add(range(1, 1, Widths::ONE, Access::ReadOnly)), Err(TableError::Full));
    assert_eq!(table.ranges().len(), MOST_RANGES);
}

#[test]
fn a_register_with_a_meaning_is_whole() {
    let mut table = Table::new(64);
    for access in
        [Access::Guarded, Access::AddressToken { span: 1 }, Access::Masked { writable: 1, fixed: 0 }]
    {
        assert_eq!(table.add(range(0, 8, Widths::FOUR_OR_EIGHT, access)), Err(TableError::BadWidths));
        assert_eq!(table.add(range(0, 8, Widths::FOUR, access)), Err(TableError::BadWidths));
    }
    let access = Access::AddressToken { span: 1 };
    assert_eq!(table.add(range(0, 4, Widths::FOUR, access)), Err(TableError::BadWidths), "half an address");
}

#[test]
fn reads() {
    let table = table();
    for (offset, width) in [(0, 4), (4, 4), (8, 4), (12, 4), (0x30, 1)] {
        assert_eq!(table.check_read(offset, width), Ok(()), "{offset:#x}");
    }
    assert_eq!(table.check_read(0, 3), Err(AccessError::BadWidth));
    assert_eq!(table.check_read(0, 0), Err(AccessError::BadWidth));
    assert_eq!(table.check_read(0, 2), Err(AccessError::BadWidth));
    assert_eq!(table.check_read(2, 4), Err(AccessError::Misaligned));
    assert_eq!(table.check_read(0, 8), Err(AccessError::Straddles));
    assert_eq!(table.check_read(0x10, 8), Err(AccessError::Forbidden), "nobody named it");
    assert_eq!(table.check_read(0x20, 8), Err(AccessError::Forbidden), "an address would be read");
    assert_eq!(table.check_read(0x28, 2), Err(AccessError::Forbidden));
    assert_eq!(table.check_read(0x30, 2), Err(AccessError::Straddles));
    assert_eq!(table.check_read(0x38, 8), Err(AccessError::Forbidden));
    assert_eq!(table.check_read(0x40, 1), Err(AccessError::OutOfWindow));
    assert_eq!(table.check_read(!7, 8), Err(AccessError::OutOfWindow));
    assert_eq!(Table::new(6).check_read(4, 4), Err(AccessError::OutOfWindow));
}

#[test]
fn writes() {
    let table = table();
    let write = |offset, width, value| table.check_write(Backend::Bounce, offset, width, value);
    assert_eq!(write(0, 4, 1), Err(AccessError::Forbidden));
    assert_eq!(write(4, 4, u64::MAX), Ok(Action::Write(0xffff_ffff)), "no more than the register has");
    assert_eq!(write(8, 8, 1), Err(AccessError::Straddles));
    assert_eq!(write(12, 4, 0xaaaa_aaaa), Ok(Action::Write(0x1122_aa44)));
    assert_eq!(write(0x10, 8, 1), Err(AccessError::Forbidden));
    assert_eq!(write(0x20, 8, u64::MAX), Err(AccessError::KernelsAddress));
    let direct = table.check_write(Backend::Direct, 0x20, 8, u64::MAX);
    assert_eq!(direct, Ok(Action::Translate { token: u64::MAX, span: 512 }));
    assert_eq!(write(0x20, 4, 1), Err(AccessError::BadWidth), "not half an address");
    assert_eq!(write(0x30, 1, 0x1ff), Ok(Action::Ask(0xff)));
    assert_eq!(write(0x38, 8, 0), Err(AccessError::Forbidden));
    assert_eq!(write(0x28, 2, 7), Err(AccessError::KernelsDoorbell));
    assert_eq!(table.check_write(Backend::Direct, 0x28, 2, 7), Ok(Action::Write(7)));
}

/// Pages: read-write, read-only with read-write, a doorbell, one with a gap, one with a masked register, and half a page.
fn pages() -> Table {
    let mut table = Table::new(5 * PAGE + 0x800);
    let ranges = [
        range(0, PAGE + 0x10, Widths::ANY, Access::ReadWrite),
        range(PAGE + 0x10, PAGE - 0x10, Widths::ANY, Access::ReadOnly),
        range(2 * PAGE, PAGE, Widths::TWO, Access::Doorbell),
        range(3 * PAGE, 8, Widths::ANY, Access::ReadWrite),
        range(3 * PAGE + 16, PAGE - 16, Widths::ANY, Access::ReadWrite),
        range(4 * PAGE, 4, Widths::FOUR, Access::Masked { writable: u64::MAX, fixed: 0 }),
        range(4 * PAGE + 4, PAGE + 0x7fc, Widths::ANY, Access::ReadWrite),
    ];
    ranges.into_iter().for_each(|it| table.add(it).unwrap());
    table
}

#[test]
fn pages_are_mapped_where_every_byte_allows_it() {
    use Mapping::{No, ReadOnly, ReadWrite};
    let table = pages();
    let all = |backend, hidden: &[core::ops::Range<u64>]| -> Vec<Mapping> {
        (0..6).map(|page| table.mapping(backend, page * PAGE, hidden)).collect()
    };
    assert_eq!(all(Backend::Bounce, &[]), [ReadWrite, ReadOnly, No, No, No, No]);
    assert_eq!(all(Backend::Direct, &[]), [ReadWrite, ReadOnly, ReadWrite, No, No, No]);
    assert_eq!(all(Backend::Direct, &[PAGE - 1..PAGE + 1, 0..0]), [No, No, ReadWrite, No, No, No]);
    assert_eq!(all(Backend::Direct, &[0..0, PAGE..2 * PAGE]), [ReadWrite, No, ReadWrite, No, No, No]);
    assert_eq!(table.mapping(Backend::Direct, 16, &[]), No, "no page begins there");
    assert_eq!(table.mapping(Backend::Direct, !0xfff, &[]), No);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the fuzzer tries, with random bytes.
    #[test]
    fn the_table_is_what_its_bytes_are(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        play(&bytes);
    }
}
