//! Thread priorities, places in a run queue, and the set of those where something is ready.

use capos_abi::PRIORITIES;

/// A thread's priority; larger runs first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Priority(u8);

impl Priority {
    /// Runs when nothing else does.
    pub const LOWEST: Priority = Priority(0);
    /// Runs before everything else.
    pub const HIGHEST: Priority = Priority(PRIORITIES as u8 - 1);

    /// The priority of that number, if there is one.
    pub const fn new(number: u8) -> Option<Priority> {
        if number <= Priority::HIGHEST.0 { Some(Priority(number)) } else { None }
    }

    /// Its number.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its place in an array of [`PRIORITIES`]. The remainder changes nothing; it saves the check of the bounds.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize % PRIORITIES
    }
}

/// A place in a run queue; larger runs first. By priority, and within one those to whom time was promised (see [`crate::Bucket`]) before
/// those who take what is left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rank(u8);

/// How many ranks there are.
pub const RANKS: usize = 2 * PRIORITIES;

impl Rank {
    /// The rank of a priority, with or without a promise.
    #[inline]
    pub const fn new(priority: Priority, promised: bool) -> Rank {
        Rank(priority.0 << 1 | promised as u8)
    }

    /// The rank of that number; numbers go round.
    #[inline]
    pub const fn from_number(number: u8) -> Rank {
        Rank(number % RANKS as u8)
    }

    /// Its number, below [`RANKS`].
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its priority.
    #[inline]
    pub const fn priority(self) -> Priority {
        Priority(self.0 >> 1)
    }

    /// Whether time was promised.
    #[inline]
    pub const fn is_promised(self) -> bool {
        self.0 & 1 != 0
    }

    /// Its place in an array of [`RANKS`]. The remainder changes nothing; it saves the check of the bounds.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize % RANKS
    }
}

/// A set of ranks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReadyBitmap(u64);

const _: () = assert!(RANKS == u64::BITS as usize, "one bit for each rank");

impl ReadyBitmap {
    /// No rank.
    pub const EMPTY: ReadyBitmap = ReadyBitmap(0);

    /// Puts a rank in.
    #[inline]
    pub fn set(&mut self, rank: Rank) {
        self.0 |= 1 << rank.0;
    }

    /// Takes a rank out.
    #[inline]
    pub fn clear(&mut self, rank: Rank) {
        self.0 &= !(1 << rank.0);
    }

    /// Whether a rank is in.
    #[inline]
    pub fn contains(self, rank: Rank) -> bool {
        self.0 >> rank.0 & 1 != 0
    }

    /// The highest rank that is in.
    #[inline]
    pub fn highest(self) -> Option<Rank> {
        self.0.checked_ilog2().map(|number| Rank(number as u8))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Priority, RANKS, Rank, ReadyBitmap};

    #[test]
    fn there_are_32_priorities() {
        assert_eq!(Priority::new(31), Some(Priority::HIGHEST));
        assert_eq!(Priority::new(0), Some(Priority::LOWEST));
        assert_eq!((Priority::new(32), Priority::new(u8::MAX)), (None, None));
        assert!(Priority::HIGHEST > Priority::LOWEST);
    }

    #[test]
    fn a_promise_goes_first_among_equals_and_never_before_a_higher_priority() {
        let of = |number: u8, promised| Rank::new(Priority::new(number).unwrap(), promised);
        assert!(of(5, true) > of(5, false));
        assert!(of(6, false) > of(5, true));
        for number in 0..RANKS as u8 {
            let rank = Rank::from_number(number);
            assert_eq!((Rank::new(rank.priority(), rank.is_promised()), rank.number()), (rank, number));
        }
    }

    #[test]
    fn an_empty_set_has_no_highest() {
        assert_eq!(ReadyBitmap::default().highest(), None);
    }

    #[test]
    fn the_highest_of_any_pair_is_the_higher() {
        for low in 0..RANKS as u8 {
            for high in low..RANKS as u8 {
                let mut set = ReadyBitmap::default();
                let (low, high) = (Rank::from_number(low), Rank::from_number(high));
                set.set(low);
                set.set(high);
                assert!(set.contains(low) && set.contains(high));
                assert_eq!(set.highest(), Some(high));
                set.clear(high);
                assert_eq!(set.highest(), (low != high).then_some(low));
            }
        }
    }

    #[test]
    fn putting_in_or_taking_out_twice_is_the_same_as_once() {
        let mut set = ReadyBitmap::default();
        let highest = Rank::new(Priority::HIGHEST, true);
        set.set(highest);
        set.set(highest);
        set.clear(highest);
        set.clear(highest);
        assert_eq!(set, ReadyBitmap::default());
    }
}
