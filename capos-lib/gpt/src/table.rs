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

/// What a disk is divided into, all of it checked: partitions lie within the disk, apart from the table and from each other. Of a table in the
/// first sector (MBR) there is no second copy, and it does not say which disk it is.
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
    are_apart(found.iter().map(|it| (it.first, it.last, it.number)).collect())?;
    Ok(found)
}

/// Whether no two of them, each with its first and last sector and its number, have a sector in common.
pub fn are_apart(mut parts: Vec<(u64, u64, u32)>) -> Result<(), Fault> {
    parts.sort_unstable();
    let neighbours = parts.iter().zip(parts.iter().skip(1));
    for ((_, last, one), (first, _, other)) in neighbours {
        if first <= last {
            return Err(Fault::Overlap(*one.min(other), *one.max(other)));
        }
    }
    Ok(())
}
