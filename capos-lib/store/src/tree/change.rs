//! Changing a tree, in two steps. First all nodes that a change touches are brought into memory as copies: this reads the disk, may
//! fail, and changes nothing that anybody sees. Then the change itself happens to them at once, and cannot fail.

use super::{Dirty, Root};
use crate::node::{CAPACITY, Page};
use crate::pointer::Pointer;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// What becomes of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its new value, or that it has none any more.
    pub value: Option<&'a [u8]>,
}

impl<'a> Change<'a> {
    /// A key gets a value.
    pub fn put(key: &'a [u8], value: &'a [u8]) -> Change<'a> {
        Change { key, value: Some(value) }
    }

    /// A key goes.
    pub fn remove(key: &'a [u8]) -> Change<'a> {
        Change { key, value: None }
    }
}

/// An inner node in memory, and the entry below which a key is.
type Step = (Pointer, usize);

impl Dirty {
    /// Makes a change whose nodes are all here.
    pub fn change(&mut self, root: &mut Root, change: &Change<'_>) {
        match change.value {
            Some(value) => self.put(root, change.key, value),
            None => self.remove(root, change.key),
        }
    }

    /// The way to the leaf that has or would have a key, as far as it is here.
    fn way(&self, root: &Root, key: &[u8]) -> (Vec<Step>, Pointer) {
        let mut steps = Vec::with_capacity(usize::from(root.level));
        let mut at = root.pointer;
        while let Some(page) = self.get(&at).filter(|page| page.level() > 0) {
            let index = page.child(key);
            steps.push((at, index));
            at = page.pointer(index);
        }
        (steps, at)
    }

    /// The leaf that has or would have a key.
    pub fn leaf(&self, root: &Root, key: &[u8]) -> Option<&Rc<Page>> {
        self.get(&self.way(root, key).1).filter(|page| page.level() == 0)
    }

    fn put(&mut self, root: &mut Root, key: &[u8], value: &[u8]) {
        if root.pointer.is_none() {
            *root = Root { pointer: self.add(Rc::new(Page::node(0))), level: 0 };
        }
        let (steps, leaf) = self.way(root, key);
        let Some(page) = self.get_mut(&leaf) else { return };
        let index = match page.find(key) {
            Ok(index) if page.overwrite(index, value) => return,
            Ok(index) => {
                page.remove(index);
                index
            }
            Err(index) => index,
        };
        if !page.insert(index, key, value) {
            let split = page.split(index, key, value);
            self.grow(root, steps, split.separator, split.right);
        }
    }

    /// Tells the parents of a node that was split of its right half.
    fn grow(&mut self, root: &mut Root, mut steps: Vec<Step>, mut separator: Vec<u8>, right: Page) {
        let mut new = self.add(Rc::new(right));
        while let Some((parent, index)) = steps.pop() {
            let Some(page) = self.get_mut(&parent) else { return };
            if page.insert(index + 1, &separator, &new.to_node()) {
                return;
            }
            let split = page.split(index + 1, &separator, &new.to_node());
            separator = split.separator;
            new = self.add(Rc::new(split.right));
        }
        let level = root.level.saturating_add(1);
        let mut top = Page::node(level);
        top.push(&[], &root.pointer.to_node());
        top.push(&separator, &new.to_node());
        *root = Root { pointer: self.add(Rc::new(top)), level };
    }

    /// A leaf may be empty after this, until [`Dirty::prune`]: other changes of the same batch may want it.
    fn remove(&mut self, root: &Root, key: &[u8]) {
        let (_, leaf) = self.way(root, key);
        if let Some(page) = self.get_mut(&leaf)
            && let Ok(index) = page.find(key)
        {
            page.remove(index);
        }
    }

    /// Takes out what is empty on the way to `key`, and roots that lead to one node only.
    pub fn prune(&mut self, root: &mut Root, key: &[u8]) {
        let (mut steps, mut at) = self.way(root, key);
        while self.get(&at).is_some_and(|page| page.count() == 0) {
            self.take(&at);
            let Some((parent, index)) = steps.pop() else {
                *root = Root::EMPTY;
                return;
            };
            if let Some(page) = self.get_mut(&parent) {
                page.remove_child(index);
            }
            at = parent;
        }
        while let Some(page) = self.get(&root.pointer).filter(|page| page.level() > 0 && page.count() == 1) {
            let only = page.pointer(0);
            self.take(&root.pointer);
            *root = Root { pointer: only, level: root.level.saturating_sub(1) };
        }
    }

    /// Makes one node of a child and its right neighbour, if both are here and what is left has some room.
    pub fn merge(&mut self, parent: &Pointer, index: usize) {
        let Some(page) = self.get(parent) else { return };
        let (left, right) = (page.pointer(index), page.pointer(index + 1));
        let (Some(a), Some(b)) = (self.get(&left), self.get(&right)) else { return };
        if !fit(a, b) {
            return;
        }
        let separator = page.key(index + 1).to_vec();
        let Some(b) = self.take(&right) else { return };
        if let Some(a) = self.get_mut(&left) {
            a.absorb(&separator, &b);
        }
        if let Some(page) = self.get_mut(parent) {
            page.remove(index + 1);
        }
    }
}

/// Whether a node is so empty that it should not stay alone.
pub fn is_sparse(page: &Page) -> bool {
    page.used() < CAPACITY / 4
}

/// Whether two nodes make one that need not be split soon.
pub fn fit(a: &Page, b: &Page) -> bool {
    a.used() + b.used() <= CAPACITY / 4 * 3
}
