//! What a disk or a partition has on it, by its marks. A mark is no proof: what is behind it may be spoiled, or somebody's trap.

pub use capos_schema::block_device::Content;

/// Bytes to read at each place.
pub const PIECE: usize = 4096;

/// Where the marks are: bytes from the beginning. A volume's superblocks (capos-store) are in the first and the two last places.
pub const PLACES: [u64; 4] = [0, 8 * PIECE as u64, 255 * PIECE as u64, 4095 * PIECE as u64];

/// A superblock (capos-store).
const VOLUME: &[u8] = b"capOSvol";
/// Volume descriptors begin in sector 16, with their type and this (ECMA-119, 8.1).
const ISO9660: &[u8] = b"CD001";
/// The end of a boot sector, and by what it begins: a jump (Microsoft FAT specification 1.03, section 3.1).
const BOOT_SECTOR: &[u8] = &[0x55, 0xaa];
const JUMPS: [u8; 2] = [0xeb, 0xe9];
/// Bytes of a sector, of which there are these, and copies of the table.
const SECTOR_SIZES: [u16; 4] = [512, 1024, 2048, 4096];
const TABLES: [u8; 2] = [1, 2];

/// What there is, by what is at [`PLACES`], as far as that can be read. What another system wrote last over the beginning of a volume counts: the
/// old volume's other marks may still be there.
pub fn of(pieces: [Option<&[u8]>; PLACES.len()]) -> Content {
    let [first, descriptor, second, third] = pieces;
    let is = |piece: Option<&[u8]>, at: usize, mark: &[u8]| {
        piece.and_then(|piece| piece.get(at..)).is_some_and(|rest| rest.starts_with(mark))
    };
    if is(first, 0, VOLUME) {
        Content::Volume
    } else if is(descriptor, 1, ISO9660) {
        Content::Iso9660
    } else if first.is_some_and(is_fat) {
        Content::Fat
    } else if is(second, 0, VOLUME) || is(third, 0, VOLUME) {
        Content::Volume
    } else {
        Content::Unknown
    }
}

/// A boot sector whose numbers can be those of a FAT. A table of partitions has the same end.
fn is_fat(sector: &[u8]) -> bool {
    let at = |place: usize| sector.get(place).copied().unwrap_or(0);
    sector.get(510..512) == Some(BOOT_SECTOR)
        && JUMPS.contains(&at(0))
        && SECTOR_SIZES.contains(&u16::from_le_bytes([at(11), at(12)]))
        && at(13).is_power_of_two()
        && TABLES.contains(&at(16))
}

#[cfg(test)]
mod tests {
    use super::{Content, PIECE, PLACES, of};
    use capos_store::{BLOCK, Disk, DiskError, Slots};
    use core::cell::RefCell;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use std::vec::Vec;

    /// A disk in memory.
    struct Memory(RefCell<Vec<u8>>);

    impl Disk for Memory {
        fn blocks(&self) -> u64 {
            (self.0.borrow().len() / BLOCK) as u64
        }

        async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
            let at = first as usize * BLOCK;
            into.copy_from_slice(&self.0.borrow()[at..at + into.len()]);
            Ok(())
        }

        async fn write(&self, first: u64, pieces: &[&[u8]]) -> Result<(), DiskError> {
            let (at, bytes) = (first as usize * BLOCK, pieces.concat());
            self.0.borrow_mut()[at..at + bytes.len()].copy_from_slice(&bytes);
            Ok(())
        }

        async fn flush(&self) -> Result<(), DiskError> {
            Ok(())
        }

        async fn discard(&self, _first: u64, _count: u64) -> Result<(), DiskError> {
            Ok(())
        }
    }

    fn volume() -> Vec<u8> {
        let disk = Memory(RefCell::new(std::vec![0; 17 << 20]));
        let mut formatted = pin!(capos_store::format(&disk, 7, None));
        let polled = formatted.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Ok(())));
        disk.0.take()
    }

    fn content(disk: &[u8]) -> Content {
        of(PLACES.map(|place| disk.get(place as usize..)?.get(..PIECE)))
    }

    /// The boot sector of a floppy, as mkfs.fat makes it.
    fn make_fat(disk: &mut [u8]) {
        disk[..17].copy_from_slice(b"\xeb\x3c\x90mkfs.fat\x00\x02\x01\x01\x00\x02");
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    }

    #[test]
    fn each_superblock_shows_a_volume() {
        let volume = volume();
        assert_eq!(content(&volume), Content::Volume);
        for only in Slots::ALL {
            let mut disk = std::vec![0; volume.len()];
            let at = only as usize * BLOCK;
            disk[at..at + BLOCK].copy_from_slice(&volume[at..at + BLOCK]);
            assert_eq!(content(&disk), Content::Volume, "{only}");
        }
        assert_eq!(content(&volume[..1 << 20]), Content::Volume, "one that is cut");
    }

    #[test]
    fn what_was_written_over_a_volume_counts() {
        let mut disk = volume();
        make_fat(&mut disk);
        assert_eq!(content(&disk), Content::Fat);
        let mut disk = volume();
        disk[..PIECE].fill(0);
        disk[32768..32774].copy_from_slice(b"\x01CD001");
        assert_eq!(content(&disk), Content::Iso9660);
        // And the other way round.
        disk[..PIECE].copy_from_slice(&volume()[..PIECE]);
        assert_eq!(content(&disk), Content::Volume);
    }

    #[test]
    fn the_rest_is_unknown() {
        assert_eq!(content(&[]), Content::Unknown);
        assert_eq!(content(&std::vec![0; 17 << 20]), Content::Unknown);
        assert_eq!(of([None; 4]), Content::Unknown);
        let mut disk = std::vec![0; PIECE];
        make_fat(&mut disk);
        assert_eq!(content(&disk), Content::Fat);
        for (place, byte) in [(0, 0), (511, 0), (12, 0), (13, 3), (16, 0)] {
            let mut disk = disk.clone();
            disk[place] = byte;
            assert_eq!(content(&disk), Content::Unknown, "{place}");
        }
    }
}
