//! A copy that is damaged leaves the other in charge, and is told of.

use super::disk::Disk;
use super::tools::sgdisk;
use crate::{Copy, Fault, Refusal};

/// The last sector, where the second header is, and the first one of its entries.
const LAST: u64 = 16383;
const ENTRIES: u64 = 16351;
/// What checksums cover: a header's 92 bytes, and four entries of the sector.
const HEADER: usize = 92;
const SECTOR: usize = 512;

#[test]
fn no_byte_of_a_copy_can_change_what_the_disk_is_divided_into() {
    let sound = sgdisk().table().unwrap();
    let places = [(1, HEADER, Copy::Backup), (2, SECTOR, Copy::Backup)];
    let places = places.into_iter().chain([(LAST, HEADER, Copy::Primary), (ENTRIES, SECTOR, Copy::Primary)]);
    for (sector, bytes, copy) in places {
        for at in 0..bytes {
            let mut disk = sgdisk();
            disk.sector(sector)[at] ^= 0x81;
            let table = disk.table().unwrap();
            assert_eq!((table.copy, &table.partitions), (copy, &sound.partitions));
            let (sick, well) = match copy {
                Copy::Backup => (table.primary, table.backup),
                Copy::Primary => (table.backup, table.primary),
            };
            assert!(sick.unwrap().is_damage() && well.is_none(), "{sector} {at}: {table:?}");
        }
    }
}

#[test]
fn what_a_header_says_of_its_damage() {
    let fault = |change: fn(&mut Disk)| {
        let mut disk = sgdisk();
        change(&mut disk);
        let table = disk.table().unwrap();
        assert_eq!(table.copy, Copy::Backup);
        table.primary.unwrap()
    };
    assert_eq!(fault(|it| it.sector(1)[0] = b'e'), Fault::Signature);
    assert_eq!(fault(|it| it.sector(1)[12] = 91), Fault::HeaderSize(91));
    assert_eq!(fault(|it| it.sector(1)[13] = 3), Fault::HeaderSize(860));
    assert_eq!(fault(|it| it.sector(1)[15] = 255), Fault::HeaderSize(0xff00_005c));
    assert_eq!(fault(|it| it.sector(1)[40] ^= 1), Fault::HeaderChecksum);
    assert_eq!(fault(|it| it.sector(2)[7] ^= 1), Fault::ArrayChecksum);
    assert_eq!(fault(|it| it.sector(33)[511] ^= 1), Fault::ArrayChecksum);
    assert_eq!(fault(|it| it.rewrite(1, |header| header[24] = 9)), Fault::Place(9));
    assert_eq!(fault(|it| it.make_unreadable(1)), Fault::Unreadable(1));
    assert_eq!(fault(|it| it.make_unreadable(9)), Fault::Unreadable(2));
}

#[test]
fn checksums_cover_what_a_longer_header_says_beyond() {
    let mut disk = sgdisk();
    disk.rewrite(1, |header| header[12] = 100);
    assert_eq!(disk.table().unwrap().copy, Copy::Primary);
    disk.sector(1)[99] = 1;
    assert_eq!(disk.table().unwrap().primary, Some(Fault::HeaderChecksum));
}

#[test]
fn two_damaged_copies_are_none() {
    let mut disk = sgdisk();
    disk.make_unreadable(1);
    disk.sector(ENTRIES)[0] ^= 1;
    let (primary, backup) = (Fault::Unreadable(1), Fault::ArrayChecksum);
    assert_eq!(disk.table(), Err(Refusal::Broken { primary, backup }));
}

#[test]
fn copies_that_say_different_things() {
    for offset in [16, 32, 40, 56] {
        let mut disk = sgdisk();
        disk.rewrite_entries(LAST, |entries| entries[offset] ^= 1);
        let table = disk.table().unwrap();
        assert_eq!((table.copy, table.backup), (Copy::Primary, Some(Fault::Differs)));
        assert_eq!(Ok(table.partitions), sgdisk().table().map(|it| it.partitions));
    }
    let mut disk = sgdisk();
    disk.rewrite(LAST, |header| header[56] ^= 1);
    assert_eq!(disk.table().unwrap().backup, Some(Fault::Differs));
}

#[test]
fn a_disk_that_has_grown() {
    let mut disk = sgdisk();
    disk.sectors *= 2;
    assert_eq!(disk.table().unwrap().backup, Some(Fault::Grown));
    // The header still tells where the other copy is.
    disk.sector(2)[0] ^= 1;
    let table = disk.table().unwrap();
    assert_eq!((table.copy, table.primary), (Copy::Backup, Some(Fault::ArrayChecksum)));
    // Without it nobody knows.
    disk.sector(1)[0] ^= 1;
    let (primary, backup) = (Fault::Signature, Fault::Signature);
    assert_eq!(disk.table(), Err(Refusal::Broken { primary, backup }));
}

#[test]
fn the_first_sector() {
    let table = |change: fn(&mut Disk)| {
        let mut disk = sgdisk();
        change(&mut disk);
        disk.table()
    };
    let unprotected = Err(Refusal::Unprotected);
    assert_eq!(table(|it| it.sector(0)[511] = 0), unprotected);
    assert_eq!(table(|it| it.sector(0)[446 + 4] = 0x83), unprotected);
    assert_eq!(table(|it| it.sector(0)[446 + 4] = 0), unprotected);
    assert_eq!(table(|it| it.sector(0)[446 + 8] = 2), unprotected);
    assert_eq!(table(|it| it.sector(0)[446 + 16 + 4] = 0x83), Err(Refusal::Hybrid));
    // How long the disk was when it was written does not matter, nor does code for booting.
    assert!(table(|it| it.sector(0)[446 + 12] ^= 1).is_ok_and(|it| it.mbr.is_none()));
    assert!(table(|it| it.sector(0)[..440].fill(0x90)).is_ok_and(|it| it.mbr.is_none()));
    let unreadable = table(|it| it.make_unreadable(0)).unwrap();
    assert_eq!((unreadable.mbr, unreadable.copy), (Some(Fault::Unreadable(0)), Copy::Primary));
    let absent = table(|it| {
        it.written.clear();
        it.sector(0)[510..].copy_from_slice(&[0x55, 0xaa]);
    });
    assert_eq!(absent, Err(Refusal::Absent));
}
