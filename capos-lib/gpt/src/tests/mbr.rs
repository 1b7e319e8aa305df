//! Tables in the first sector, and chains of them.
//!
//! ```text
//! sfdisk DISK     (8 MiB, then 16 MiB; util-linux 2.38): label: dos
//!     1 : start=2048, size=4096, type=c, bootable      3 : start=8192, size=16384, type=5       4 : start=24576, type=83
//!     5 : start=9000, size=1000    6 : start=12000, size=2000, type=b    7 : start=10500, size=500: behind 6 in the chain
//! ```

use super::disk::Disk;
use crate::{Copy, Fault, Guid, Refusal};
use proptest::prelude::*;
use std::vec::Vec;

/// Where its tables of logical partitions are, in the order in which they lead to each other.
const TABLES: [u64; 3] = [8192, 11999, 10499];
/// Kinds of records.
const LINUX: u8 = 0x83;
const EXTENDED: u8 = 5;

fn sfdisk() -> Disk {
    Disk::of(include_bytes!("../../fixtures/sfdisk-dos.sectors"), 32768, 512)
}

fn parts(disk: &Disk) -> Result<Vec<(u32, u64, u64)>, Refusal> {
    Ok(disk.table()?.partitions.iter().map(|it| (it.number, it.first, it.sectors())).collect())
}

/// Puts another record there.
fn record(disk: &mut Disk, table: u64, index: usize, kind: u8, first: u32, sectors: u32) {
    let record = &mut disk.sector(table)[446 + 16 * index..][..16];
    record[4] = kind;
    record[8..12].copy_from_slice(&first.to_le_bytes());
    record[12..16].copy_from_slice(&sectors.to_le_bytes());
}

fn wrong(change: impl FnOnce(&mut Disk)) -> Fault {
    let mut disk = sfdisk();
    change(&mut disk);
    match disk.table() {
        Err(Refusal::Wrong(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_sfdisk_wrote() {
    let table = sfdisk().table().unwrap();
    assert_eq!((table.copy, table.mbr, table.primary, table.backup), (Copy::Primary, None, None, None));
    assert!(table.partitions.iter().all(|it| it.id == Guid::ZERO && it.name.is("")));
    let all = [(1, 2048, 4096), (4, 24576, 8192), (5, 9000, 1000), (6, 12000, 2000), (7, 10500, 500)];
    assert_eq!(parts(&sfdisk()).unwrap(), all);
}

#[test]
fn primary_partitions_have_a_place_of_their_own() {
    let end = 32768;
    assert_eq!(wrong(|it| record(it, 0, 0, LINUX, 0x8000, 1)), Fault::Outside(1));
    assert_eq!(wrong(|it| record(it, 0, 0, LINUX, 2048, end - 2047)), Fault::Outside(1));
    assert_eq!(wrong(|it| record(it, 0, 0, LINUX, u32::MAX, u32::MAX)), Fault::Outside(1));
    assert_eq!(wrong(|it| record(it, 0, 3, LINUX, 24575, 10)), Fault::Overlap(3, 4));
    assert_eq!(wrong(|it| record(it, 0, 1, LINUX, 9000, 1000)), Fault::Overlap(2, 3));
    assert_eq!(wrong(|it| record(it, 0, 1, LINUX, 2048, 4096)), Fault::Overlap(1, 2));
    assert_eq!(wrong(|it| record(it, 0, 1, 0x0f, 7000, 1)), Fault::Extended(3));
    // What has no sectors is not there, whatever else it says.
    let mut disk = sfdisk();
    record(&mut disk, 0, 1, EXTENDED, u32::MAX, 0);
    assert_eq!(parts(&disk), parts(&sfdisk()));
    // One sector, the first that there can be, and the last.
    record(&mut disk, 0, 1, LINUX, 1, 1);
    record(&mut disk, 0, 3, LINUX, end - 1, 1);
    let all = parts(&disk).unwrap();
    assert_eq!((all[1], all[2]), ((2, 1, 1), (4, u64::from(end) - 1, 1)));
}

#[test]
fn logical_partitions_lie_among_their_own_sectors_and_apart_from_tables() {
    assert_eq!(wrong(|it| record(it, TABLES[0], 0, LINUX, 0, 10)), Fault::Overlap(5, 5));
    assert_eq!(wrong(|it| record(it, TABLES[0], 0, LINUX, 808, 1700)), Fault::Overlap(5, 7));
    assert_eq!(wrong(|it| record(it, TABLES[0], 0, LINUX, 808, 2308)), Fault::Overlap(5, 7));
    assert_eq!(wrong(|it| record(it, TABLES[0], 0, LINUX, 808, 16000)), Fault::Outside(5));
    assert_eq!(wrong(|it| record(it, TABLES[1], 0, LINUX, 20000, 1)), Fault::Outside(6));
    assert_eq!(wrong(|it| record(it, TABLES[2], 0, LINUX, u32::MAX, u32::MAX)), Fault::Outside(7));
}

#[test]
fn tables_that_lead_nowhere() {
    for table in TABLES {
        assert_eq!(wrong(|it| it.sector(table)[510] = 0), Fault::Table(table));
        assert_eq!(wrong(|it| it.sector(table)[446] = 1), Fault::Table(table));
        assert_eq!(wrong(|it| record(it, table, 2, LINUX, 9000, 1)), Fault::Table(table));
        assert_eq!(wrong(|it| it.make_unreadable(table)), Fault::Unreadable(table));
        // Out of the sectors that it is to be in, and around in a circle.
        assert_eq!(wrong(|it| record(it, table, 1, EXTENDED, 16384, 1)), Fault::Table(table));
        for (first, seen) in [(0, TABLES[0]), (table as u32 - 8192, table)] {
            assert_eq!(wrong(|it| record(it, table, 1, EXTENDED, first, 1)), Fault::Loop(seen));
        }
    }
    assert_eq!(wrong(|it| record(it, TABLES[0], 2, EXTENDED, 12, 1)), Fault::Table(TABLES[0]));
    // One that has no partition of its own leads on all the same.
    let mut disk = sfdisk();
    record(&mut disk, TABLES[0], 0, 0, 0, 0);
    let numbers: Vec<_> = parts(&disk).unwrap().into_iter().map(|it| it.0).collect();
    assert_eq!(numbers, [1, 4, 5, 6]);
}

#[test]
fn a_chain_is_no_longer_than_that() {
    let chain = |tables: u32| {
        let mut disk = sfdisk();
        for index in 0..tables {
            let table = 8192 + u64::from(index) * 10;
            disk.sector(table).fill(0);
            disk.sector(table)[510..].copy_from_slice(&[0x55, 0xaa]);
            record(&mut disk, table, 0, LINUX, 1, 9);
            let (kind, sectors) = if index + 1 < tables { (EXTENDED, 10) } else { (0, 0) };
            record(&mut disk, table, 1, kind, (index + 1) * 10, sectors);
        }
        disk
    };
    assert_eq!(parts(&chain(60)).map(|all| (all.len(), all[61].0)), Ok((62, 64)));
    assert_eq!(parts(&chain(61)), Err(Refusal::Wrong(Fault::Count(61))));
}

#[test]
fn what_is_no_table_of_this_kind() {
    let table = |change: fn(&mut Disk)| {
        let mut disk = sfdisk();
        change(&mut disk);
        disk.table().map(drop)
    };
    assert_eq!(table(|it| it.sector(0)[510] = 0), Err(Refusal::Absent));
    // The program of a file system's first sector.
    assert_eq!(table(|it| it.sector(0)[446 + 16] = b'N'), Err(Refusal::Absent));
    // The image of a disc that is for sticks, too.
    assert_eq!(table(|it| record(it, 0, 0, 0x17, 0, 30000)), Err(Refusal::Absent));
    assert_eq!(table(|it| it.sector(0)[446..510].fill(0)), Err(Refusal::Absent));
    // A table of GPT's that is not there, or not protected, is no reason to believe another.
    assert!(matches!(
        table(|it| {
            it.sector(0)[446..510].fill(0);
            record(it, 0, 0, 0xee, 1, 32767);
        }),
        Err(Refusal::Broken { .. })
    ));
    assert_eq!(table(|it| record(it, 0, 1, 0xee, 1, 32767)), Err(Refusal::Hybrid));
    assert_eq!(table(|it| record(it, 0, 1, 0xee, 7000, 1)), Err(Refusal::Unprotected));
    assert_eq!(table(|it| it.sector(1)[..8].copy_from_slice(b"EFI PART")), Err(Refusal::Unprotected));
    assert_eq!(table(|it| it.sector(32767)[..8].copy_from_slice(b"EFI PART")), Err(Refusal::Unprotected));
}

proptest! {
    #[test]
    fn whatever_records_say_partitions_are_apart(
        changes in prop::collection::vec((0..4usize, 0..4usize, prop::sample::select(&[0, 5, 0xf, 0x83][..]), 0..40000u32, 0..20000u32), 1..6),
    ) {
        let mut disk = sfdisk();
        for (table, index, kind, first, sectors) in changes {
            let place = [0, TABLES[0], TABLES[1], TABLES[2]][table];
            record(&mut disk, place, index, kind, first, sectors);
        }
        if let Ok(table) = disk.table() {
            let mut free = 1;
            let mut all = table.partitions;
            all.sort_by_key(|it| it.first);
            for it in all {
                prop_assert!(it.first >= free && it.last < 32768 && it.first <= it.last);
                free = it.last + 1;
            }
        }
    }
}
