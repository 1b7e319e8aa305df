//! Nonsense under right checksums is refused: by the copy that is in charge for all, by the other for itself.

use super::disk::Disk;
use super::tools::sgdisk;
use crate::{ARRAY_MAX, Fault, Refusal};
use proptest::prelude::*;

const LAST: u64 = 16383;

fn header(at: usize, value: u64, bytes: usize) -> Result<(), Fault> {
    let change = |place| {
        let mut disk = sgdisk();
        disk.rewrite(place, |header| header[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]));
        disk.table()
    };
    // In the other copy it does no harm; that has its own first sector right where it says 1.
    assert!(change(LAST).is_ok_and(|table| table.backup.is_some() || (at, value) == (32, 1)));
    refusal(change(1).map(drop))
}

fn refusal(result: Result<(), Refusal>) -> Result<(), Fault> {
    match result {
        Ok(()) => Ok(()),
        Err(Refusal::Wrong(fault)) => Err(fault),
        Err(other) => panic!("{other:?}"),
    }
}

fn entry(number: usize, first: u64, last: u64) -> Result<(), Fault> {
    let mut disk = sgdisk();
    disk.rewrite_entries(1, |entries| {
        let entry = &mut entries[128 * (number - 1)..][..128];
        entry[0] = 1;
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
    });
    refusal(disk.table().map(drop))
}

#[test]
fn headers() {
    assert_eq!(header(8, 0x0002_0000, 4), Err(Fault::Revision(0x0002_0000)));
    for count in [0, 1025, u32::MAX] {
        assert_eq!(header(80, count.into(), 4), Err(Fault::Count(count)));
    }
    for size in [0, 64, 127, 129, 384, 8192, 1 << 31, u32::MAX] {
        assert_eq!(header(84, size.into(), 4), Err(Fault::EntrySize(size)));
    }
    for first in [0, 2, 16351, u64::MAX] {
        assert_eq!(header(40, first, 8), Err(Fault::Usable));
    }
    for last in [0, 33, LAST, LAST + 1, u64::MAX] {
        assert_eq!(header(48, last, 8), Err(Fault::Usable));
    }
    for array in [0, 1, 3, 34, LAST, u64::MAX] {
        assert_eq!(header(72, array, 8), Err(Fault::ArrayPlace));
    }
    // More entries than there is room for before the first partition.
    assert_eq!(header(80, 129, 4), Err(Fault::ArrayPlace));
    for other in [0, 1, 16350, LAST + 1, u64::MAX] {
        assert_eq!(header(32, other, 8), Err(Fault::Alternate(other)));
    }
}

#[test]
fn entries() {
    assert_eq!(entry(2, 4096, 8191), Ok(()));
    assert_eq!(entry(2, 34, 2047), Ok(()));
    assert_eq!(entry(2, 8191, 4096), Err(Fault::Backwards(2)));
    for (first, last) in [(0, u64::MAX), (33, 40), (0, 0), (16351, 16351), (u64::MAX, u64::MAX)] {
        assert_eq!(entry(2, first, last), Err(Fault::Outside(2)));
    }
    for (first, last) in [(4095, 5000), (34, 2048), (2048, 4095), (3000, 3000), (34, 16350)] {
        assert_eq!(entry(2, first, last), Err(Fault::Overlap(1, 2)));
    }
    assert_eq!(entry(2, 4096, 8192), Err(Fault::Overlap(2, 3)));
    assert_eq!(entry(4, 8192, 16350), Err(Fault::Overlap(3, 4)));
}

#[test]
fn the_other_copy_is_refused_as_the_first_is_when_it_is_in_charge() {
    let mut disk = sgdisk();
    disk.make_unreadable(1);
    disk.rewrite(LAST, |header| header[80..84].fill(0));
    assert_eq!(disk.table(), Err(Refusal::Wrong(Fault::Count(0))));
}

#[test]
fn a_name_is_text_or_nothing() {
    let name = |units: &[u16]| {
        let mut disk = sgdisk();
        disk.rewrite_entries(1, |entries| {
            let bytes = &mut entries[56..128];
            bytes.fill(0);
            bytes.as_chunks_mut().0.iter_mut().zip(units).for_each(|(to, from)| *to = from.to_le_bytes());
        });
        disk.table().unwrap().partitions[0].name
    };
    let escape = name(&[0x1b, u16::from(b'c'), 0, u16::from(b'x')]);
    assert_eq!(std::format!("{escape}"), "\u{fffd}c");
    assert!(escape.is("\u{1b}c"));
    let lone = name(&[0xd800, u16::from(b'a')]);
    assert_eq!(std::format!("{lone}"), "\u{fffd}a");
    assert!(!lone.is("\u{fffd}a"), "what is no text has no name");
    assert!(name(&[0xd83d, 0xde00]).is("😀"));
    assert!(name(&[u16::from(b'n'); 40]).is("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"));
    assert!(name(&[]).is(""));
}

/// Whatever is written with right checksums, partitions that come out lie within the disk and apart.
fn holds(disk: &Disk) -> Result<(), TestCaseError> {
    if let Ok(table) = disk.table() {
        let mut free = 3;
        let mut sorted = table.partitions.clone();
        sorted.sort_by_key(|it| it.first);
        prop_assert!(sorted.len() as u32 <= ARRAY_MAX / 128);
        for partition in sorted {
            prop_assert!(partition.first >= free && partition.last < LAST);
            prop_assert_eq!(partition.sectors(), partition.last - partition.first + 1);
            free = partition.last + 1;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn partitions_lie_apart(places in prop::collection::vec((0u64..17000, 0u64..600), 1..4)) {
        let mut disk = sgdisk();
        disk.rewrite_entries(1, |entries| {
            for (entry, (first, more)) in entries.chunks_mut(128).zip(&places) {
                entry[0] = 7;
                entry[32..40].copy_from_slice(&first.to_le_bytes());
                entry[40..48].copy_from_slice(&(first + more).to_le_bytes());
            }
        });
        holds(&disk)?;
    }

    #[test]
    fn fields_of_a_header(at in 24usize..92, value: u64, bytes in 1usize..8) {
        let mut disk = sgdisk();
        disk.rewrite(1, |header| {
            let end = (at + bytes).min(92);
            header[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        });
        holds(&disk)?;
    }
}
