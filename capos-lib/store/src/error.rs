//! Why something was not done, and whose fault it is.

use crate::disk::DiskError;
use crate::superblock::{SlotState, Slots};
use core::fmt;

/// Why a volume did not do it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// The disk's fault: it did not read or write a block. The rest is served.
    Disk {
        /// Which one; the first of several.
        block: u64,
        /// What it said.
        error: DiskError,
    },
    /// The disk's fault, or of whoever made the image: a block is not what was written there. The rest is served.
    Corrupt {
        /// Which one.
        block: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// There is no sound superblock; what each slot holds instead.
    NoVolume([SlotState; Slots::COUNT]),
    /// The volume has this size, and the disk is smaller.
    Cut {
        /// Blocks of the volume.
        blocks: u64,
    },
    /// The disk is too small for a volume, or larger than a volume can be, or a volume is to shrink.
    Size,
    /// There is not enough space; nothing was changed.
    Full,
    /// The caller's fault: a key or a value is too long, a key is empty, data is not of whole blocks, a buffer is too short.
    Argument,
    /// The caller's fault: this needs more changes at once than may be pending. To commit first helps.
    TooMuch,
    /// The caller's fault: another change is being made, or a commit.
    Busy,
    /// Whether the last commit happened is not known, since the disk failed while it was made to count. What was read stays readable;
    /// mounting again tells.
    Doubtful,
    /// There is no such snapshot, or it is being deleted.
    NoSnapshot,
    /// There are as many snapshots as there can be.
    TooManySnapshots,
}

/// What can be wrong with a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not what its pointer says: stale, torn or spoiled.
    Checksum,
    /// It is no node.
    NotANode,
    /// It is a node of another level.
    Level,
    /// Its entries do not lie where they can.
    Layout,
    /// Its keys are not in order, or not between those that its parent says.
    Order,
    /// It leads to a block that there is not.
    Address,
    /// It does not count what it holds.
    Count,
    /// A record in it, or a superblock, does not mean anything.
    Record,
}

impl StoreError {
    /// Whether it is this block's medium that does not give it back as it was written.
    pub(crate) fn is_of_medium(&self) -> bool {
        matches!(
            self,
            StoreError::Disk { error: DiskError::Media, .. }
                | StoreError::Corrupt { fault: Fault::Checksum, .. }
        )
    }

    /// Which block it is about; block 0, where no map is, if it is about none.
    pub(crate) fn block(&self) -> u64 {
        match self {
            StoreError::Disk { block, .. } | StoreError::Corrupt { block, .. } => *block,
            _ => 0,
        }
    }

    /// What happened at a block.
    pub(crate) fn disk(block: u64) -> impl FnOnce(DiskError) -> StoreError {
        move |error| StoreError::Disk { block, error }
    }

    /// What is wrong with a block.
    pub(crate) fn corrupt(block: u64) -> impl FnOnce(Fault) -> StoreError {
        move |fault| StoreError::Corrupt { block, fault }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Disk { block, error } => write!(out, "block {block}: {error}"),
            StoreError::Corrupt { block, fault } => write!(out, "block {block} is corrupt: {fault}"),
            StoreError::NoVolume(slots) => {
                out.write_str("there is no volume")?;
                let spoiled = Slots::ALL.iter().zip(slots).filter(|(_, state)| state.is_loss());
                spoiled
                    .zip([": ", ", ", ", "])
                    .try_for_each(|((block, state), before)| write!(out, "{before}block {block} {state}"))
            }
            StoreError::Cut { blocks } => {
                write!(out, "the disk is smaller than its volume of {blocks} blocks")
            }
            StoreError::Size => out.write_str(
                "a volume cannot have this size: it has 1 MiB at least, and never becomes smaller",
            ),
            StoreError::Full => out.write_str("the volume is full"),
            StoreError::Argument => out.write_str("a key, a value or a buffer has a wrong length"),
            StoreError::TooMuch => out.write_str("too much is to be changed at once"),
            StoreError::Busy => out.write_str("another change is being made"),
            StoreError::Doubtful => out.write_str("the disk failed in a commit; mount it again to see"),
            StoreError::NoSnapshot => out.write_str("there is no such snapshot"),
            StoreError::TooManySnapshots => out.write_str("there are too many snapshots"),
        }
    }
}

impl core::error::Error for StoreError {}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Fault::Checksum => "it is not what was written",
            Fault::NotANode => "it is no node",
            Fault::Level => "it is a node of another level",
            Fault::Layout => "its entries do not lie where they can",
            Fault::Order => "its keys are not in order",
            Fault::Address => "it leads to a block that there is not",
            Fault::Count => "it does not count what it holds",
            Fault::Record => "a record in it makes no sense",
        })
    }
}
