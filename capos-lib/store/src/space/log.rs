//! What changed since the maps were written.

use super::layout::GROUP;
use alloc::vec::Vec;

/// Most entries that a superblock has room for.
pub const LOG_MAX: usize = 440;
/// Bits of the first block's number.
const START_BITS: u32 = 40;
/// Bits of the count: more than a group has blocks, and an extent lies within a group.
const COUNT_BITS: u32 = 16;
const GIVEN_BACK: u64 = 1 << 56;

/// Blocks one behind the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The first one.
    pub start: u64,
    /// How many.
    pub count: u64,
}

impl Span {
    /// The one behind them.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.count)
    }
}

/// Blocks that were taken or given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Which.
    pub span: Span,
    /// Whether they are free now.
    pub free: bool,
}

impl Extent {
    /// Its form in superblocks.
    pub fn to_word(self) -> u64 {
        let flag = if self.free { GIVEN_BACK } else { 0 };
        self.span.start | self.span.count.saturating_sub(1) << START_BITS | flag
    }

    /// From its form in superblocks of a volume with so many blocks.
    pub fn from_word(word: u64, blocks: u64) -> Option<Extent> {
        let start = word & ((1 << START_BITS) - 1);
        let count = ((word >> START_BITS) & ((1 << COUNT_BITS) - 1)) + 1;
        let rest = word >> START_BITS >> COUNT_BITS;
        let sound = rest <= 1 && start + count <= blocks && start / GROUP == (start + count - 1) / GROUP;
        sound.then_some(Extent { span: Span { start, count }, free: rest == 1 })
    }
}

/// Extents in the order of what happened to them, in the form that superblocks have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Log(Vec<u64>);

impl Log {
    /// From a superblock of a volume with so many blocks; `None` if something in it makes no sense.
    pub fn new(words: impl ExactSizeIterator<Item = u64>, blocks: u64) -> Option<Log> {
        let sound = |word: u64| Extent::from_word(word, blocks).map(|_| word);
        let log = Log(words.map(sound).collect::<Option<_>>()?);
        (log.len() <= LOG_MAX).then_some(log)
    }

    /// One more happening, joined with the one before it where that is the same.
    pub fn push(&mut self, extent: Extent) {
        if let Some(last) = self.0.last_mut()
            && let Some(before) = Extent::from_word(*last, u64::MAX)
            && before.free == extent.free
            && before.span.end() == extent.span.start
        {
            let span = Span { start: before.span.start, count: before.span.count + extent.span.count };
            *last = Extent { span, free: extent.free }.to_word();
            return;
        }
        self.0.push(extent.to_word());
    }

    /// What happened, from the first on.
    pub fn iter(&self) -> impl Iterator<Item = Extent> {
        self.0.iter().filter_map(|word| Extent::from_word(*word, u64::MAX))
    }

    /// The form that superblocks have.
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
