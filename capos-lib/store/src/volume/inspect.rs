//! What `check` asks of a volume.

use super::{Turn, Volume};
use crate::check::WORDS;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::node::{Expected, Page, validate};
use crate::pointer::Pointer;
use crate::tree::Root;
use alloc::boxed::Box;
use alloc::rc::Rc;

impl<D: Disk> Volume<D> {
    /// A turn in which nothing is changed, and nothing was since the last commit.
    pub(crate) fn still(&self) -> Result<Turn<'_>, StoreError> {
        let turn = self.turn()?;
        match self.state.borrow().is_clean() {
            true => Ok(turn),
            false => Err(StoreError::Busy),
        }
    }

    /// The roots of both trees, and the number of their commit.
    pub(crate) fn roots(&self) -> (Root, Root, u64) {
        let state = self.state.borrow();
        (state.durable.records, state.durable.snapshots, state.durable.commit)
    }

    /// How many groups there are, and how many blocks the superblock says are taken.
    pub(crate) fn groups(&self) -> (u64, u64) {
        let state = self.state.borrow();
        (state.space.layout.groups(), state.durable.used)
    }

    /// How many blocks the superblock says only snapshots need.
    pub(crate) fn held(&self) -> u64 {
        self.state.borrow().durable.held
    }

    /// Whether a block can be given to anybody.
    pub(crate) fn can_have(&self, block: u64) -> bool {
        let layout = self.state.borrow().space.layout;
        block < layout.blocks() && !layout.is_fixed(block)
    }

    /// A node as it is on the disk, whatever is in memory.
    pub(crate) async fn visit(&self, pointer: &Pointer, level: u8) -> Result<Rc<Page>, StoreError> {
        let blocks = self.state.borrow().space.layout.blocks();
        let page = self.read_block(pointer).await?;
        let expected = Expected { level, low: &[], high: None, blocks };
        validate(&page, &expected).map_err(StoreError::corrupt(pointer.address))?;
        Ok(page)
    }

    /// A place of a node was found spoiled: it is written again when a commit is settled.
    pub(crate) fn found_spoiled(&self, place: u64, pointer: &Pointer) {
        self.state.borrow_mut().spoil(place, pointer);
    }

    /// The bits of a group that are set: blocks that are taken, without those with a fixed use.
    pub(crate) async fn map_now(&self, group: u64) -> Result<Box<[u64; WORDS]>, StoreError> {
        let mut map = self.read_map(group).await?;
        let state = self.state.borrow();
        state.space.play(group, &mut map);
        Ok(map.words(&state.space.layout, group))
    }

    /// Whether nothing was ever taken in the groups from this one on that share a node.
    pub(crate) async fn is_untouched(&self, group: u64) -> bool {
        let index = group / crate::space::FANOUT;
        let entry = self.entry(1, index).await;
        let below = self.state.borrow().space.layout.below(1, index);
        let touched = self.state.borrow().space.touched();
        entry.is_ok_and(|entry| entry.copy == 0) && touched.range(below).next().is_none()
    }
}
