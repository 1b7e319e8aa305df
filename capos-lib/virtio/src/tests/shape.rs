//! What a disk says of itself.

use crate::DeviceFault;
use crate::blk::{FIELDS, Shape, features};
use capos_block::Geometry;

/// A thousand units, and what only counts with its feature.
const CONFIG: [u32; FIELDS] = [1000, 0, 8192, 4096, 1, 100, 50];

fn geometry(features: u64, config: [u32; FIELDS]) -> Result<Geometry, DeviceFault> {
    Shape::new(features, &config).map(|shape| shape.geometry)
}

#[test]
fn a_disk_that_says_nothing_has_sectors_of_512_bytes_and_no_cache() {
    let wanted = Geometry {
        sectors: 1000,
        sector_shift: 9,
        most: 2048,
        read_only: false,
        cache: false,
        discard: false,
        zero: false,
    };
    assert_eq!(geometry(0, CONFIG), Ok(wanted));
}

#[test]
fn each_feature_says_one_thing() {
    let with = |features| geometry(features, CONFIG).unwrap();
    assert_eq!(with(features::SIZE_MAX).most, 16);
    let large = with(features::SIZE_MAX | features::BLOCK_SIZE);
    assert_eq!((large.sectors, large.sector_shift, large.most), (125, 12, 2));
    assert!(with(features::READ_ONLY).read_only && with(features::FLUSH).cache);
    assert!(with(features::DISCARD).discard && with(features::WRITE_ZEROES).zero);
    let is_cached = |features, writeback| geometry(features, [1000, 0, 0, 0, writeback, 0, 0]).unwrap().cache;
    assert!(is_cached(features::FLUSH, 0), "nobody says that it writes through");
    assert!(is_cached(features::FLUSH | features::CONFIG_WCE, 1));
    assert!(!is_cached(features::FLUSH | features::CONFIG_WCE, 0));
    assert!(!is_cached(features::CONFIG_WCE, 1), "what can not be flushed is not kept back");
}

#[test]
fn a_device_that_takes_less_than_a_sector_at_once_takes_none() {
    let all = features::DISCARD | features::WRITE_ZEROES | features::BLOCK_SIZE;
    let small = geometry(all, [1000, 0, 0, 4096, 0, 7, 8]).unwrap();
    assert_eq!((small.discard, small.zero), (false, true));
}

#[test]
fn a_disk_may_be_as_large_as_bytes_can_be_counted() {
    let sectors = |high, low| geometry(0, [low, high, 0, 0, 0, 0, 0]).map(|it| it.sectors);
    assert_eq!(sectors(1, 2), Ok(0x1_0000_0002));
    assert_eq!(sectors(1 << 22, 0), Ok(1 << 54));
    assert_eq!(sectors(1 << 22, 1), Err(DeviceFault::Capacity((1 << 54) + 1)));
    assert_eq!(sectors(u32::MAX, u32::MAX), Err(DeviceFault::Capacity(u64::MAX)));
    assert_eq!(sectors(0, 0), Ok(0));
}

#[test]
fn sectors_that_can_not_be_are_refused() {
    let with = |bytes| geometry(features::BLOCK_SIZE, [1000, 0, 0, bytes, 0, 0, 0]).map(|it| it.sector_shift);
    for bytes in [0, 1, 256, 513, 8192, 1 << 31, u32::MAX] {
        assert_eq!(with(bytes), Err(DeviceFault::SectorSize(bytes)));
    }
    assert_eq!([512, 1024, 2048, 4096].map(with), [9, 10, 11, 12].map(Ok));
    let least = |most| geometry(features::SIZE_MAX, [1000, 0, most, 0, 0, 0, 0]).map(|it| it.most);
    assert_eq!(least(511), Err(DeviceFault::SegmentSize(511)));
    assert_eq!((least(512), least(u32::MAX)), (Ok(1), Ok(2048)));
}
