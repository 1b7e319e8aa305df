//! What is known of the blocks of a volume while a transaction is open. Bitmaps and nodes are copies of what is on the disk, with the
//! log played over them: they can be forgotten at any time.

use super::layout::{GROUP, Layout};
use super::log::{Extent, Log, Span};
use super::map::Map;
use super::summary::{Entry, Summary};
use crate::error::StoreError;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Bitmaps, and nodes above them, that are kept between commits.
const KEPT: usize = 64;

/// Taking blocks and giving them back.
pub struct Space {
    /// What lies where.
    pub layout: Layout,
    /// The root of the maps.
    pub root: Entry,
    /// What happened since the maps were written.
    pub log: Log,
    /// Blocks that are taken: also those that are to be given back.
    pub used: u64,
    /// Bitmaps that are here, by group.
    pub maps: BTreeMap<u64, Map>,
    /// Nodes that are here, by level and index.
    pub nodes: BTreeMap<(u32, u64), Summary>,
    /// Groups whose bitmap the medium does not give back, and what was wrong. Nobody is given their blocks.
    pub lost: BTreeMap<u64, StoreError>,
    /// Blocks that the last commit needs and the next one does not: free when it is durable.
    pending: Vec<Span>,
    /// Where the next blocks are looked for.
    cursor: u64,
}

impl Space {
    /// As a superblock says.
    pub fn new(layout: Layout, root: Entry, used: u64, log: Log) -> Space {
        let (maps, nodes, lost) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Space { layout, root, log, used, maps, nodes, lost, pending: Vec::new(), cursor: 0 }
    }

    /// Looks for blocks where another left off: what it took last may be what the disk does not take.
    pub fn go_on(mut self, other: &Space) -> Space {
        self.cursor = if other.cursor < self.layout.blocks() { other.cursor } else { 0 };
        self
    }

    /// Blocks that could be taken.
    pub fn free(&self) -> u64 {
        self.layout.total().saturating_sub(self.used)
    }

    /// How many spans wait to be given back.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The group where the next blocks are looked for.
    pub fn group(&self) -> u64 {
        self.cursor / GROUP
    }

    /// Whether the bitmaps that are here have so many free blocks.
    pub fn has(&self, count: u64) -> bool {
        let mut found = self.maps.get(&self.group()).map_or(0, Map::free);
        if found < count {
            found = self.maps.values().map(Map::free).sum();
        }
        found >= count
    }

    /// Takes up to `most` blocks that lie together, from the bitmaps that are here.
    pub fn take(&mut self, most: u64) -> Option<Span> {
        let from = self.group();
        let behind = self.maps.range(from..).chain(self.maps.range(..from));
        let (group, _) = behind.into_iter().find(|(_, map)| map.free() > 0)?;
        let group = *group;
        let span = self.maps.get_mut(&group)?.take(self.cursor, most)?;
        self.cursor = span.end();
        self.used += span.count;
        self.log.push(Extent { span, free: false });
        Some(span)
    }

    /// Gives back blocks that this transaction took: nobody else knows of them.
    pub fn give_back(&mut self, span: Span) {
        self.used = self.used.saturating_sub(span.count);
        self.happened(Extent { span, free: true });
    }

    fn happened(&mut self, extent: Extent) {
        self.log.push(extent);
        // Extents lie within a group, since the next one begins with blocks that are never given away.
        if let Some(map) = self.maps.get_mut(&(extent.span.start / GROUP)) {
            map.apply(&self.layout, extent);
        }
    }

    /// Gives back a block that the last commit needs, when this transaction is durable.
    pub fn give_back_later(&mut self, block: u64) {
        if let Some(last) = self.pending.last_mut()
            && last.end() == block
        {
            last.count += 1;
            return;
        }
        self.pending.push(Span { start: block, count: 1 });
    }

    /// Gives back what waited. Nothing may be taken until the commit is durable.
    pub fn settle(&mut self) -> Vec<Span> {
        let joined = join(core::mem::take(&mut self.pending));
        joined.iter().for_each(|span| self.give_back(*span));
        joined
    }

    /// The groups that the log is about.
    pub fn touched(&self) -> BTreeSet<u64> {
        self.log.iter().map(|extent| extent.span.start / GROUP).collect()
    }

    /// Takes a bitmap in, and plays the log over it.
    pub fn keep(&mut self, group: u64, mut map: Map) {
        self.play(group, &mut map);
        self.maps.insert(group, map);
        self.lost.remove(&group);
    }

    /// Whether a group's bitmap is here, or known to be lost.
    pub fn is_known(&self, group: u64) -> bool {
        self.maps.contains_key(&group) || self.lost.contains_key(&group)
    }

    /// Plays the log over a bitmap.
    pub fn play(&self, group: u64, map: &mut Map) {
        let of_group = self.log.iter().filter(|extent| extent.span.start / GROUP == group);
        of_group.for_each(|extent| map.apply(&self.layout, extent));
    }

    /// Forgets a bitmap that was just written, if there are too many.
    pub fn forget_map(&mut self, group: u64) {
        if self.maps.len() > KEPT {
            self.maps.remove(&group);
        }
    }

    /// Forgets what is more than should be kept.
    pub fn forget(&mut self) {
        if self.maps.len() > KEPT {
            let here = self.group();
            self.maps.retain(|group, map| *group == here || map.free() > 0);
        }
        while self.maps.len() > KEPT {
            self.maps.pop_first();
        }
        if self.nodes.len() > KEPT {
            self.nodes.clear();
        }
    }
}

/// Sorts spans, and makes one of neighbours.
fn join(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| span.start);
    spans.dedup_by(|next, span| {
        let joins = span.end() == next.start;
        span.count += if joins { next.count } else { 0 };
        joins
    });
    spans
}
