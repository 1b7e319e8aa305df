//! What is kept in mind at a time.

use alloc::collections::BTreeMap;

/// Things by their numbers, from one number on: those with the lowest, as many as may be kept. The others are for the next sweep.
pub struct Window<K, V> {
    /// Where it begins; none if nothing is left.
    low: Option<K>,
    /// The first that is left for the next.
    end: Option<K>,
    most: usize,
    things: BTreeMap<K, V>,
}

impl<K: Ord + Copy, V: Default> Window<K, V> {
    /// From `low` on.
    pub const fn new(low: K, most: usize) -> Self {
        Window { low: Some(low), end: None, most, things: BTreeMap::new() }
    }

    /// What comes behind this one.
    pub fn next(&self) -> Self {
        Window { low: self.end, end: None, most: self.most, things: BTreeMap::new() }
    }

    /// Whether nothing is left.
    pub const fn is_done(&self) -> bool {
        self.low.is_none()
    }

    /// Whether a thing would be kept.
    pub fn has(&self, key: K) -> bool {
        self.low.is_some_and(|low| low <= key) && self.end.is_none_or(|end| key < end)
    }

    /// A thing, if it is kept.
    pub fn at(&mut self, key: K) -> Option<&mut V> {
        if !self.has(key) {
            return None;
        }
        if self.things.len() >= self.most && !self.things.contains_key(&key) {
            let last = self.things.last_key_value().map(|(last, _)| *last);
            self.end = last.map(|last| last.max(key));
            if last.is_some_and(|last| last < key) {
                return None;
            }
            self.things.pop_last();
        }
        Some(self.things.entry(key).or_default())
    }

    /// All that is kept.
    pub const fn things(&self) -> &BTreeMap<K, V> {
        &self.things
    }
}
