//! Who owns which part of a message arena.
//!
//! A ring block's arena (architecture, section 3) holds messages from a few words to 4 KiB, several at once. This map hands out
//! runs of 64-byte blocks, first fit, with one bit per block. It touches no arena memory: offsets in, offsets out, so it is
//! tested on the host and the same code serves every thread.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

/// Bytes of one block: a cache line, and the alignment of everything handed out.
pub const BLOCK: u32 = 64;

/// Most arena bytes that one map can describe: the largest arena the ABI allows, 256 pages.
pub const MAX_LEN: u32 = (WORDS as u32) * 64 * BLOCK;

const WORDS: usize = 256;

/// A run of blocks that belongs to one owner. Give it back with [`ArenaMap::free`].
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    offset: u32,
    len: u32,
}

impl Run {
    /// Offset of its first byte, a multiple of [`BLOCK`].
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Length in bytes, a multiple of [`BLOCK`].
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Never: a run has at least one block.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The map: a set bit is a block in use (or one that does not exist).
pub struct ArenaMap {
    words: [u64; WORDS],
    used_words: usize,
    free_blocks: u32,
}

impl ArenaMap {
    /// A map in which nothing is free; [`ArenaMap::add`] says what is.
    pub const fn empty() -> Self {
        ArenaMap { words: [u64::MAX; WORDS], used_words: 0, free_blocks: 0 }
    }

    /// Makes the whole blocks inside `offset..end` available.
    pub fn add(&mut self, offset: u32, end: u32) {
        let first = offset.div_ceil(BLOCK);
        let last = end.min(MAX_LEN) / BLOCK;
        self.mark(first, last, false);
        self.used_words = self.used_words.max(last.div_ceil(64) as usize);
        self.free_blocks += last.saturating_sub(first);
    }

    /// Blocks nobody owns, in bytes.
    pub fn free_bytes(&self) -> u32 {
        self.free_blocks * BLOCK
    }

    /// Takes the first run of at least `len` bytes (at least one block), or `None` when there is none that long.
    pub fn take(&mut self, len: u32) -> Option<Run> {
        let blocks = len.div_ceil(BLOCK).max(1);
        let first = self.find(blocks)?;
        self.mark(first, first + blocks, true);
        self.free_blocks -= blocks;
        Some(Run { offset: first * BLOCK, len: blocks * BLOCK })
    }

    /// Takes a run back.
    pub fn free(&mut self, run: Run) {
        self.mark(run.offset / BLOCK, (run.offset + run.len) / BLOCK, false);
        self.free_blocks += run.len / BLOCK;
    }

    /// First block of the first `blocks` free ones in a row.
    fn find(&self, blocks: u32) -> Option<u32> {
        let end = self.used_words as u32 * 64;
        let mut from = 0;
        while from + blocks <= end {
            let start = self.next(from, end, false);
            let stop = self.next(start, end.min(start + blocks), true);
            if stop - start == blocks {
                return Some(start);
            }
            from = stop.max(start + 1);
        }
        None
    }

    /// The first block in `from..end` that is used (or that is free), else `end`. A word at a time.
    fn next(&self, from: u32, end: u32, used: bool) -> u32 {
        let mut block = from;
        while block < end {
            let Some(word) = self.words.get((block / 64) as usize) else { break };
            let wanted = if used { *word } else { !*word };
            let skip = (wanted >> (block % 64)).trailing_zeros();
            if skip < 64 {
                return (block + skip).min(end);
            }
            block = (block / 64 + 1) * 64;
        }
        end
    }

    /// Marks the blocks `first..last`, a word at a time.
    fn mark(&mut self, first: u32, last: u32, used: bool) {
        let mut block = first;
        while block < last {
            let low = block % 64;
            let count = (64 - low).min(last - block);
            let mask = (u64::MAX >> (64 - count)) << low;
            if let Some(word) = self.words.get_mut((block / 64) as usize) {
                *word = if used { *word | mask } else { *word & !mask };
            }
            block += count;
        }
    }
}

#[cfg(test)]
mod tests;
