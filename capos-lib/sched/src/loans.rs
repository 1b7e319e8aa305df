//! The priorities that a thread was lent by those it works for.

use crate::priority::{Priority, Rank, ReadyBitmap};
use capos_abi::PRIORITIES;

/// Loans, counted by priority. While it has any, a thread runs at least at the highest.
pub struct Loans {
    counts: [u16; PRIORITIES],
    any: ReadyBitmap,
}

impl Default for Loans {
    fn default() -> Self {
        Self::none()
    }
}

impl Loans {
    /// None yet.
    pub const fn none() -> Self {
        Loans { counts: [0; PRIORITIES], any: ReadyBitmap::EMPTY }
    }

    /// One more. There are never more of them than calls, which endpoints bound far below what is counted; should it come to that, the
    /// loan is not counted and ends early.
    pub fn take(&mut self, priority: Priority) {
        let count = self.count(priority);
        *count = count.saturating_add(1);
        self.any.set(Rank::new(priority, false));
    }

    /// One is over.
    pub fn give_back(&mut self, priority: Priority) {
        let count = self.count(priority);
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.any.clear(Rank::new(priority, false));
        }
    }

    /// The highest.
    pub fn highest(&self) -> Option<Priority> {
        self.any.highest().map(Rank::priority)
    }

    fn count(&mut self, priority: Priority) -> &mut u16 {
        // The index is below the length; the array cannot be left.
        &mut self.counts[priority.index()]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Loans;
    use crate::Priority;

    fn priority(number: u8) -> Priority {
        Priority::new(number).unwrap()
    }

    #[test]
    fn the_highest_loan_counts_until_the_last_of_it_is_over() {
        let mut loans = Loans::default();
        assert_eq!(loans.highest(), None);
        for number in [3, 9, 9, 31] {
            loans.take(priority(number));
        }
        let mut left = [(31, Some(9)), (9, Some(9)), (9, Some(3)), (3, None)].into_iter();
        assert_eq!(loans.highest(), Some(priority(31)));
        assert!(left.all(|(over, highest)| {
            loans.give_back(priority(over));
            loans.highest() == highest.map(priority)
        }));
    }

    #[test]
    fn giving_back_what_was_never_lent_changes_nothing() {
        let mut loans = Loans::none();
        loans.give_back(priority(5));
        assert_eq!(loans.highest(), None);
        loans.take(priority(5));
        assert_eq!(loans.highest(), Some(priority(5)));
    }
}
