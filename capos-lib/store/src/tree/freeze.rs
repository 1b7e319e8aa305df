//! Giving addresses to nodes of a transaction, children before their parents, since a parent has its children's checksums.

use super::{Dirty, Root};
use crate::node::Page;
use crate::pointer::Pointer;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// A node that is to be written.
pub type Written = (Pointer, Rc<Page>);

impl Dirty {
    /// Takes all nodes of a tree out. `places` gives each the block where it goes, and that of its
    /// twin, or none if there are no more.
    pub fn freeze(
        &mut self,
        root: &mut Root,
        birth: u64,
        places: &mut impl Iterator<Item = (u64, u64)>,
        out: &mut Vec<Written>,
    ) -> Option<()> {
        root.pointer = self.freeze_node(root.pointer, birth, places, out)?;
        Some(())
    }

    /// A tree has few levels, so this is never deep.
    fn freeze_node(
        &mut self,
        at: Pointer,
        birth: u64,
        places: &mut impl Iterator<Item = (u64, u64)>,
        out: &mut Vec<Written>,
    ) -> Option<Pointer> {
        let Some(mut page) = self.take(&at) else { return Some(at) };
        if page.level() > 0 {
            for index in 0..page.count() {
                if page.leads_to_memory(index) {
                    let pointer = self.freeze_node(page.pointer(index), birth, places, out)?;
                    Rc::make_mut(&mut page).set_pointer(index, pointer);
                }
            }
        }
        let checksum = crate::pointer::checksum(&page.0);
        let (address, twin) = places.next()?;
        let pointer = Pointer { address, birth, checksum, twin };
        out.push((pointer, page));
        Some(pointer)
    }
}
