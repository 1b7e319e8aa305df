//! The bitmap of a group: a bit for each block, set if it is taken.

use super::layout::{GROUP, Layout};
use super::log::{Extent, Span};
use crate::node::Page;
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::ops::Range;

const WORDS: usize = (GROUP / u64::BITS as u64) as usize;

/// A group's bitmap in memory, in which blocks with a fixed use count as taken.
#[derive(Clone)]
pub struct Map {
    bits: Box<[u64; WORDS]>,
    blocks: Range<u64>,
    free: u64,
}

impl Map {
    /// Of a group, from its block on disk (zeros where none was written yet).
    pub fn new(layout: &Layout, group: u64, page: &Page) -> Map {
        let mut bits = Box::new([0; WORDS]);
        for (word, bytes) in bits.iter_mut().zip(page.0.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let mut map = Map { bits, blocks: layout.group(group), free: 0 };
        layout.fixed_in(group).for_each(|block| {
            map.set(Span { start: block, count: 1 }, true);
        });
        map.free = map.blocks.end - map.blocks.start - map.taken();
        map
    }

    /// Set bits within the group.
    fn taken(&self) -> u64 {
        let blocks = self.blocks.end - self.blocks.start;
        let words = self.bits.iter().zip(0u64..).map(|(word, n)| {
            let inside = blocks.saturating_sub(n * u64::from(u64::BITS)).min(u64::from(u64::BITS));
            u64::from((word & ones(inside)).count_ones())
        });
        words.sum()
    }

    /// Blocks that can be taken.
    pub fn free(&self) -> u64 {
        self.free
    }

    /// Its bits, in which blocks with a fixed use are not set.
    pub fn words(&self, layout: &Layout, group: u64) -> Box<[u64; WORDS]> {
        let mut map = self.clone();
        layout.fixed_in(group).for_each(|block| {
            map.set(Span { start: block, count: 1 }, false);
        });
        map.bits
    }

    /// Its block on disk, and how many bits of it are set.
    pub fn to_page(&self, layout: &Layout, group: u64) -> (Rc<Page>, u64) {
        let words = self.words(layout, group);
        let mut page = Rc::new(Page::zeroed());
        for (bytes, word) in Rc::make_mut(&mut page).0.as_chunks_mut().0.iter_mut().zip(words.iter()) {
            *bytes = word.to_le_bytes();
        }
        (page, words.iter().map(|word| u64::from(word.count_ones())).sum())
    }

    /// Sets or clears what of a span is in this group, and says for how many blocks that was news.
    fn set(&mut self, span: Span, taken: bool) -> u64 {
        let start = span.start.max(self.blocks.start);
        let end = span.end().min(self.blocks.end);
        let (mut at, end) = (start - self.blocks.start, end.saturating_sub(self.blocks.start));
        let mut changed = 0;
        while at < end {
            let (index, bit) = (at / u64::from(u64::BITS), at % u64::from(u64::BITS));
            let count = (end - at).min(u64::from(u64::BITS) - bit);
            let mask = ones(count) << bit;
            let Some(word) = usize::try_from(index).ok().and_then(|index| self.bits.get_mut(index)) else {
                break;
            };
            let before = *word;
            *word = if taken { before | mask } else { before & !mask };
            changed += u64::from((before ^ *word).count_ones());
            at += count;
        }
        changed
    }

    /// What happened to blocks, of this group or not. Those with a fixed use stay taken.
    pub fn apply(&mut self, layout: &Layout, extent: Extent) {
        let changed = self.set(extent.span, !extent.free);
        if !extent.free {
            self.free = self.free.saturating_sub(changed);
            return;
        }
        self.free += changed;
        if layout.is_behind_fixed(extent.span.start) {
            return;
        }
        let touched = layout.fixed_in(self.blocks.start / GROUP);
        for block in touched.filter(|block| (extent.span.start..extent.span.end()).contains(block)) {
            self.free -= self.set(Span { start: block, count: 1 }, true);
        }
    }

    /// Takes up to `most` blocks that lie together: the first free ones from block `from` on, or else of the group.
    pub fn take(&mut self, from: u64, most: u64) -> Option<Span> {
        if self.free == 0 || most == 0 {
            return None;
        }
        let from = from.clamp(self.blocks.start, self.blocks.end);
        let end = self.blocks.end;
        let start = self.next(from, end, false).or_else(|| self.next(self.blocks.start, end, false))?;
        let limit = start.saturating_add(most).min(end);
        let end = self.next(start, limit, true).unwrap_or(limit);
        let span = Span { start, count: end - start };
        self.free = self.free.saturating_sub(self.set(span, true));
        Some(span)
    }

    /// The first block from `from` on, and before `end`, that is taken, or is free.
    fn next(&self, from: u64, end: u64, taken: bool) -> Option<u64> {
        let flip = if taken { 0 } else { u64::MAX };
        let bits = u64::from(u64::BITS);
        let (at, end) = (from - self.blocks.start, end - self.blocks.start);
        let words = usize::try_from(at / bits).ok()?..usize::try_from(end.div_ceil(bits)).ok()?;
        let (word, rest) = self.bits.get(words)?.split_first()?;
        let visible = (word ^ flip) & !ones(at % bits);
        let behind = || rest.iter().map(|word| word ^ flip).zip(at / bits + 1..).find(|(word, _)| *word != 0);
        let (word, n) = if visible == 0 { behind()? } else { (visible, at / bits) };
        let found = n * bits + u64::from(word.trailing_zeros());
        (found < end).then_some(self.blocks.start + found)
    }
}

/// That many set bits, at the low end.
fn ones(count: u64) -> u64 {
    match count {
        0 => 0,
        count => u64::MAX >> (u64::from(u64::BITS) - count.min(u64::from(u64::BITS))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, GROUP, Layout, Map, Page, Span};

    #[test]
    fn what_has_a_fixed_use_is_never_given_back() {
        let layout = Layout::new(GROUP + 100).unwrap();
        for group in 0..2 {
            let mut map = Map::new(&layout, group, &Page::zeroed());
            let free = map.free();
            for start in [0, 5, 8, 9, 50, 250, 255, 256, 4000, 4095, 4096] {
                for count in [1, 20, 200] {
                    let span = Span { start: group * GROUP + start, count };
                    map.apply(&layout, Extent { span, free: true });
                    assert_eq!(map.free(), free, "{count} from {start} on of group {group}");
                }
            }
        }
    }
}
