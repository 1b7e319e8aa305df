//! Whether a disk has anything on it.

use crate::disk::{BLOCK, Disk, DiskError};
use crate::superblock::Slots;
use alloc::vec;
use core::ops::Range;

/// Blocks from the beginning in which every format has something: btrfs is the last to begin, at 64 KiB.
const BEGIN: u64 = 32;
/// Blocks at the end that have the second table of a GPT, labels of RAIDs, and second boot sectors.
const END: u64 = 16;

/// Whether nothing is where every format has something, nor where a volume of ours has superblocks: then it is nobody's volume or medium that is made
/// anew, even if its beginning was wiped.
pub async fn is_blank<D: Disk>(disk: &D) -> Result<bool, DiskError> {
    let blocks = disk.blocks();
    let begin = 0..BEGIN.min(blocks);
    let end = blocks.saturating_sub(END)..blocks;
    let slots = Slots::of(blocks).map(|slot| slot..slot + 1);
    for range in [begin, end].into_iter().chain(slots) {
        if !are_zeros(disk, range).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn are_zeros<D: Disk>(disk: &D, range: Range<u64>) -> Result<bool, DiskError> {
    let mut bytes = vec![0; (range.end - range.start) as usize * BLOCK];
    disk.read(range.start, &mut bytes).await?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}
