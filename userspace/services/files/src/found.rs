//! What the last check of the volume found.

use alloc::vec::Vec;
use capos_fs::Wrong;

/// Findings that are kept: a disk may have more than there is memory for.
const KEPT: usize = 1024;

/// Findings from one on.
#[derive(Default)]
pub struct Found {
    first: u64,
    kept: Vec<Wrong>,
    /// How many there were.
    count: u64,
}

impl Found {
    /// From the finding of that number on.
    pub fn from(first: u64) -> Found {
        Found { first, ..Found::default() }
    }

    /// One more was found.
    pub fn add(&mut self, wrong: Wrong) {
        if self.count >= self.first && self.kept.len() < KEPT {
            self.kept.push(wrong);
        }
        self.count += 1;
    }

    /// The finding of a number: none behind the last. It is not known here of one that was not kept.
    pub fn get(&self, number: u64) -> Option<Option<Wrong>> {
        if number >= self.count {
            return Some(None);
        }
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.kept.get(place).copied().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, KEPT};
    use capos_fs::{Fault, Finding, ObjectId, Wrong};

    #[test]
    fn all_are_told_and_few_kept() {
        let wrong = |object| Wrong::Record(Finding { object: ObjectId(object), fault: Fault::Missing });
        let all = KEPT as u64 * 5 / 2;
        let look = |first| {
            let mut found = Found::from(first);
            (0..all).for_each(|object| found.add(wrong(object)));
            assert!(found.kept.len() <= KEPT);
            found
        };
        let (mut found, mut looks, mut number) = (look(0), 1, 0);
        while let Some(told) = found.get(number).unwrap_or_else(|| {
            (found, looks) = (look(number), looks + 1);
            found.get(number).unwrap()
        }) {
            assert_eq!(told, wrong(number));
            number += 1;
        }
        assert_eq!((number, looks), (all, 3));
        assert_eq!((found.get(all + 1), found.get(0)), (Some(None), None));
    }
}
