//! A mounted volume: asks the disk, and keeps together what the other modules decide.
//!
//! All state is in one cell that is never borrowed while the disk is waited for, so that reading goes on while something else waits.

mod blank;
mod commit;
mod core;
mod data;
mod inspect;
mod maps;
mod mount;
mod read;
mod snapshot;
mod sure;
mod twins;
mod view;
mod write;

pub use self::core::{Limits, Need};
pub use blank::is_blank;
pub use mount::{Mounted, format};
pub use snapshot::{NOTE_MAX, SNAPSHOTS_MAX, Snapshot};
pub(crate) use snapshot::{dead, death};
pub use view::View;

use self::core::{Core, Stage};
use crate::disk::Disk;
use crate::error::StoreError;
use ::core::cell::{Cell, RefCell};

/// A mounted volume.
pub struct Volume<D> {
    disk: D,
    pub(crate) state: RefCell<Core>,
    /// Whether somebody changes it.
    taken: Cell<bool>,
}

/// How much space there is, in blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpaceReport {
    /// All blocks of the volume.
    pub blocks: u64,
    /// Those that can hold anything: all but the ones of maps and superblocks.
    pub total: u64,
    /// Those that can be taken now.
    pub free: u64,
    /// Those that only snapshots need.
    pub held: u64,
    /// What ordinary changes leave to removals.
    pub reserve: u64,
}

/// Only one changes a volume at a time.
pub(crate) struct Turn<'v>(&'v Cell<bool>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<D: Disk> Volume<D> {
    /// What it lies on.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Gives it back. What was not committed is lost.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// The number of the last commit.
    pub fn commit_number(&self) -> u64 {
        self.state.borrow().durable.commit
    }

    /// Whether the last commit has no records, and there are no snapshots: what a format leaves, whatever came of what was to follow.
    pub fn is_empty(&self) -> bool {
        let state = self.state.borrow();
        state.durable.records.pointer.is_none() && state.durable_snapshots.is_empty()
    }

    /// The volume's name.
    pub fn uuid(&self) -> u128 {
        self.state.borrow().durable.uuid
    }

    /// How often what was not committed was dropped, by [`Volume::abort`] or because a commit failed. Whoever remembers something of
    /// the volume looks whether this changed.
    pub fn epoch(&self) -> u64 {
        self.state.borrow().epoch
    }

    /// How much space there is.
    pub fn space(&self) -> SpaceReport {
        let state = self.state.borrow();
        SpaceReport {
            blocks: state.space.layout.blocks(),
            total: state.space.layout.total(),
            free: state.room(Need::Upkeep),
            held: state.held_now(),
            reserve: state.reserve(Need::Ordinary),
        }
    }

    /// How many places of nodes were found spoiled since the mount. What was there was read at the other place, and is written again when a commit is
    /// settled.
    pub fn spoils(&self) -> u64 {
        self.state.borrow().spoils
    }

    /// How many blocks [`Volume::write_data`] could still take. Changes of records need some of them, too.
    pub fn room(&self, need: Need) -> u64 {
        self.state.borrow().room(need)
    }

    /// Blocks of memory that the open transaction takes. At [`Limits::dirty`] it is time for a commit.
    pub fn dirty(&self) -> usize {
        self.state.borrow().dirty()
    }

    /// Whether it is time for a commit: the open transaction takes half of what it may.
    pub fn is_due(&self) -> bool {
        self.state.borrow().is_due()
    }

    /// Begins a change.
    fn turn(&self) -> Result<Turn<'_>, StoreError> {
        if self.taken.replace(true) {
            return Err(StoreError::Busy);
        }
        let turn = Turn(&self.taken);
        let mut state = self.state.borrow_mut();
        match state.stage {
            Stage::Open => Ok(turn),
            // Whoever waited for a commit gave up before it counted.
            Stage::Writing => {
                state.revert();
                Ok(turn)
            }
            Stage::Counting => Err(StoreError::Doubtful),
        }
    }

    /// Drops all changes since the last commit.
    pub fn abort(&self) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        self.state.borrow_mut().revert();
        Ok(())
    }
}
