//! The pool.

use crate::blake2s::{KEY, keyed};

/// Bytes of one feed. A feed is this much at once or nothing: who can guess the pool and sees what leaves it could follow it through
/// changes that are small enough to try them all.
pub const FEED: usize = 64;

/// What was mixed in so far, as a key that nobody sees.
///
/// Texts of each kind have a length of their own (a feed 64 bytes, fresh bytes 32, a block's number 8, a use 1), so none is one of another kind.
#[derive(Debug)]
pub struct Pool {
    key: [u8; KEY],
    fed: u64,
}

/// What the bytes of one answer are hidden under; for that answer only.
#[derive(Debug)]
pub struct Mask([u8; KEY]);

impl Pool {
    /// Nothing was mixed in.
    pub const fn new() -> Self {
        Pool { key: [0; KEY], fed: 0 }
    }

    /// Mixes bytes in that may be known to anybody. As the hash has a key, what nobody could guess before nobody can guess afterwards.
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8; FEED]) {
        self.key = keyed(&self.key, bytes);
        self.fed = self.fed.saturating_add(1);
    }

    /// How often it was fed.
    pub fn fed(&self) -> u64 {
        self.fed
    }

    /// A mask that was never there before. Mixes `fresh` bytes of the processor in, and leaves nothing that would tell the mask.
    pub fn draw(&mut self, fresh: &[u8; KEY]) -> Mask {
        let root = keyed(&self.key, fresh);
        self.key = keyed(&root, &[0]);
        Mask(keyed(&root, &[1]))
    }
}

impl Default for Pool {
    fn default() -> Self {
        Pool::new()
    }
}

impl Mask {
    /// Hides `bytes`.
    pub fn apply(&self, bytes: &mut [u8]) {
        for (number, block) in bytes.chunks_mut(KEY).enumerate() {
            let hides = keyed(&self.0, &(number as u64).to_le_bytes());
            block.iter_mut().zip(hides).for_each(|(byte, with)| *byte ^= with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FEED, Pool};
    use std::collections::BTreeSet;
    use std::vec;
    use std::vec::Vec;

    const FRESH: [u8; 32] = [7; 32];

    /// What leaves a pool for 100 bytes of the processor that are all the same.
    fn out(pool: &mut Pool, byte: u8) -> Vec<u8> {
        let mut bytes = vec![byte; 100];
        pool.draw(&FRESH).apply(&mut bytes);
        bytes
    }

    fn after(feeds: &[[u8; FEED]]) -> Pool {
        let mut pool = Pool::new();
        feeds.iter().for_each(|feed| pool.feed(feed));
        pool
    }

    #[test]
    fn equal_feeds_in_the_same_order_give_equal_bytes_and_others_give_others() {
        let mut last_bit = [1; FEED];
        last_bit[FEED - 1] ^= 0x80;
        let histories: [&[[u8; FEED]]; 7] = [
            &[],
            &[[1; FEED]],
            &[last_bit],
            &[[0; FEED]],
            &[[1; FEED]; 2],
            &[[1; FEED], [2; FEED]],
            &[[2; FEED], [1; FEED]],
        ];
        let outs = histories.map(|feeds| out(&mut after(feeds), 0));
        assert_eq!(outs, histories.map(|feeds| out(&mut after(feeds), 0)));
        assert_eq!(BTreeSet::from(outs).len(), 7);
        assert_eq!(histories.map(|feeds| after(feeds).fed()), [0, 1, 1, 1, 2, 2, 2]);
    }

    /// Whatever was fed: to different bytes of the processor belong different bytes, as many, so no guess at them got better.
    #[test]
    fn what_leaves_is_the_processors_bytes_under_a_mask_that_does_not_depend_on_them() {
        for feeds in [0, 1, 1000] {
            let feeds = vec![[0; FEED]; feeds];
            let hidden = out(&mut after(&feeds), 0);
            for byte in [1, 0x55, 0xff] {
                let other: Vec<u8> = hidden.iter().map(|it| it ^ byte).collect();
                assert_eq!(out(&mut after(&feeds), byte), other);
            }
        }
    }

    #[test]
    fn a_flood_of_known_bytes_does_not_bring_two_pools_together() {
        let (mut one, mut other) = (after(&[[1; FEED]]), after(&[[2; FEED]]));
        let mut seen = BTreeSet::new();
        for _ in 0..10_000 {
            one.feed(&[0; FEED]);
            other.feed(&[0; FEED]);
            assert!(seen.insert(one.key) && seen.insert(other.key), "the same key again");
        }
        assert_ne!(out(&mut one, 0), out(&mut other, 0));
    }

    #[test]
    fn no_mask_comes_twice_and_no_block_repeats() {
        let mut pool = Pool::new();
        let mut blocks = BTreeSet::new();
        for _ in 0..100 {
            let bytes = out(&mut pool, 0);
            assert!(bytes.chunks_exact(32).all(|block| blocks.insert(block.to_vec())));
        }
        // Who reads the pool afterwards finds nothing that was a mask.
        let mut copy = Pool { key: pool.key, fed: 0 };
        assert_eq!(out(&mut copy, 0), out(&mut pool, 0));
        assert!(!blocks.contains(&pool.key[..]));
    }

    #[test]
    fn what_the_processor_gave_once_counts_from_then_on() {
        let (mut one, mut other) = (Pool::new(), Pool::new());
        one.draw(&[1; 32]);
        other.draw(&[2; 32]);
        assert_ne!(out(&mut one, 0), out(&mut other, 0));
    }
}
