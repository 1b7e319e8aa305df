//! Reading a page. One that was validated has an answer to everything; another one answers nothing rather than panic.

use super::{HEADER, LENGTHS, SLOT, TAG};
use crate::disk::BLOCK;
use crate::pointer::Pointer;

/// A block in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Page(pub(crate) [u8; BLOCK]);

pub(super) const LEVEL: usize = 4;
pub(super) const COUNT: usize = 8;
pub(super) const HEAP: usize = 10;
pub(super) const LIVE: usize = 12;

impl Page {
    /// Zeros: no node yet.
    pub fn zeroed() -> Page {
        Page([0; BLOCK])
    }

    /// An empty node.
    pub fn node(level: u8) -> Page {
        let mut page = Page::zeroed();
        let header = page.0.first_chunk_mut::<5>();
        if let Some([tag @ .., at_level]) = header {
            *tag = TAG;
            *at_level = level;
        }
        page.set_number(HEAP, BLOCK);
        page
    }

    /// A number of the header, an offset, a length.
    pub(super) fn number(&self, at: usize) -> usize {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)))
    }

    pub(super) fn set_number(&mut self, at: usize, value: usize) {
        let bytes = self.0.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
        if let (Some(bytes), Ok(value)) = (bytes, u16::try_from(value)) {
            *bytes = u16::to_le_bytes(value);
        }
    }

    pub(super) fn tag(&self) -> Option<&[u8; 4]> {
        self.0.first_chunk()
    }

    /// 0 for a leaf.
    pub fn level(&self) -> u8 {
        self.0.get(LEVEL).copied().unwrap_or(0)
    }

    /// How many entries it has.
    pub fn count(&self) -> usize {
        self.number(COUNT)
    }

    /// Bytes of its entries, with their offsets.
    pub fn used(&self) -> usize {
        self.number(LIVE) + SLOT * self.count()
    }

    pub(super) fn offset(&self, index: usize) -> usize {
        self.number(HEADER + SLOT * index)
    }

    /// Where an entry begins, and how long its key and its value are.
    pub(super) fn entry(&self, index: usize) -> (usize, usize, usize) {
        let at = self.offset(index);
        (at + LENGTHS, self.number(at), self.number(at + 2))
    }

    /// The key of an entry; empty where there is none.
    pub fn key(&self, index: usize) -> &[u8] {
        let (at, key, _) = self.entry(index);
        self.0.get(at..at + key).unwrap_or_default()
    }

    /// The value of an entry; empty where there is none.
    pub fn value(&self, index: usize) -> &[u8] {
        let (at, key, value) = self.entry(index);
        self.0.get(at + key..at + key + value).unwrap_or_default()
    }

    /// Whether an entry of an inner node leads to a node that has no address yet: whether the last byte of the address has its top bit.
    pub fn leads_to_memory(&self, index: usize) -> bool {
        let (at, key, _) = self.entry(index);
        self.0.get(at + key + 7).is_some_and(|byte| byte >> 7 != 0)
    }

    /// Where an entry of an inner node leads.
    pub fn pointer(&self, index: usize) -> Pointer {
        Pointer::from_node(self.value(index)).unwrap_or(Pointer::NONE)
    }

    /// The first eight bytes of an entry's key as a number that is ordered as they are; zeros follow a shorter one.
    fn head(&self, index: usize) -> u64 {
        let (at, key, _) = self.entry(index);
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        match (bytes, u32::try_from(8 * key)) {
            (Some(bytes), Ok(bits)) => u64::from_be_bytes(*bytes) & !u64::MAX.checked_shr(bits).unwrap_or(0),
            _ => head(self.key(index)),
        }
    }

    /// The entry with this key, or else where it would be.
    pub fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count());
        let first = head(key);
        while low < high {
            let middle = low.midpoint(high);
            // Mostly the first bytes decide, which is much cheaper.
            match self.head(middle).cmp(&first).then_with(|| self.key(middle).cmp(key)) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Equal => return Ok(middle),
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The entry of an inner node below which `key` is.
    pub fn child(&self, key: &[u8]) -> usize {
        self.find(key).unwrap_or_else(|after| after.saturating_sub(1))
    }
}

/// The first eight bytes of a key as a number; zeros follow a shorter one.
fn head(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            key.iter().zip([56, 48, 40, 32, 24, 16, 8]).map(|(byte, shift)| u64::from(*byte) << shift).sum()
        }
    }
}
