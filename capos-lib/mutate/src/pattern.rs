//! Patterns by which whoever watches memory from outside recognises what hostile DMA did. Both sides compute them from one seed at
//! run time, so no image holds one, and a page that does got it from somebody.

use crate::rng::mix;

/// Words of a pattern.
pub const WORDS: usize = 8;
/// Bytes of a pattern.
pub const BYTES: usize = 8 * WORDS;
/// Where the mark stands in a page: at its end, so that buffers are used from their beginning.
pub const MARK_AT: usize = 4096 - BYTES;

/// What a pattern is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Stands at [`MARK_AT`] in every page that a driver was granted for DMA, and nowhere else.
    Grant,
    /// What hostile DMA writes: nobody but the driver stores it, and only into its grant.
    Bait,
    /// What hostile DMA tries to read: the watcher plants it where nobody was granted anything.
    Secret,
}

impl Pattern {
    /// Word `index` of the pattern, little-endian in memory. One at a time, so that whoever stores it has it in registers only.
    #[inline]
    pub fn word(self, seed: u64, index: usize) -> u64 {
        let name = match self {
            Pattern::Grant => 0x6772_616e_7400_0000,
            Pattern::Bait => 0x6261_6974_0000_0000,
            Pattern::Secret => 0x7365_6372_6574_0000,
        };
        mix(mix(seed) ^ name ^ index as u64)
    }

    /// The pattern as it stands in memory: for those who only look.
    pub fn bytes(self, seed: u64) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        for (index, word) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *word = self.word(seed, index).to_le_bytes();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_every_pattern_of_every_seed_is_its_own() {
        let all = [Pattern::Grant, Pattern::Bait, Pattern::Secret];
        let words = |seed| all.into_iter().flat_map(move |one| (0..WORDS).map(move |at| one.word(seed, at)));
        let mut seen: [u64; 96] = core::array::from_fn(|_| 0);
        for (slot, word) in seen.iter_mut().zip((0..4).flat_map(words)) {
            *slot = word;
        }
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]) && seen[0] != 0);
    }

    #[test]
    fn bytes_are_the_words_as_they_stand_in_memory() {
        let bytes = Pattern::Bait.bytes(7);
        assert_eq!(bytes[8..16], Pattern::Bait.word(7, 1).to_le_bytes());
        assert_eq!(bytes, Pattern::Bait.bytes(7));
        assert_ne!(bytes, Pattern::Bait.bytes(8));
        assert_eq!(MARK_AT, 4032);
    }
}
