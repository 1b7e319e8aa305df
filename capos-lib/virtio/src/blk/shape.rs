//! What a disk says of itself (virtio 1.2, 5.2.3, 5.2.4), and what that means.

use crate::DeviceFault;
use crate::register::{Field, Width};
use capos_block::Geometry;

/// Feature bits (5.2.3). The legacy ones (5.2.3.1) are not of use: barriers and SCSI commands, which are gone, and FLUSH, which is the same.
pub mod features {
    /// The device says how large a segment may be.
    pub const SIZE_MAX: u64 = 1 << 1;
    /// It takes nothing that changes it.
    pub const READ_ONLY: u64 = 1 << 5;
    /// It says how large its sectors are.
    pub const BLOCK_SIZE: u64 = 1 << 6;
    /// It has a cache, and flushes it when asked.
    pub const FLUSH: u64 = 1 << 9;
    /// It says whether the cache is written through.
    pub const CONFIG_WCE: u64 = 1 << 11;
    /// It has several queues.
    pub const MULTIQUEUE: u64 = 1 << 12;
    /// It discards sectors.
    pub const DISCARD: u64 = 1 << 13;
    /// It writes zeroes by itself.
    pub const WRITE_ZEROES: u64 = 1 << 14;
}

/// All that are of use. Not so SEG_MAX: data is one segment here; nor BLK_TOPOLOGY, which is advice, and LIFETIME, SECURE_ERASE, ZONED.
pub(super) const FEATURES: u64 = features::SIZE_MAX
    | features::READ_ONLY
    | features::BLOCK_SIZE
    | features::FLUSH
    | features::CONFIG_WCE
    | features::MULTIQUEUE
    | features::DISCARD
    | features::WRITE_ZEROES;

/// Fields of the configuration that are read.
pub const FIELDS: usize = 7;

/// These: capacity in two halves, size_max, blk_size, writeback, max_discard_sectors, max_write_zeroes_sectors.
pub(super) const CONFIG: [Field; FIELDS] = [
    field(0, Width::Bits32, 0),
    field(4, Width::Bits32, 0),
    field(8, Width::Bits32, features::SIZE_MAX),
    field(20, Width::Bits32, features::BLOCK_SIZE),
    field(32, Width::Bits8, features::CONFIG_WCE),
    field(36, Width::Bits32, features::DISCARD),
    field(48, Width::Bits32, features::WRITE_ZEROES),
];

const fn field(offset: u32, width: Width, needs: u64) -> Field {
    Field { offset, width, needs }
}

/// Bytes of what the device counts in, whatever its sectors are (5.2.4).
pub(super) const UNIT_SHIFT: u8 = 9;

/// Units that a disk has at most: 2^63 bytes, so that bytes can be counted.
const MOST_UNITS: u64 = 1 << 54;

/// Bytes that a request moves at most, if the device does not say less.
const MOST_BYTES: u32 = 1 << 20;

/// What the disk is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// As clients see it.
    pub geometry: Geometry,
    /// Units that it discards at most at once; 0 when it does not.
    pub(super) discards: u32,
    /// Units that it zeroes at most at once; 0 when it does not.
    pub(super) zeroes: u32,
}

impl Shape {
    /// From the features that were agreed upon, and the fields of the wish.
    ///
    /// # Errors
    /// What can not be.
    pub fn new(features: u64, config: &[u32; FIELDS]) -> Result<Shape, DeviceFault> {
        let has = |feature| features & feature != 0;
        let [low, high, size_max, block_size, writeback, discards, zeroes] = *config;
        let units = u64::from(high) << 32 | u64::from(low);
        if units > MOST_UNITS {
            return Err(DeviceFault::Capacity(units));
        }
        let bytes = if has(features::BLOCK_SIZE) { block_size } else { 1 << UNIT_SHIFT };
        if !bytes.is_power_of_two() || !(512..=4096).contains(&bytes) {
            return Err(DeviceFault::SectorSize(bytes));
        }
        let most = if has(features::SIZE_MAX) { size_max.min(MOST_BYTES) } else { MOST_BYTES };
        if most < bytes {
            return Err(DeviceFault::SegmentSize(most));
        }
        let sector_shift = bytes.trailing_zeros() as u8;
        // Pieces are whole sectors; a device that does not take one of them takes none.
        let whole = |feature, units: u32| match has(feature) {
            true => units & !((bytes >> UNIT_SHIFT) - 1),
            false => 0,
        };
        let (discards, zeroes) = (whole(features::DISCARD, discards), whole(features::WRITE_ZEROES, zeroes));
        let geometry = Geometry {
            sectors: units >> (sector_shift - UNIT_SHIFT),
            sector_shift,
            most: most >> sector_shift,
            read_only: has(features::READ_ONLY),
            // 5.2.5.1: where nobody says anything else, one that flushes has a cache.
            cache: has(features::FLUSH) && (!has(features::CONFIG_WCE) || writeback != 0),
            discard: discards > 0,
            zero: zeroes > 0,
        };
        Ok(Shape { geometry, discards, zeroes })
    }

    /// Units of so many sectors.
    #[inline]
    pub(super) const fn units(&self, sectors: u64) -> u64 {
        sectors << (self.geometry.sector_shift - UNIT_SHIFT)
    }
}
