//! What sgdisk and fdisk wrote is read as they say it.
//!
//! ```text
//! sgdisk -U 5AFE0001-0000-4000-8000-00000000D15C -n 1:2048:4095 -t 1:8300 -u 1:5AFE0001-0000-4000-8000-000000000001 -c 1:"capOS data"
//!     -n 3:8192:0 -t 3:EF00 -u 3:5AFE0001-0000-4000-8000-000000000003 -c 3:"Grüße, Welt" DISK        (8 MiB; sgdisk 1.0.9)
//! fdisk -b 4096 DISK     (32 MiB; util-linux 2.38) g; n 1 256 1279; n 2, the rest; t 2 1; x; i, u as below; n 1 four; r; w
//! ```

use super::disk::Disk;
use crate::{Copy, Reader, Refusal, Table};
use std::string::ToString;
use std::vec::Vec;

pub fn sgdisk() -> Disk {
    Disk::of(include_bytes!("../../fixtures/sgdisk-512.sectors"), 16384, 512)
}

fn fdisk() -> Disk {
    Disk::of(include_bytes!("../../fixtures/fdisk-4096.sectors"), 8192, 4096)
}

fn lines(table: &Table) -> Vec<std::string::String> {
    let line = |it: &crate::Partition| {
        std::format!("{} {}..={} {} {} {}", it.number, it.first, it.last, it.kind, it.id, it.name)
    };
    table.partitions.iter().map(line).collect()
}

#[test]
fn sectors_of_512_bytes() {
    let table = sgdisk().table().unwrap();
    assert_eq!(table.disk.to_string(), "5afe0001-0000-4000-8000-00000000d15c");
    assert_eq!((table.copy, table.mbr, table.primary, table.backup), (Copy::Primary, None, None, None));
    let linux =
        "1 2048..=4095 0fc63daf-8483-4772-8e79-3d69d8477de4 5afe0001-0000-4000-8000-000000000001 capOS data";
    let system = "3 8192..=16350 c12a7328-f81f-11d2-ba4b-00a0c93ec93b 5afe0001-0000-4000-8000-000000000003 Grüße, Welt";
    assert_eq!(lines(&table), [linux, system]);
    assert_eq!(table.partitions[0].sectors(), 2048);
    assert!(table.partitions[1].name.is("Grüße, Welt") && !table.partitions[1].name.is("Grüße"));
    assert!(!table.partitions[0].name.is("capOS data 2"));
}

#[test]
fn sectors_of_4096_bytes() {
    let table = fdisk().table().unwrap();
    assert_eq!((table.copy, table.mbr, table.primary, table.backup), (Copy::Primary, None, None, None));
    let linux = "1 256..=1279 0fc63daf-8483-4772-8e79-3d69d8477de4 5afe0002-0000-4000-8000-000000000001 four";
    let system = "2 1280..=7935 c12a7328-f81f-11d2-ba4b-00a0c93ec93b 5afe0002-0000-4000-8000-000000000002 ";
    assert_eq!(lines(&table), [linux, system]);
}

#[test]
fn a_disk_of_the_other_size_of_sectors_has_no_table() {
    let mut disk = fdisk();
    (disk.bytes, disk.sectors) = (512, 8192 * 8);
    disk.written = [(0, disk.sector(0)[..512].to_vec())].into();
    assert!(matches!(disk.table(), Err(Refusal::Broken { .. })));
}

#[test]
fn disks_without_room_or_of_other_sectors() {
    for (sectors, bytes) in [(0, 512), (5, 512), (8192, 0), (8192, 520), (8192, 1024), (8192, 8192)] {
        assert_eq!(Reader::new(sectors, bytes).err(), Some(Refusal::Shape));
    }
    assert_eq!(Disk::new(6, 512).table(), Err(Refusal::Absent));
    assert_eq!(Disk::new(u64::MAX, 4096).table(), Err(Refusal::Absent));
}
