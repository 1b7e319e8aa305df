//! Whether a volume is what it says: every tree of every snapshot is walked, and what was found in use is compared with what the maps
//! and the records of dead blocks say.

mod blocks;
mod compare;
mod walk;

pub(crate) use blocks::WORDS;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::pointer::Pointer;
use crate::volume::Volume;
use alloc::vec::Vec;
use core::fmt;

/// Who has a volume checked.
pub trait Findings {
    /// Adds the pointers to blocks of data that a record has.
    fn pointers(&mut self, key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>);
    /// Something is wrong.
    fn found(&mut self, finding: Finding);
}

/// Something that is wrong with a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// A node or a block of data cannot be read. What is below it was not looked at.
    Unreadable(StoreError),
    /// A node cannot be read at one of its two places; it was at the other.
    Copy(StoreError),
    /// A node has keys that its ancestors do not let it have.
    Bounds {
        /// The node.
        block: u64,
    },
    /// A pointer leads out of the volume, or to a place with a fixed use.
    Outside {
        /// Where.
        block: u64,
    },
    /// Two pointers lead to a block.
    Twice {
        /// Which one.
        block: u64,
    },
    /// A block is younger than what leads to it.
    Birth {
        /// Which one.
        block: u64,
    },
    /// A snapshot has an old block that no older snapshot has.
    Stray {
        /// Which one.
        block: u64,
    },
    /// Blocks are in use, and the maps say that they are free.
    NotTaken {
        /// The first of them.
        block: u64,
        /// How many.
        count: u64,
    },
    /// Blocks are taken, and nothing uses them.
    Leaked {
        /// The first of them.
        block: u64,
        /// How many.
        count: u64,
    },
    /// A block is said to have died, and the volume uses it, or no snapshot needs it.
    NotDead {
        /// Which one.
        block: u64,
    },
    /// Only snapshots need a block, and it is not said that it died.
    Unburied {
        /// Which one.
        block: u64,
    },
    /// The bitmap of a group cannot be read.
    Map {
        /// Which group.
        group: u64,
        /// Why.
        error: StoreError,
    },
    /// The superblock counts the blocks in use differently than the maps.
    Used {
        /// What it says.
        said: u64,
        /// What the maps say.
        counted: u64,
    },
    /// The superblock counts the blocks that only snapshots need differently than the records of dead blocks.
    Held {
        /// What it says.
        said: u64,
        /// What the records say.
        counted: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Unreadable(error) => write!(out, "{error}"),
            Finding::Copy(error) => write!(out, "{error}; the node is there once more, and nothing is lost"),
            Finding::Bounds { block } => write!(out, "node {block} has keys that belong elsewhere"),
            Finding::Outside { block } => {
                write!(out, "a pointer leads to block {block}, which nobody can have")
            }
            Finding::Twice { block } => write!(out, "two pointers lead to block {block}"),
            Finding::Birth { block } => write!(out, "block {block} is younger than what leads to it"),
            Finding::Stray { block } => write!(out, "old block {block} is in no older snapshot"),
            Finding::NotTaken { block, count } => {
                write!(out, "{count} blocks from {block} on are in use and count as free")
            }
            Finding::Leaked { block, count } => {
                write!(out, "{count} blocks from {block} on are taken for nothing")
            }
            Finding::NotDead { block } => write!(out, "block {block} counts as dead and is not"),
            Finding::Unburied { block } => write!(out, "block {block} is dead and does not count as that"),
            Finding::Map { group, error } => write!(out, "the map of group {group}: {error}"),
            Finding::Used { said, counted } => {
                write!(out, "{counted} blocks are taken, and the superblock says {said}")
            }
            Finding::Held { said, counted } => {
                write!(out, "only snapshots have {counted} blocks, and the superblock says {said}")
            }
        }
    }
}

impl<D: Disk> Volume<D> {
    /// Looks at all of the last commit, and with `data` reads all blocks of data, too. Takes memory for a bit of each block in use.
    /// Refused while a transaction is open.
    pub async fn check<F: Findings>(&self, findings: &mut F, data: bool) -> Result<(), StoreError> {
        let _turn = self.still()?;
        let found = walk::walk(self, findings, data).await?;
        compare::compare(self, findings, &found).await
    }
}
