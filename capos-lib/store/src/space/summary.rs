//! The nodes above the bitmaps.

use crate::node::Page;
use crate::pointer::checksum;
use alloc::rc::Rc;

/// Entries of a node.
pub const FANOUT: u64 = 256;
/// Bytes of an entry: checksum, blocks taken (32 bits), copy, three zero bytes.
const ENTRY: usize = 16;

/// A checksum that no map has, but for one chance in 2^64.
const NEVER: u64 = 0;

/// What a map's parent says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// Of its block.
    pub checksum: u64,
    /// Blocks that are taken below it, without those with a fixed use.
    pub used: u64,
    /// Which of its copies counts: 1 or 2; 0 if none was written, and all is free below it.
    pub copy: u8,
}

impl Entry {
    /// For a block that is to be written to the other copy.
    pub fn next(&self, page: &Page, used: u64) -> Entry {
        Entry { checksum: checksum(&page.0), used, copy: if self.copy == 1 { 2 } else { 1 } }
    }

    /// For a map that is lost: what it holds does not have this checksum, now or later.
    pub fn lost(&self) -> Entry {
        Entry { checksum: NEVER, copy: self.copy.max(1), ..*self }
    }

    /// Whether it can be one.
    pub fn is_sound(&self) -> bool {
        self.copy <= 2 && (self.copy > 0 || *self == Entry::default())
    }
}

/// A node.
#[derive(Clone)]
pub struct Summary(pub Rc<Page>);

impl Summary {
    /// One of its 256 entries.
    pub fn entry(&self, index: u64) -> Entry {
        let at = usize::try_from(index % FANOUT).unwrap_or(0) * ENTRY;
        let bytes = self.0.0.get(at..).and_then(|rest| rest.first_chunk::<ENTRY>());
        bytes.map_or(Entry::default(), |bytes| {
            let [a, b, c, d, e, f, g, h, i, j, k, l, copy, ..] = *bytes;
            Entry {
                checksum: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                used: u64::from(u32::from_le_bytes([i, j, k, l])),
                copy,
            }
        })
    }

    /// Writes one of its entries.
    pub fn set(&mut self, index: u64, entry: Entry) {
        let at = usize::try_from(index % FANOUT).unwrap_or(0) * ENTRY;
        let Some(bytes) =
            Rc::make_mut(&mut self.0).0.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<ENTRY>())
        else {
            return;
        };
        let [a, b, c, d, e, f, g, h] = entry.checksum.to_le_bytes();
        let [i, j, k, l] = u32::try_from(entry.used).unwrap_or(u32::MAX).to_le_bytes();
        *bytes = [a, b, c, d, e, f, g, h, i, j, k, l, entry.copy, 0, 0, 0];
    }

    /// Blocks that are taken below it.
    pub fn used(&self) -> u64 {
        (0..FANOUT).map(|index| self.entry(index).used).sum()
    }

    /// Whether all entries can be ones.
    pub fn is_sound(&self) -> bool {
        (0..FANOUT).all(|index| self.entry(index).is_sound())
    }
}
