//! A small generator of random numbers (xorshift64*, Vigna 2016): fast, repeatable, not for keys.

/// The generator.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

/// Values at which checks of ranges go wrong.
const EDGES: [u64; 20] = [
    0,
    1,
    7,
    8,
    63,
    64,
    127,
    4095,
    4096,
    4097,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff8,
    0xffff_ffff,
    0x7fff_ffff_f000,
    0xffff_8000_0000_0000,
    u64::MAX - 7,
    u64::MAX,
];

/// One step of splitmix64 (Steele, Lea and Flood 2014).
#[inline]
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Rng {
    /// From a seed; every seed gives another sequence.
    pub fn new(seed: u64) -> Rng {
        // Mixed, so that neighbouring seeds have nothing in common. The state must not be zero.
        Rng { state: mix(seed) | 1 }
    }

    /// The next 64 bits.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`; 0 when there is none.
    #[inline]
    pub fn below(&mut self, limit: u32) -> u32 {
        (((self.draw() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// True `n` times of `of`.
    #[inline]
    pub fn chance(&mut self, n: u32, of: u32) -> bool {
        self.below(of) < n
    }

    /// One of several.
    #[inline]
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let index = self.below(u32::try_from(choices.len()).ok()?) as usize;
        choices.get(index).copied()
    }

    /// An edge, or a neighbour of one, or anything.
    pub fn edge(&mut self) -> u64 {
        match self.below(4) {
            0 => self.draw(),
            1 => self.draw() >> self.below(64),
            2 => self.pick(&EDGES).unwrap_or(0),
            _ => self.pick(&EDGES).unwrap_or(0).wrapping_add(self.draw() & 15).wrapping_sub(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn a_seed_tells_the_whole_sequence() {
        let run = |seed| {
            let mut rng = Rng::new(seed);
            [(); 8].map(|()| rng.draw())
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert_ne!(run(0), [0; 8]);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rng = Rng::new(1);
        let mut seen = [0u32; 5];
        for _ in 0..1000 {
            seen[rng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn edges_contain_the_extremes() {
        let mut rng = Rng::new(3);
        let values = [(); 4000].map(|()| rng.edge());
        for wanted in [0, 4096, u64::from(u32::MAX), u64::MAX] {
            assert!(values.contains(&wanted), "{wanted:x}");
        }
    }

    #[test]
    fn picking_from_nothing_gives_nothing() {
        assert_eq!(Rng::new(1).pick::<u8>(&[]), None);
    }
}
