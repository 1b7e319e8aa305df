//! Changing a page.

use super::page::{COUNT, HEAP, LIVE};
use super::{CAPACITY, HEADER, LENGTHS, Page, SLOT, entry_size};
use crate::disk::BLOCK;
use crate::pointer::Pointer;
use alloc::vec::Vec;

/// What came of a node that was too full: itself, this one to its right, and the key that tells them apart.
pub struct Split {
    /// The new node.
    pub right: Page,
    /// Not greater than any key in it, greater than any in the other.
    pub separator: Vec<u8>,
}

impl Page {
    /// Puts an entry before the one at `index`. False if there is no room.
    pub fn insert(&mut self, index: usize, key: &[u8], value: &[u8]) -> bool {
        if self.used() + entry_size(key, value) > CAPACITY {
            return false;
        }
        let count = self.count();
        let size = LENGTHS + key.len() + value.len();
        if self.number(HEAP) < HEADER + SLOT * (count + 1) + size {
            self.compact();
        }
        let at = self.number(HEAP).saturating_sub(size);
        self.place(at, key, value);
        let slot = HEADER + SLOT * index;
        self.0.copy_within(slot..HEADER + SLOT * count, slot + SLOT);
        self.set_number(slot, at);
        self.set_number(HEAP, at);
        self.set_number(COUNT, count + 1);
        self.set_number(LIVE, self.number(LIVE) + size);
        true
    }

    /// Writes an entry's bytes.
    fn place(&mut self, at: usize, key: &[u8], value: &[u8]) {
        self.set_number(at, key.len());
        self.set_number(at + 2, value.len());
        let rest = self.0.get_mut(at + LENGTHS..).and_then(|rest| rest.split_at_mut_checked(key.len()));
        if let Some((to_key, rest)) = rest
            && let Some(to_value) = rest.get_mut(..value.len())
        {
            to_key.copy_from_slice(key);
            to_value.copy_from_slice(value);
        }
    }

    /// Puts an entry behind all others.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.insert(self.count(), key, value)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, index: usize) {
        let count = self.count();
        if index >= count {
            return;
        }
        let (_, key, value) = self.entry(index);
        let slot = HEADER + SLOT * index;
        self.0.copy_within(slot + SLOT..HEADER + SLOT * count, slot);
        self.set_number(COUNT, count - 1);
        self.set_number(LIVE, self.number(LIVE).saturating_sub(LENGTHS + key + value));
    }

    /// Gives an entry another value of the same length. False if it has another length.
    pub fn overwrite(&mut self, index: usize, value: &[u8]) -> bool {
        let (at, key, length) = self.entry(index);
        match self.0.get_mut(at + key..at + key + length) {
            Some(place) if place.len() == value.len() => {
                place.copy_from_slice(value);
                true
            }
            _ => false,
        }
    }

    /// Lets an entry of an inner node lead elsewhere.
    pub fn set_pointer(&mut self, index: usize, pointer: Pointer) {
        self.overwrite(index, &pointer.to_node());
    }

    /// Takes a child out of an inner node, whose first key stays empty.
    pub fn remove_child(&mut self, index: usize) {
        if index == 0 && self.count() > 1 {
            self.set_pointer(0, self.pointer(1));
            self.remove(1);
        } else {
            self.remove(index);
        }
    }

    /// Moves all entries to the page's end, without what was between them.
    fn compact(&mut self) {
        let old = self.clone();
        let mut at = BLOCK;
        for index in 0..old.count() {
            let (key, value) = (old.key(index), old.value(index));
            at = at.saturating_sub(LENGTHS + key.len() + value.len());
            self.place(at, key, value);
            self.set_number(HEADER + SLOT * index, at);
        }
        self.set_number(HEAP, at);
    }

    /// Takes over all entries of the node to its right, before which its parent has `separator`. They fit, says the caller.
    pub fn absorb(&mut self, separator: &[u8], right: &Page) {
        for index in 0..right.count() {
            let key = if right.level() > 0 && index == 0 { separator } else { right.key(index) };
            self.push(key, right.value(index));
        }
    }

    /// Makes two nodes of one for which an entry is too much, and puts it in.
    ///
    /// No entry is larger than half a page, so cutting where the halves differ least always leaves both within a page. An entry
    /// behind all others goes alone to the right: who writes in order fills each page.
    pub fn split(&mut self, index: usize, key: &[u8], value: &[u8]) -> Split {
        let old = self.clone();
        let count = old.count();
        let entry = |n: usize| match n.cmp(&index) {
            core::cmp::Ordering::Less => (old.key(n), old.value(n)),
            core::cmp::Ordering::Equal => (key, value),
            core::cmp::Ordering::Greater => (old.key(n - 1), old.value(n - 1)),
        };
        let cut = match index == count {
            true => count,
            false => middle((0..=count).map(|n| entry_size(entry(n).0, entry(n).1))),
        };
        let (mut left, mut right) = (Page::node(old.level()), Page::node(old.level()));
        for n in 0..=count {
            let (key, value) = entry(n);
            match n < cut {
                true => left.push(key, value),
                false if n == cut && old.level() > 0 => right.push(&[], value),
                false => right.push(key, value),
            };
        }
        *self = left;
        let separator = match old.level() {
            0 => shortest_between(entry(cut.saturating_sub(1)).0, entry(cut).0),
            _ => entry(cut).0.to_vec(),
        };
        Split { right, separator }
    }
}

/// Before which of several sizes to cut, so that the larger part is as small as can be. Both parts have something.
fn middle(sizes: impl Iterator<Item = usize> + Clone) -> usize {
    let total: usize = sizes.clone().sum();
    let (mut before, mut best) = (0, (usize::MAX, 1));
    for (n, size) in sizes.enumerate() {
        if n > 0 {
            best = best.min((usize::max(before, total - before), n));
        }
        before += size;
    }
    best.1
}

/// The shortest key that is greater than `low` and not greater than `high`.
fn shortest_between(low: &[u8], high: &[u8]) -> Vec<u8> {
    let same = low.iter().zip(high).take_while(|(a, b)| a == b).count();
    high.get(..=same).unwrap_or(high).to_vec()
}
