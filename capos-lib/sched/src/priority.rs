//! Thread priorities, and the set of those that have something ready.

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

/// A set of priorities.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReadyBitmap(u32);

const _: () = assert!(PRIORITIES == u32::BITS as usize, "one bit for each priority");

impl ReadyBitmap {
    /// No priority.
    pub const EMPTY: ReadyBitmap = ReadyBitmap(0);

    /// Puts a priority in.
    #[inline]
    pub fn set(&mut self, priority: Priority) {
        self.0 |= 1 << priority.0;
    }

    /// Takes a priority out.
    #[inline]
    pub fn clear(&mut self, priority: Priority) {
        self.0 &= !(1 << priority.0);
    }

    /// Whether a priority is in.
    #[inline]
    pub fn contains(self, priority: Priority) -> bool {
        self.0 >> priority.0 & 1 != 0
    }

    /// The highest priority that is in.
    #[inline]
    pub fn highest(self) -> Option<Priority> {
        self.0.checked_ilog2().map(|number| Priority(number as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::{Priority, ReadyBitmap};

    #[test]
    fn there_are_32_priorities() {
        assert_eq!(Priority::new(31), Some(Priority::HIGHEST));
        assert_eq!(Priority::new(0), Some(Priority::LOWEST));
        assert_eq!((Priority::new(32), Priority::new(u8::MAX)), (None, None));
        assert!(Priority::HIGHEST > Priority::LOWEST);
    }

    #[test]
    fn an_empty_set_has_no_highest() {
        assert_eq!(ReadyBitmap::default().highest(), None);
    }

    #[test]
    fn the_highest_of_any_pair_is_the_higher() {
        for low in 0..32 {
            for high in low..32 {
                let mut set = ReadyBitmap::default();
                let (low, high) = (Priority::new(low).unwrap(), Priority::new(high).unwrap());
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
        set.set(Priority::HIGHEST);
        set.set(Priority::HIGHEST);
        set.clear(Priority::HIGHEST);
        set.clear(Priority::HIGHEST);
        assert_eq!(set, ReadyBitmap::default());
    }
}
