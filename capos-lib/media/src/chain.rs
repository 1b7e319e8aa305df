//! Where a file of FAT lies: a chain of clusters, of which some places are remembered, so that nobody walks along all of it for every byte.

use crate::error::{Damage, Error};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

/// Places that are remembered.
const MARKS: usize = 1024;

/// A cluster, and which one of its chain it is.
#[derive(Clone, Copy)]
struct Place {
    index: u64,
    cluster: u32,
}

/// What is known of a chain.
struct Known {
    /// Every `step`th cluster, as far as somebody has walked.
    marks: Vec<u32>,
    step: u64,
    /// Where the last one went to, and how far anybody.
    last: Place,
    furthest: Place,
    /// Brent's tortoise: a chain that comes to it again is a loop.
    tortoise: u32,
    /// When it is to move on.
    moves_at: u64,
}

/// A chain of clusters.
pub(crate) struct Chain {
    /// How many clusters the file needs; there may be more.
    needed: u64,
    known: RefCell<Known>,
}

impl Chain {
    pub(crate) fn new(first: u32, needed: u64) -> Self {
        let first = Place { index: 0, cluster: first };
        let known = Known {
            marks: vec![first.cluster],
            step: 1,
            last: first,
            furthest: first,
            tortoise: first.cluster,
            moves_at: 1,
        };
        Chain { needed, known: RefCell::new(known) }
    }

    /// The cluster with that index, and how many follow each other on the medium from there on, `most` at most. `next` says what follows a cluster.
    pub(crate) async fn run(
        &self,
        index: u64,
        most: u64,
        next: impl AsyncFn(u32) -> Result<Option<u32>, Error>,
    ) -> Result<(u32, u64), Error> {
        let mut at = self.known.borrow().nearest(index);
        while at.index < index {
            at = self.step(at, &next).await?;
        }
        let (first, end) = (at, self.needed.min(index.saturating_add(most)));
        while at.index.saturating_add(1) < end {
            let following = self.step(at, &next).await?;
            if Some(following.cluster) != at.cluster.checked_add(1) {
                break;
            }
            at = following;
        }
        self.known.borrow_mut().last = at;
        Ok((first.cluster, (at.index - first.index).saturating_add(1)))
    }

    async fn step(
        &self,
        at: Place,
        next: impl AsyncFn(u32) -> Result<Option<u32>, Error>,
    ) -> Result<Place, Error> {
        let cluster = next(at.cluster).await?.ok_or(Damage::Short)?;
        let place = Place { index: at.index.saturating_add(1), cluster };
        self.known.borrow_mut().learn(place)?;
        Ok(place)
    }
}

impl Known {
    /// The nearest known place that is not behind that one.
    fn nearest(&self, index: u64) -> Place {
        let mark = (index / self.step).min(self.marks.len().saturating_sub(1) as u64);
        let cluster = self.marks.get(mark as usize).copied().unwrap_or(self.tortoise);
        let marked = Place { index: mark * self.step, cluster };
        let others = [self.last, self.furthest].into_iter().filter(|place| place.index <= index);
        others.fold(marked, |best, place| if place.index > best.index { place } else { best })
    }

    fn learn(&mut self, place: Place) -> Result<(), Error> {
        if place.index <= self.furthest.index {
            return Ok(());
        }
        if place.cluster == self.tortoise {
            return Err(Damage::Loop.into());
        }
        self.furthest = place;
        if place.index == self.moves_at {
            self.tortoise = place.cluster;
            self.moves_at = self.moves_at.saturating_mul(2);
        }
        if place.index == self.marks.len() as u64 * self.step {
            self.mark(place.cluster);
        }
        Ok(())
    }

    fn mark(&mut self, cluster: u32) {
        self.marks.push(cluster);
        if self.marks.len() > MARKS {
            self.marks = self.marks.iter().step_by(2).copied().collect();
            self.step *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::block_on;
    use core::cell::Cell;

    /// What a walker over a table finds, and in how many hops.
    fn ask(chain: &Chain, table: &[u32], index: u64, most: u64) -> (Result<(u32, u64), Error>, usize) {
        let hops = Cell::new(0);
        let next = async |cluster: u32| {
            hops.set(hops.get() + 1);
            Ok(table.get(cluster as usize).copied().filter(|next| *next != 0))
        };
        (block_on(chain.run(index, most, next)), hops.get())
    }

    #[test]
    fn runs_are_found_from_any_place_with_few_hops() {
        // Ten clusters in a row, a jump of 90, and so on.
        let length = 100_000_u32;
        let where_is = |index: u32| index / 10 * 100 + index % 10;
        let mut table = vec![0; 1_000_100];
        for index in 1..length {
            table[where_is(index - 1) as usize] = where_is(index);
        }
        let chain = Chain::new(0, length.into());
        for (index, run) in [(0, 10), (5, 5), (99_995, 5), (12_345, 5), (77_777, 3), (3, 7)] {
            let (found, hops) = ask(&chain, &table, index.into(), 1000);
            assert_eq!(found, Ok((where_is(index), run)));
            assert!(index == 99_995 || hops < 200, "{index}: {hops}");
        }
        assert_eq!(ask(&chain, &table, 20, 4).0, Ok((200, 4)));
        // One behind the other is one hop more, and a look at what follows.
        assert!(ask(&chain, &table, 50_000, 1).0.is_ok());
        assert!(ask(&chain, &table, 50_001, 1).1 <= 2);
    }

    #[test]
    fn loops_and_short_chains_are_named() {
        for begin in [1, 2, 5, 900, 999] {
            let mut table: Vec<u32> = (1..=1000).collect();
            table[999] = begin;
            let chain = Chain::new(0, 1 << 23);
            let (found, hops) = ask(&chain, &table, (1 << 23) - 1, 1);
            assert_eq!(found, Err(Damage::Loop.into()));
            assert!(hops < 4_000, "{hops}");
            assert_eq!(ask(&chain, &table, 10, 5).0, Ok((10, 5)), "what is before stays");
        }
        let chain = Chain::new(0, 20);
        let table = [1, 2, 3, 0];
        assert_eq!(ask(&chain, &table, 2, 2).0, Ok((2, 2)));
        assert_eq!(ask(&chain, &table, 10, 5).0, Err(Damage::Short.into()));
    }
}
