//! Reading and writing the maps of free space.

use super::Volume;
use crate::disk::Disk;
use crate::error::{Fault, StoreError};
use crate::node::Page;
use crate::pointer::checksum;
use crate::space::{Entry, FANOUT, Map, Summary, TOP};
use alloc::rc::Rc;

/// Bits of an index that tell the entries of one node apart.
const FANOUT_BITS: u32 = FANOUT.trailing_zeros();

impl<D: Disk> Volume<D> {
    /// Reads bitmaps until those that are here have so many free blocks.
    pub(super) async fn look_for(&self, count: u64) -> Result<(), StoreError> {
        while !self.state.borrow().space.has(count) {
            let group = self.find_group().await.ok_or(StoreError::Full)?;
            self.bring_map(group).await;
        }
        Ok(())
    }

    /// A group that is not here and has free blocks: from the one on where the last were found.
    async fn find_group(&self) -> Option<u64> {
        let (groups, here) = {
            let space = &self.state.borrow().space;
            (space.layout.groups(), space.group())
        };
        for range in [here..groups, 0..here.min(groups)] {
            let mut group = range.start;
            while group < range.end {
                match self.is_worth(group).await {
                    Ok(()) => return Some(group),
                    Err(next) => group = next,
                }
            }
        }
        // The log may have given back blocks of groups whose maps say that they are full.
        let state = self.state.borrow();
        let mut freed = state.space.log.iter().filter(|extent| extent.free);
        let is_new = |group: &u64| !state.space.maps.contains_key(group) && !state.space.lost.contains(group);
        freed.by_ref().map(|extent| extent.span.start / crate::space::GROUP).find(is_new)
    }

    /// Whether the maps say that a group has free blocks; if not, where to look next.
    async fn is_worth(&self, group: u64) -> Result<(), u64> {
        let layout = {
            let space = &self.state.borrow().space;
            if space.maps.contains_key(&group) || space.lost.contains(&group) {
                return Err(group + 1);
            }
            space.layout
        };
        for level in (0..TOP).rev() {
            let index = group >> (FANOUT_BITS * level);
            let below = layout.below(level, index);
            match self.entry(level, index).await {
                Ok(entry) if entry.used < layout.capacity(below.clone()) => {}
                Ok(_) => return Err(below.end),
                // What is above it cannot be read, so nothing is known of any of its neighbours.
                Err(_) => return Err(layout.below(level + 1, index >> FANOUT_BITS).end),
            }
        }
        Ok(())
    }

    /// Reads the bitmap of a group. One that cannot be read is left alone from now on.
    async fn bring_map(&self, group: u64) {
        let map = self.read_map(group).await;
        let space = &mut self.state.borrow_mut().space;
        match map {
            Ok(map) => space.keep(group, map),
            Err(_) => {
                space.lost.insert(group);
            }
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
        let buffer = &mut Rc::make_mut(&mut page).0;
        self.disk.read(block, buffer).await.map_err(StoreError::disk(block))?;
        match checksum(&page.0) == entry.checksum {
            true => Ok(page),
            false => Err(StoreError::Corrupt { block, fault: Fault::Checksum }),
        }
    }

    /// Writes all maps that the log is about, each to the copy that does not count, and forgets the log.
    pub(super) async fn write_maps(&self) -> Result<(), StoreError> {
        let mut changed = self.state.borrow().space.touched();
        self.state.borrow_mut().is_loose = true;
        for group in core::mem::take(&mut changed) {
            if !self.state.borrow().space.maps.contains_key(&group) {
                self.bring_map(group).await;
            }
            let written = {
                let space = &self.state.borrow().space;
                space.maps.get(&group).map(|map| map.to_page(&space.layout, group))
            };
            // A bitmap that was lost stays as it is: nobody is given its blocks.
            let Some((page, used)) = written else { continue };
            self.write_copy(0, group, &page, used).await?;
            changed.insert(group >> FANOUT_BITS);
            self.state.borrow_mut().space.forget_map(group);
        }
        for level in 1..=TOP {
            for index in core::mem::take(&mut changed) {
                let node = self.state.borrow().space.nodes.get(&(level, index)).cloned();
                let Some(node) = node else { continue };
                self.write_copy(level, index, &node.0, node.used()).await?;
                changed.insert(index >> FANOUT_BITS);
            }
        }
        self.state.borrow_mut().space.log.clear();
        Ok(())
    }

    /// Writes a map, and tells its parent.
    async fn write_copy(&self, level: u32, index: u64, page: &Page, used: u64) -> Result<(), StoreError> {
        let next = self.entry(level, index).await?.next(page, used);
        let block = self.state.borrow().space.layout.place(level, index, next.copy);
        self.disk.write(block, &[&page.0]).await.map_err(StoreError::disk(block))?;
        let space = &mut self.state.borrow_mut().space;
        if level == TOP {
            space.root = next;
        } else if let Some(parent) = space.nodes.get_mut(&(level + 1, index >> FANOUT_BITS)) {
            parent.set(index, next);
        }
        Ok(())
    }
}
