//! What lies where.
//!
//! The first nine blocks of each group are kept for maps: block 0 for nothing (in the first group a superblock), 1 and 2 for the two
//! copies of the group's bitmap, 3 and 4 for the node above 256 bitmaps, 5 and 6 for the one above 256 of these, 7 and 8 for the one
//! above all; each node lies in the first group that it is about.

use super::summary::FANOUT;
use crate::superblock::Slots;
use core::ops::Range;

/// Blocks of a group: as many as a block has bits. 128 MiB.
pub const GROUP: u64 = 8 * crate::disk::BLOCK as u64;
/// Blocks at a group's beginning that hold maps.
const HEAD: u64 = 9;
/// A group with fewer blocks is left out.
const SMALLEST_GROUP: u64 = 16;
/// Level of the node above all; bitmaps have level 0.
pub const TOP: u32 = 3;
/// Blocks that the maps can tell of: 2 PiB.
const MOST_BLOCKS: u64 = GROUP * FANOUT * FANOUT * FANOUT;
/// The smallest volume: 1 MiB.
const FEWEST_BLOCKS: u64 = 256;

/// The places of a volume of some size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    blocks: u64,
    /// Blocks that can be given away.
    total: u64,
}

impl Layout {
    /// Of a volume with so many blocks, or a few less; `None` if it cannot have this size.
    pub fn new(blocks: u64) -> Option<Layout> {
        let tail = blocks % GROUP;
        let blocks = if tail < SMALLEST_GROUP { blocks - tail } else { blocks };
        let layout = Layout { blocks, total: 0 };
        let fits = (FEWEST_BLOCKS..=MOST_BLOCKS).contains(&blocks);
        fits.then(|| Layout { total: layout.capacity(0..layout.groups()), ..layout })
    }

    /// Blocks of the volume.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// How many groups it has.
    pub fn groups(&self) -> u64 {
        self.blocks.div_ceil(GROUP)
    }

    /// The blocks of a group.
    pub fn group(&self, group: u64) -> Range<u64> {
        let start = group.saturating_mul(GROUP).min(self.blocks);
        start..start.saturating_add(GROUP).min(self.blocks)
    }

    /// The groups that a map of some level is about.
    pub fn below(&self, level: u32, index: u64) -> Range<u64> {
        let size = FANOUT.pow(level);
        let start = index.saturating_mul(size).min(self.groups());
        start..start.saturating_add(size).min(self.groups())
    }

    /// Where a copy (1 or 2) of a map is.
    pub fn place(&self, level: u32, index: u64, copy: u8) -> u64 {
        let group = self.below(level, index).start;
        group * GROUP + 2 * u64::from(level) + u64::from(copy)
    }

    /// The map, by level and index, of which a block is a copy.
    pub fn map_at(&self, block: u64) -> (u32, u64) {
        let level = ((block % GROUP).saturating_sub(1) / 2).min(u64::from(TOP)) as u32;
        (level, block / GROUP / FANOUT.pow(level))
    }

    /// Whether a block has a fixed use, and is never given to anybody.
    pub fn is_fixed(&self, block: u64) -> bool {
        block % GROUP < HEAD || Slots::ALL.contains(&block)
    }

    /// Whether neither a block nor any behind it in its group has a fixed use.
    pub fn is_behind_fixed(&self, block: u64) -> bool {
        block % GROUP >= HEAD && Slots::ALL.iter().all(|slot| *slot < block)
    }

    /// Blocks with a fixed use in a group.
    pub fn fixed_in(&self, group: u64) -> impl Iterator<Item = u64> {
        let blocks = self.group(group);
        let head = blocks.start..blocks.start.saturating_add(HEAD).min(blocks.end);
        let slots = Slots::ALL.into_iter().filter(move |slot| blocks.contains(slot) && *slot >= HEAD);
        head.chain(slots)
    }

    /// Blocks of some groups that can be given away.
    pub fn capacity(&self, groups: Range<u64>) -> u64 {
        if groups.is_empty() {
            return 0;
        }
        let blocks = self.group(groups.end - 1).end - self.group(groups.start).start;
        let slots = if groups.start == 0 { self.fixed_in(0).count() as u64 - HEAD } else { 0 };
        blocks - HEAD * (groups.end - groups.start) - slots
    }

    /// All blocks that can be given away.
    pub fn total(&self) -> u64 {
        self.total
    }
}
