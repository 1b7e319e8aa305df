//! All partitions of a disk.

use crate::bytes::checksum;
use crate::fault::Fault;
use crate::header::Header;
use crate::partition::Partition;
use alloc::vec::Vec;
use uguid::Guid;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copy {
    /// The one at the disk's beginning.
    Primary,
    /// The one at its end.
    Backup,
}

/// What a disk is divided into, all of it checked: partitions lie within the disk, apart from the table and from each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Which disk it is.
    pub disk: Guid,
    /// The copy that was used.
    pub copy: Copy,
    /// Why the first sector does not protect the table: it can not be read.
    pub mbr: Option<Fault>,
    /// What is wrong with the first copy. Somebody should write it again.
    pub primary: Option<Fault>,
    /// What is wrong with the second.
    pub backup: Option<Fault>,
    /// In order of their numbers.
    pub partitions: Vec<Partition>,
}

/// The partitions in the bytes of an array.
pub fn partitions(header: &Header, array: &[u8]) -> Result<Vec<Partition>, Fault> {
    let entries = array.get(..header.array_bytes() as usize).ok_or(Fault::Unreadable(header.array))?;
    if checksum(&[entries]) != header.array_checksum {
        return Err(Fault::ArrayChecksum);
    }
    let used = entries.chunks_exact(header.entry_bytes as usize).zip(1..);
    let found: Vec<_> = used.filter_map(|(entry, number)| Partition::parse(number, entry)).collect();
    for partition in &found {
        if partition.last < partition.first {
            return Err(Fault::Backwards(partition.number));
        }
        if partition.first < header.first_usable || partition.last > header.last_usable {
            return Err(Fault::Outside(partition.number));
        }
    }
    are_apart(&found)?;
    Ok(found)
}

fn are_apart(partitions: &[Partition]) -> Result<(), Fault> {
    let mut sorted: Vec<_> = partitions.iter().collect();
    sorted.sort_unstable_by_key(|partition| (partition.first, partition.number));
    let neighbours = sorted.iter().zip(sorted.iter().skip(1));
    for (one, next) in neighbours {
        if next.first <= one.last {
            return Err(Fault::Overlap(one.number.min(next.number), one.number.max(next.number)));
        }
    }
    Ok(())
}
