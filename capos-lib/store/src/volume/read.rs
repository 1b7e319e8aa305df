//! Reading records.

use super::Volume;
use super::core::Core;
use crate::disk::Disk;
use crate::error::{Fault, StoreError};
use crate::node::{Expected, KEY_MAX, Page, validate};
use crate::pointer::Pointer;
use crate::tree::{Dirty, Root, Tree};
use alloc::rc::Rc;

/// A leaf, and behind it the first key of the next one: an entry of an inner node.
pub struct Leaf {
    pub page: Rc<Page>,
    pub next: Option<(Rc<Page>, usize)>,
}

impl Core {
    /// The leaf that has or would have a key, if all on the way is here and as it should be.
    fn leaf(&self, root: &Root, key: &[u8]) -> Option<&Page> {
        let mut page = self.node(&root.pointer)?;
        for level in (0..root.level).rev() {
            page = self.node(&page.pointer(page.child(key))).filter(|page| page.level() == level)?;
        }
        Some(page)
    }
}

impl<D: Disk> Volume<D> {
    /// Copies the value of a key to `into` and says how long it is; `None` if there is no such key.
    pub async fn get(&self, key: &[u8], into: &mut [u8]) -> Result<Option<usize>, StoreError> {
        {
            let state = self.state.borrow();
            let root = state.root(Tree::Records);
            if let Some(page) = state.leaf(&root, key) {
                return page.find(key).ok().map(|index| copy(page.value(index), into)).transpose();
            }
        }
        loop {
            let (root, changes) = self.now(Tree::Records);
            let found = self.get_from(&root, key, into).await;
            if !self.is_stale(changes) {
                return found;
            }
        }
    }

    /// Copies the first record whose key is not smaller than `from`, and says how long its key and its value are.
    pub async fn next(
        &self,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        loop {
            let (root, changes) = self.now(Tree::Records);
            let found = self.next_from(&root, from, key, value).await;
            if !self.is_stale(changes) {
                return found;
            }
        }
    }

    fn now(&self, tree: Tree) -> (Root, u64) {
        let state = self.state.borrow();
        (state.root(tree), state.changes)
    }

    /// Whether pointers that were found before may lead to something else now: then who found them begins anew.
    fn is_stale(&self, changes: u64) -> bool {
        self.state.borrow().changes != changes
    }

    pub(super) async fn get_from(
        &self,
        root: &Root,
        key: &[u8],
        into: &mut [u8],
    ) -> Result<Option<usize>, StoreError> {
        let Some(leaf) = self.find_leaf(root, key).await? else { return Ok(None) };
        leaf.page.find(key).ok().map(|index| copy(leaf.page.value(index), into)).transpose()
    }

    pub(super) async fn next_from(
        &self,
        root: &Root,
        from: &[u8],
        key: &mut [u8],
        value: &mut [u8],
    ) -> Result<Option<(usize, usize)>, StoreError> {
        let mut bound = [0; KEY_MAX];
        let mut length = copy(from, &mut bound)?;
        loop {
            let from = bound.get(..length).unwrap_or_default();
            let Some(leaf) = self.find_leaf(root, from).await? else { return Ok(None) };
            let index = leaf.page.find(from).unwrap_or_else(|index| index);
            if index < leaf.page.count() {
                let (found, record) = (leaf.page.key(index), leaf.page.value(index));
                return Ok(Some((copy(found, key)?, copy(record, value)?)));
            }
            // The next leaf's first key is greater than this one's bound, so this comes to an end, whatever the nodes say.
            let Some((page, index)) = leaf.next else { return Ok(None) };
            length = copy(page.key(index), &mut bound)?;
        }
    }

    /// The leaf that has or would have a key. None in an empty tree.
    pub(super) async fn find_leaf(&self, root: &Root, key: &[u8]) -> Result<Option<Leaf>, StoreError> {
        let Some(mut page) = self.root_node(root).await? else { return Ok(None) };
        let mut next = None;
        while page.level() > 0 {
            let index = page.child(key);
            if index + 1 < page.count() {
                next = Some((page.clone(), index + 1));
            }
            page = self.child(&page, index).await?;
        }
        Ok(Some(Leaf { page, next }))
    }

    /// The node at the root of a tree, if there is one.
    pub(super) async fn root_node(&self, root: &Root) -> Result<Option<Rc<Page>>, StoreError> {
        if root.pointer.is_none() {
            return Ok(None);
        }
        self.node(&root.pointer, root.level, &[], None).await.map(Some)
    }

    /// A node below an inner one.
    pub(super) async fn child(&self, parent: &Page, index: usize) -> Result<Rc<Page>, StoreError> {
        let high = (index + 1 < parent.count()).then(|| parent.key(index + 1));
        let level = parent.level().saturating_sub(1);
        // An inner node's first key is empty: what is below it is at least what the node above says, which `check` looks at.
        self.node(&parent.pointer(index), level, parent.key(index), high).await
    }

    /// A node, from memory or from the disk.
    async fn node(
        &self,
        pointer: &Pointer,
        level: u8,
        low: &[u8],
        high: Option<&[u8]>,
    ) -> Result<Rc<Page>, StoreError> {
        let block = pointer.address;
        let here = self.state.borrow().node(pointer).cloned();
        if let Some(page) = here {
            return match page.level() == level {
                true => Ok(page),
                false => Err(StoreError::Corrupt { block, fault: Fault::Level }),
            };
        }
        let blocks = self.state.borrow().space.layout.blocks();
        let page = self.read_node(pointer).await?;
        validate(&page, &Expected { level, low, high, blocks }).map_err(StoreError::corrupt(block))?;
        self.state.borrow_mut().nodes.insert(*pointer, page.clone());
        Ok(page)
    }

    /// Reads a node, from its other place if the disk spoiled the first.
    pub(super) async fn read_node(&self, pointer: &Pointer) -> Result<Rc<Page>, StoreError> {
        let error = match self.read_block(pointer).await {
            Err(error) if error.is_of_medium() && self.is_twice(pointer) => error,
            read => return read,
        };
        let page = self.read_block(&pointer.by_twin()).await.map_err(|_| error)?;
        self.state.borrow_mut().spoil(pointer.address, pointer);
        Ok(page)
    }

    /// Whether a node is at its second place, too.
    pub(crate) fn is_twice(&self, pointer: &Pointer) -> bool {
        pointer.twin != 0 && pointer.birth <= self.state.borrow().durable.settled
    }

    /// Reads a block and looks whether it is the right one.
    pub(super) async fn read_block(&self, pointer: &Pointer) -> Result<Rc<Page>, StoreError> {
        let block = pointer.address;
        let blocks = self.state.borrow().space.layout.blocks();
        if Dirty::tree(pointer).is_some() || block >= blocks || pointer.is_none() {
            return Err(StoreError::Corrupt { block, fault: Fault::Address });
        }
        let mut page = Rc::new(Page::zeroed());
        let buffer = &mut Rc::make_mut(&mut page).0;
        self.disk.read(block, buffer).await.map_err(StoreError::disk(block))?;
        match pointer.matches(&page.0) {
            true => Ok(page),
            false => Err(StoreError::Corrupt { block, fault: Fault::Checksum }),
        }
    }
}

/// Copies to the beginning of a buffer, and says how much that is.
pub(super) fn copy(from: &[u8], into: &mut [u8]) -> Result<usize, StoreError> {
    let place = into.get_mut(..from.len()).ok_or(StoreError::Argument)?;
    place.copy_from_slice(from);
    Ok(from.len())
}
