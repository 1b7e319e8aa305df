//! What changed since the maps were written.

use super::layout::GROUP;
use alloc::vec::Vec;

/// Most entries that a superblock has room for.
pub const LOG_MAX: usize = 448;
/// Most blocks of one entry.
const SPAN_MAX: u64 = 1 << 16;
const START_BITS: u32 = 40;
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
        let count = ((word >> START_BITS) & (SPAN_MAX - 1)) + 1;
        let rest = word >> START_BITS >> SPAN_MAX.trailing_zeros();
        let sound = rest <= 1 && start + count <= blocks && start / GROUP == (start + count - 1) / GROUP;
        sound.then_some(Extent { span: Span { start, count }, free: rest == 1 })
    }
}

/// Extents in the order of what happened to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Log(Vec<Extent>);

impl Log {
    /// One more happening, joined with the one before it where that is the same.
    pub fn push(&mut self, extent: Extent) {
        if let Some(last) = self.0.last_mut()
            && last.free == extent.free
            && last.span.end() == extent.span.start
            && last.span.count + extent.span.count <= SPAN_MAX
        {
            last.span.count += extent.span.count;
            return;
        }
        self.0.push(extent);
    }

    /// What happened, from the first on.
    pub fn iter(&self) -> impl Iterator<Item = Extent> {
        self.0.iter().copied()
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

impl FromIterator<Extent> for Log {
    fn from_iter<I: IntoIterator<Item = Extent>>(extents: I) -> Log {
        Log(extents.into_iter().collect())
    }
}
