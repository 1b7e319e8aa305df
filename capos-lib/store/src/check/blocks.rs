//! A set of blocks.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Bits of a word.
const BITS: u64 = u64::BITS as u64;
/// Words of a piece: it is about as many blocks as a group has.
pub const WORDS: usize = 512;

/// A set of blocks, in pieces where there are any.
#[derive(Default)]
pub struct Blocks(BTreeMap<u64, Box<[u64; WORDS]>>);

impl Blocks {
    fn place(block: u64) -> (u64, usize, u64) {
        let words = WORDS as u64;
        let word = usize::try_from(block / BITS % words).unwrap_or(0);
        (block / BITS / words, word, 1 << (block % BITS))
    }

    /// Adds a block. False if it was there.
    pub fn insert(&mut self, block: u64) -> bool {
        let (piece, word, bit) = Blocks::place(block);
        let words = self.0.entry(piece).or_insert_with(|| Box::new([0; WORDS]));
        let Some(word) = words.get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Whether a block is there.
    pub fn contains(&self, block: u64) -> bool {
        let (piece, word, bit) = Blocks::place(block);
        let word = self.0.get(&piece).and_then(|words| words.get(word));
        word.is_some_and(|word| word & bit != 0)
    }

    /// The piece about a group, if it has any.
    pub fn piece(&self, group: u64) -> Option<&[u64; WORDS]> {
        self.0.get(&group).map(Box::as_ref)
    }

    /// The first piece from a group on that has blocks.
    pub fn next_piece(&self, group: u64) -> Option<u64> {
        self.0.range(group..).next().map(|(group, _)| *group)
    }

    /// All blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|(piece, words)| {
            (0u64..).zip(words.iter()).flat_map(move |(n, word)| {
                let first = (piece * WORDS as u64 + n) * BITS;
                (0..BITS).filter(move |bit| word >> bit & 1 != 0).map(move |bit| first + bit)
            })
        })
    }
}
