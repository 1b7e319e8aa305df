//! A bitmap with three summaries above it: bit `n` of a summary says whether word `n` of the level below has any bit set.

use core::ops::Range;

const WORD: usize = u64::BITS as usize;
const LEVELS: usize = 4;

/// Most bits that four levels cover from one word at the top.
pub(super) const MAX_BITS: usize = WORD.pow(LEVELS as u32);

/// Words of all levels together.
pub(super) const fn words_for(bits: usize) -> usize {
    let (mut total, mut words, mut level) = (0, bits, 0);
    while level < LEVELS {
        words = level_words(words);
        total += words;
        level += 1;
    }
    total
}

/// Words of the level above `below` bits; never zero, so that every level has a word to look at.
const fn level_words(below: usize) -> usize {
    let words = below.div_ceil(WORD);
    if words == 0 { 1 } else { words }
}

/// The words that a range of bits lies in, each with the mask of the bits that are meant.
fn masks(range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let words = if range.is_empty() { 0..0 } else { range.start / WORD..(range.end - 1) / WORD + 1 };
    words.map(move |at| {
        let low = range.start.saturating_sub(at * WORD);
        let high = (range.end - at * WORD).min(WORD);
        (at, (!0 << low) & (!0 >> (WORD - high)))
    })
}

/// A set of numbers below `bits`.
pub(super) struct Bitmap<'m> {
    levels: [&'m mut [u64]; LEVELS],
    bits: usize,
}

impl<'m> Bitmap<'m> {
    /// An empty set. `None` when `words` is too short.
    pub(super) fn new(words: &'m mut [u64], bits: usize) -> Option<Self> {
        let mut levels: [&'m mut [u64]; LEVELS] = [&mut [], &mut [], &mut [], &mut []];
        let (mut rest, mut below) = (words, bits);
        for level in &mut levels {
            below = level_words(below);
            let (mine, others) = rest.split_at_mut_checked(below)?;
            mine.fill(0);
            (*level, rest) = (mine, others);
        }
        Some(Bitmap { levels, bits })
    }

    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    /// Whether `bit` is in the set; false beyond the end.
    #[inline]
    pub(super) fn get(&self, bit: usize) -> bool {
        self.levels[0].get(bit / WORD).is_some_and(|word| word >> (bit % WORD) & 1 != 0)
    }

    /// Whether all of the range (inside the end) are in the set.
    pub(super) fn has_all(&self, range: Range<usize>) -> bool {
        masks(range).all(|(at, mask)| self.levels[0].get(at).is_some_and(|word| word & mask == mask))
    }

    /// Whether any of the range is in the set.
    pub(super) fn has_any(&self, range: Range<usize>) -> bool {
        masks(range).any(|(at, mask)| self.levels[0].get(at).is_some_and(|word| word & mask != 0))
    }

    /// Puts `bit` in; does nothing beyond the end.
    #[inline]
    pub(super) fn set(&mut self, bit: usize) {
        self.set_masked(bit / WORD, 1 << (bit % WORD));
    }

    /// Puts a range (inside the end) in.
    pub(super) fn set_range(&mut self, range: Range<usize>) {
        masks(range).for_each(|(at, mask)| self.set_masked(at, mask));
    }

    /// Takes `bit` out; does nothing beyond the end.
    #[inline]
    pub(super) fn clear(&mut self, bit: usize) {
        self.clear_masked(bit / WORD, 1 << (bit % WORD));
    }

    /// Takes a range (inside the end) out.
    pub(super) fn clear_range(&mut self, range: Range<usize>) {
        masks(range).for_each(|(at, mask)| self.clear_masked(at, mask));
    }

    #[inline]
    fn set_masked(&mut self, at: usize, mask: u64) {
        let (mut at, mut mask) = (at, mask);
        for level in &mut self.levels {
            let Some(word) = level.get_mut(at) else { return };
            let before = *word;
            *word |= mask;
            if before != 0 {
                return; // the summaries know already
            }
            (at, mask) = (at / WORD, 1 << (at % WORD));
        }
    }

    #[inline]
    fn clear_masked(&mut self, at: usize, mask: u64) {
        let (mut at, mut mask) = (at, mask);
        for level in &mut self.levels {
            let Some(word) = level.get_mut(at) else { return };
            *word &= !mask;
            if *word != 0 {
                return; // still something for the summaries to tell of
            }
            (at, mask) = (at / WORD, 1 << (at % WORD));
        }
    }

    /// The highest number in the set.
    #[inline]
    pub(super) fn highest(&self) -> Option<usize> {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let word = level.get(at)?;
            at = at * WORD + word.checked_ilog2()? as usize;
        }
        Some(at)
    }

    /// The lowest number in the set that is at least `from`.
    fn next_set(&self, from: usize) -> Option<usize> {
        let mut from = from;
        for height in 0..LEVELS {
            if let Some(found) = self.next_in_word(height, from) {
                return self.descend(height, found);
            }
            // Nothing left in this word: ask the summary for the next word that has something.
            from = from / WORD + 1;
        }
        None
    }

    /// The lowest bit of a level that is at least `from` and in the same word.
    fn next_in_word(&self, height: usize, from: usize) -> Option<usize> {
        let word = self.levels.get(height)?.get(from / WORD)? >> (from % WORD);
        if word == 0 { None } else { Some(from + word.trailing_zeros() as usize) }
    }

    /// The lowest number below the set bit `bit` of a level.
    fn descend(&self, height: usize, bit: usize) -> Option<usize> {
        let mut at = bit;
        for level in self.levels.get(..height)?.iter().rev() {
            at = at * WORD + level.get(at)?.trailing_zeros() as usize;
        }
        Some(at)
    }

    /// The lowest number not in the set that is at least `from`, looking no further than `end`.
    fn next_clear(&self, from: usize, end: usize) -> usize {
        let mut at = from;
        while at < end {
            let word = self.levels[0].get(at / WORD).map_or(0, |word| !word >> (at % WORD));
            if word != 0 {
                return end.min(at + word.trailing_zeros() as usize);
            }
            at = (at / WORD + 1) * WORD;
        }
        end
    }

    /// The start of the lowest `count` consecutive members that begins at a multiple of `align`.
    pub(super) fn lowest_run(&self, count: usize, align: usize) -> Option<usize> {
        if count == 0 || align == 0 {
            return None;
        }
        let mut from = 0;
        loop {
            let first = self.next_set(from)?;
            let start = first.checked_next_multiple_of(align)?;
            let end = start.checked_add(count).filter(|end| *end <= self.bits)?;
            let gap = self.next_clear(start.max(first), end);
            if gap == end {
                return Some(start);
            }
            from = gap + 1;
        }
    }
}
