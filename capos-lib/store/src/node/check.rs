//! Whether a block is a sound node. It is looked at once, when it is read; whatever it holds, reading it afterwards stays within it.

use super::page::{HEAP, LIVE};
use super::{CAPACITY, HEADER, KEY_MAX, LENGTHS, Page, SLOT, TAG, VALUE_MAX};
use crate::disk::BLOCK;
use crate::error::Fault;
use crate::pointer::Pointer;

/// What a node's parent says of it, and its volume.
pub struct Expected<'k> {
    /// Its level.
    pub level: u8,
    /// No key is smaller.
    pub low: &'k [u8],
    /// Every key is smaller, if anything is said.
    pub high: Option<&'k [u8]>,
    /// Blocks of the volume.
    pub blocks: u64,
}

/// Looks at all of a node.
pub fn validate(page: &Page, expected: &Expected<'_>) -> Result<(), Fault> {
    if page.tag() != Some(&TAG) {
        return Err(Fault::NotANode);
    }
    if page.level() != expected.level {
        return Err(Fault::Level);
    }
    let (count, heap) = (page.count(), page.number(HEAP));
    if count * SLOT > CAPACITY || heap < HEADER + SLOT * count || heap > BLOCK {
        return Err(Fault::Layout);
    }
    // Only a volume's first leaf may be empty, and then there is no node at all.
    if count == 0 {
        return Err(Fault::Count);
    }
    let mut live = 0;
    let mut before: Option<&[u8]> = None;
    for index in 0..count {
        let key = entry(page, index, heap, expected)?;
        if before.is_some_and(|before| before >= key) {
            return Err(Fault::Order);
        }
        before = Some(key);
        live += LENGTHS + key.len() + page.value(index).len();
    }
    let above = expected.high.is_some_and(|high| before.is_some_and(|last| last >= high));
    let below = match page.level() {
        0 => page.key(0) < expected.low,
        _ => !page.key(0).is_empty() || count > 1 && page.key(1) <= expected.low,
    };
    if above || below {
        return Err(Fault::Order);
    }
    match live == page.number(LIVE) && page.used() <= CAPACITY {
        true => Ok(()),
        false => Err(Fault::Layout),
    }
}

/// The key of an entry that lies where it can.
fn entry<'p>(page: &'p Page, index: usize, heap: usize, expected: &Expected<'_>) -> Result<&'p [u8], Fault> {
    let (at, key, value) = page.entry(index);
    let lies = at >= heap + LENGTHS && at + key + value <= BLOCK;
    if !lies || key > KEY_MAX || value > VALUE_MAX {
        return Err(Fault::Layout);
    }
    if expected.level > 0 {
        let pointer = Pointer::from_node(page.value(index)).ok_or(Fault::Layout)?;
        if !pointer.is_node(expected.blocks) {
            return Err(Fault::Address);
        }
    }
    Ok(page.key(index))
}
