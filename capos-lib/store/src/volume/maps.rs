//! Reading and writing the maps of free space.

use super::Volume;
use crate::disk::{Disk, DiskError};
use crate::error::{Fault, StoreError};
use crate::node::Page;
use crate::pointer::checksum;
use crate::space::{Entry, FANOUT, Map, Summary, TOP};
use alloc::collections::BTreeSet;
use alloc::rc::Rc;

/// Bits of an index that tell the entries of one node apart.
const FANOUT_BITS: u32 = FANOUT.trailing_zeros();

impl<D: Disk> Volume<D> {
    /// Reads bitmaps until those that are here have so many free blocks.
    pub(super) async fn look_for(&self, count: u64) -> Result<(), StoreError> {
        while !self.state.borrow().space.has(count) {
            match self.find_group().await? {
                Some(group) => self.bring_map(group).await?,
                None => return Err(self.nothing_more(count)),
            }
        }
        Ok(())
    }

    /// Why nothing more is found: it is all taken, or nobody knows where it is.
    fn nothing_more(&self, count: u64) -> StoreError {
        let space = &self.state.borrow().space;
        let lost = space.lost.values().next().filter(|_| space.free() >= count);
        lost.copied().unwrap_or(StoreError::Full)
    }

    /// A group that is not here and has free blocks: from the one on where the last were found.
    async fn find_group(&self) -> Result<Option<u64>, StoreError> {
        let (groups, here) = {
            let space = &self.state.borrow().space;
            (space.layout.groups(), space.group())
        };
        for range in [here..groups, 0..here.min(groups)] {
            let mut group = range.start;
            while group < range.end {
                match self.behind_useless(group).await? {
                    None => return Ok(Some(group)),
                    Some(next) => group = next,
                }
            }
        }
        // The log may have given back blocks of groups whose maps say that they are full.
        let state = self.state.borrow();
        let mut freed = state.space.log.iter().filter(|extent| extent.free);
        let is_new = |group: &u64| !state.space.is_known(*group);
        Ok(freed.by_ref().map(|extent| extent.span.start / crate::space::GROUP).find(is_new))
    }

    /// Where to look next if nothing is to be had from a group, as the maps say or because they do not say it any more.
    async fn behind_useless(&self, group: u64) -> Result<Option<u64>, StoreError> {
        let layout = {
            let space = &self.state.borrow().space;
            if space.is_known(group) {
                return Ok(Some(group + 1));
            }
            space.layout
        };
        for level in (0..TOP).rev() {
            let index = group >> (FANOUT_BITS * level);
            let below = layout.below(level, index);
            match self.entry(level, index).await {
                Ok(entry) if entry.used < layout.capacity(below.clone()) => {}
                Ok(_) => return Ok(Some(below.end)),
                // What is above it cannot be read, so nothing is known of any of its neighbours.
                Err(error) => {
                    self.leave_alone(group, error)?;
                    return Ok(Some(layout.below(level + 1, index >> FANOUT_BITS).end));
                }
            }
        }
        Ok(None)
    }

    /// Reads the bitmap of a group.
    async fn bring_map(&self, group: u64) -> Result<(), StoreError> {
        match self.read_map(group).await {
            Ok(map) => {
                self.state.borrow_mut().space.keep(group, map);
                Ok(())
            }
            Err(error) => self.leave_alone(group, error),
        }
    }

    /// Nobody is given blocks of a group whose map the medium does not give back. A disk that fails otherwise says nothing of its maps.
    fn leave_alone(&self, group: u64, error: StoreError) -> Result<(), StoreError> {
        match error {
            StoreError::Disk { error: DiskError::Media, .. } | StoreError::Corrupt { .. } => {
                self.state.borrow_mut().space.lost.insert(group, error);
                Ok(())
            }
            error => Err(error),
        }
    }

    /// A group's bitmap as it was last written.
    pub(crate) async fn read_map(&self, group: u64) -> Result<Map, StoreError> {
        let entry = self.entry(0, group).await?;
        let page = self.read_copy(0, group, &entry).await?;
        let layout = self.state.borrow().space.layout;
        let map = Map::new(&layout, group, &page);
        let below = layout.capacity(group..group + 1);
        match map.free() + entry.used == below {
            true => Ok(map),
            false => Err(StoreError::Corrupt {
                block: layout.place(0, group, entry.copy.max(1)),
                fault: Fault::Count,
            }),
        }
    }

    /// What its parent says of a map.
    pub(super) async fn entry(&self, level: u32, index: u64) -> Result<Entry, StoreError> {
        let mut entry = self.state.borrow().space.root;
        for above in (level + 1..=TOP).rev() {
            let node = index >> (FANOUT_BITS * (above - level));
            let child = index >> (FANOUT_BITS * (above - 1 - level));
            entry = self.summary(above, node, &entry).await?.entry(child);
        }
        Ok(entry)
    }

    /// A node above bitmaps, of which its parent says `entry`.
    async fn summary(&self, level: u32, index: u64, entry: &Entry) -> Result<Summary, StoreError> {
        if let Some(node) = self.state.borrow().space.nodes.get(&(level, index)) {
            return Ok(node.clone());
        }
        let node = Summary(self.read_copy(level, index, entry).await?);
        let mut state = self.state.borrow_mut();
        if !node.is_sound() || node.used() != entry.used {
            let block = state.space.layout.place(level, index, entry.copy);
            return Err(StoreError::Corrupt { block, fault: Fault::Count });
        }
        state.space.nodes.insert((level, index), node.clone());
        Ok(node)
    }

    /// The copy of a map that counts; zeros if none was written.
    async fn read_copy(&self, level: u32, index: u64, entry: &Entry) -> Result<Rc<Page>, StoreError> {
        let mut page = Rc::new(Page::zeroed());
        if entry.copy == 0 {
            return Ok(page);
        }
        let block = self.state.borrow().space.layout.place(level, index, entry.copy);
        if !super::mount::read(&self.disk, block, &mut page).await? {
            return Err(StoreError::Disk { block, error: DiskError::Media });
        }
        match checksum(&page.0) == entry.checksum {
            true => Ok(page),
            false => Err(StoreError::Corrupt { block, fault: Fault::Checksum }),
        }
    }

    /// Writes all maps that the log is about, each to the copy that does not count, and what is above them, and forgets the log.
    pub(super) async fn write_maps(&self) -> Result<(), StoreError> {
        let groups = self.state.borrow().space.touched();
        let mut changed: BTreeSet<(u32, u64)> = groups.into_iter().map(|group| (0, group)).collect();
        self.state.borrow_mut().is_loose = true;
        while let Some((level, index)) = changed.pop_first() {
            let written = match level {
                0 => self.bitmap(index).await?,
                _ => self
                    .state
                    .borrow()
                    .space
                    .nodes
                    .get(&(level, index))
                    .map(|node| (Rc::clone(&node.0), node.used())),
            };
            let told = match written {
                Some((page, used)) => self.write_copy(level, index, &page, used).await?,
                None if level == 0 => self.lose(index).await?,
                None => return Err(self.missing(level, index)),
            };
            changed.extend(told);
            if level == 0 {
                self.state.borrow_mut().space.forget_map(index);
            }
        }
        self.state.borrow_mut().space.log.clear();
        Ok(())
    }

    /// A node that was here when it was changed: cannot be, and must not go unnoticed.
    fn missing(&self, level: u32, index: u64) -> StoreError {
        let block = self.state.borrow().space.layout.place(level, index, 1);
        StoreError::Corrupt { block, fault: Fault::Count }
    }

    /// A group's bitmap as it is to be written, and the blocks taken in it; none if it is lost.
    async fn bitmap(&self, group: u64) -> Result<Option<(Rc<Page>, u64)>, StoreError> {
        if !self.state.borrow().space.maps.contains_key(&group) {
            self.bring_map(group).await?;
        }
        let space = &self.state.borrow().space;
        Ok(space.maps.get(&group).map(|map| map.to_page(&space.layout, group)))
    }

    /// Has a map that keeps a group's from being read not believed any more, even if the medium should give it back one day: it does not
    /// know of what the log says.
    async fn lose(&self, group: u64) -> Result<Option<(u32, u64)>, StoreError> {
        let (layout, block) = {
            let space = &self.state.borrow().space;
            (space.layout, space.lost.get(&group).map_or(0, StoreError::block))
        };
        let (level, index) = layout.map_at(block);
        let lost = self.entry(level, index).await?.lost();
        Ok(self.tell(level, index, lost))
    }

    /// Writes a map, and tells its parent.
    async fn write_copy(
        &self,
        level: u32,
        index: u64,
        page: &Page,
        used: u64,
    ) -> Result<Option<(u32, u64)>, StoreError> {
        let next = self.entry(level, index).await?.next(page, used);
        let block = self.state.borrow().space.layout.place(level, index, next.copy);
        self.disk.write(block, &[&page.0]).await.map_err(StoreError::disk(block))?;
        Ok(self.tell(level, index, next))
    }

    /// Says of a map what it is now, and which one is changed thereby.
    fn tell(&self, level: u32, index: u64, entry: Entry) -> Option<(u32, u64)> {
        let space = &mut self.state.borrow_mut().space;
        if level == TOP {
            space.root = entry;
            return None;
        }
        let above = (level + 1, index >> FANOUT_BITS);
        space.nodes.get_mut(&above)?.set(index, entry);
        Some(above)
    }
}
