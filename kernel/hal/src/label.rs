//! Numbers that tell objects apart for who looks at the system.

use crate::atomics::AtomicU64;
use core::sync::atomic::Ordering;

/// The number given last.
static LAST: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

/// An object's number. It has none until somebody asks, so that making an object costs nothing.
pub struct Label(AtomicU64);

impl Label {
    /// None yet.
    pub const fn new() -> Self {
        Label(AtomicU64::new(0))
    }

    /// The number: the same whenever it is asked for, and no other object's, ever. Never 0.
    pub fn number(&self) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => self.choose(),
            number => number,
        }
    }

    fn choose(&self) -> u64 {
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        // Somebody else may have been asking, too: then it is his.
        let chosen = self.0.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        chosen.map_or_else(|other| other, |_| number)
    }
}

impl Default for Label {
    fn default() -> Self {
        Label::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Label;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    #[test]
    fn a_number_stays_and_is_nobody_else_s() {
        let labels: Vec<Label> = (0..100).map(|_| Label::new()).collect();
        let numbers: Vec<u64> = labels.iter().map(Label::number).collect();
        assert_eq!(numbers, labels.iter().map(Label::number).collect::<Vec<_>>());
        let different: BTreeSet<u64> = numbers.into_iter().collect();
        assert!(different.len() == 100 && !different.contains(&0));
    }

    #[test]
    fn who_comes_second_takes_the_first_s() {
        let label = Label::new();
        // Both have seen that there is none.
        assert_eq!((label.choose(), label.choose()), (label.number(), label.number()));
    }

    #[test]
    fn all_who_ask_at_once_hear_the_same() {
        for _ in 0..if cfg!(miri) { 5 } else { 200 } {
            let label = Label::new();
            let numbers: BTreeSet<u64> = std::thread::scope(|scope| {
                let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| label.number())).collect();
                asking.into_iter().map(|one| one.join().expect("a number")).collect()
            });
            assert_eq!(numbers.len(), 1);
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::Label;
    use core::sync::atomic::Ordering;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn all_who_ask_for_a_number_hear_the_same() {
        loom::model(|| {
            let label = Arc::new(Label::new());
            assert_eq!(label.0.load(Ordering::Relaxed), 0);
            let other = label.clone();
            let theirs = thread::spawn(move || other.number());
            let mine = label.number();
            assert_eq!((mine, theirs.join().unwrap()), (label.number(), mine));
        });
    }
}
