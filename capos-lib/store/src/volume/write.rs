//! Changing records.

use super::Volume;
use super::core::{Core, Need};
use crate::disk::Disk;
use crate::error::{Fault, StoreError};
use crate::node::{KEY_MAX, VALUE_MAX};
use crate::pointer::Pointer;
use crate::tree::{Change, Root, Tree, fit, is_sparse};

impl<D: Disk> Volume<D> {
    /// Gives a key a value.
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.apply(&[Change::put(key, value)], Need::Ordinary).await
    }

    /// Takes a key out, if it is there.
    pub async fn remove(&self, key: &[u8]) -> Result<(), StoreError> {
        self.apply(&[Change::remove(key)], Need::Removal).await
    }

    /// Makes all of some changes, in their order, or on any error none of them.
    pub async fn apply(&self, changes: &[Change<'_>], need: Need) -> Result<(), StoreError> {
        let _turn = self.turn()?;
        let sound = |change: &Change<'_>| {
            let value = change.value.map_or(0, <[u8]>::len);
            (1..=KEY_MAX).contains(&change.key.len()) && value <= VALUE_MAX
        };
        match changes.iter().all(sound) {
            true => self.change(Tree::Records, changes, need).await,
            false => Err(StoreError::Argument),
        }
    }

    /// The same, for any tree.
    pub(super) async fn change(
        &self,
        tree: Tree,
        changes: &[Change<'_>],
        need: Need,
    ) -> Result<(), StoreError> {
        self.is_little(tree, changes.len())?;
        for change in changes {
            self.bring(tree, change, need).await?;
        }
        let mut state = self.state.borrow_mut();
        let root = state.root(tree);
        // Each may split every node on its way, and the root; which ones can is only looked at when it matters.
        let most = |count: usize| 2 * (count as u64 * (u64::from(root.level) + 1) + 1);
        let room = state.room(need);
        if room < most(changes.len()) {
            let grows = changes.iter().filter(|change| state.grows(tree, &root, change)).count();
            if grows > 0 && room < most(grows) {
                return Err(StoreError::Full);
            }
        }
        state.changes += 1;
        let (root, dirty) = state.tree_mut(tree);
        changes.iter().for_each(|change| dirty.change(root, change));
        let removed = changes.iter().filter(|change| change.value.is_none());
        removed.for_each(|change| dirty.prune(root, change.key));
        Ok(())
    }

    /// Whether there is memory for some changes.
    fn is_little(&self, tree: Tree, changes: usize) -> Result<(), StoreError> {
        let state = self.state.borrow();
        let most = changes * (usize::from(state.root(tree).level) + 2);
        match tree == Tree::Snapshots || state.dirty() + most <= state.limits.dirty {
            true => Ok(()),
            false => Err(StoreError::TooMuch),
        }
    }

    /// Brings all nodes on the way to a key into memory, so that they can be changed. Nobody sees a difference.
    async fn bring(&self, tree: Tree, change: &Change<'_>, need: Need) -> Result<(), StoreError> {
        let root = self.state.borrow().root(tree);
        if self.root_node(&root).await?.is_none() {
            return Ok(());
        }
        let mut at = self.state.borrow_mut().own(tree, None, &root.pointer, need)?;
        for _ in 0..root.level {
            if change.value.is_none() {
                self.thin(tree, &at, change.key, need).await?;
            }
            at = self.own_child(tree, &at, change.key, need).await?;
        }
        Ok(())
    }

    /// Brings the child below which a key is.
    async fn own_child(
        &self,
        tree: Tree,
        parent: &Pointer,
        key: &[u8],
        need: Need,
    ) -> Result<Pointer, StoreError> {
        let index = self.state.borrow().node(parent).map_or(0, |page| page.child(key));
        self.own_nth(tree, parent, index, need).await
    }

    /// Brings a child of a node that is in memory.
    async fn own_nth(
        &self,
        tree: Tree,
        parent: &Pointer,
        index: usize,
        need: Need,
    ) -> Result<Pointer, StoreError> {
        let page = self.state.borrow().node(parent).cloned();
        let page = page.ok_or(StoreError::Corrupt { block: parent.address, fault: Fault::Address })?;
        // Who changes a node has the only reference to it, else it would be copied.
        drop(self.child(&page, index).await?);
        let child = page.pointer(index);
        drop(page);
        self.state.borrow_mut().own(tree, Some((*parent, index)), &child, need)
    }

    /// Joins the child on the way to a key with a neighbour if it is almost empty. That is only for the better: if the neighbour
    /// cannot be read, they stay two.
    async fn thin(&self, tree: Tree, parent: &Pointer, key: &[u8], need: Need) -> Result<(), StoreError> {
        let page = self.state.borrow().node(parent).cloned();
        let Some(page) = page else { return Ok(()) };
        let index = page.child(key);
        if !is_sparse(&*self.child(&page, index).await?) || page.count() < 2 {
            return Ok(());
        }
        let left = if index + 1 < page.count() { index } else { index - 1 };
        let (Ok(a), Ok(b)) = (self.child(&page, left).await, self.child(&page, left + 1).await) else {
            return Ok(());
        };
        let joins = fit(&a, &b);
        drop((page, a, b));
        if joins {
            self.own_nth(tree, parent, left, need).await?;
            self.own_nth(tree, parent, left + 1, need).await?;
            self.state.borrow_mut().tree_mut(tree).1.merge(parent, left);
        }
        Ok(())
    }
}

impl Core {
    /// Whether a change makes its leaf larger. The leaf is in memory.
    fn grows(&self, tree: Tree, root: &Root, change: &Change<'_>) -> bool {
        let Some(value) = change.value else { return false };
        let leaf = self.dirty_of(tree).leaf(root, change.key);
        let before = leaf.and_then(|page| Some(page.value(page.find(change.key).ok()?).len()));
        before.is_none_or(|before| before < value.len())
    }

    /// Makes a node that is here one that can be changed, and tells its parent, or the tree if it is the root.
    fn own(
        &mut self,
        tree: Tree,
        parent: Option<(Pointer, usize)>,
        pointer: &Pointer,
        need: Need,
    ) -> Result<Pointer, StoreError> {
        if self.dirty_of(tree).get(pointer).is_some() {
            return Ok(*pointer);
        }
        // A node goes to two places.
        if self.room(need) < 2 {
            return Err(StoreError::Full);
        }
        // Who changes it does not want it as it was any more, and if nobody reads it now, it need not be copied.
        let missing = StoreError::Corrupt { block: pointer.address, fault: Fault::Address };
        let page = self.nodes.take(pointer).ok_or(missing)?;
        let (root, dirty) = self.tree_mut(tree);
        let new = dirty.add(page);
        match parent {
            Some((parent, index)) => {
                if let Some(page) = dirty.get_mut(&parent) {
                    page.set_pointer(index, new);
                }
            }
            None => root.pointer = new,
        }
        self.changes += 1;
        self.release(tree, pointer);
        Ok(new)
    }
}
