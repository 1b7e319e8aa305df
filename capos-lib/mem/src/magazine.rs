//! A small store of things in front of a larger one that all share: who needs one or gives one back goes to the shared store only when its own is
//! empty or full, and then for several (Bonwick and Adams, "Magazines and Vmem", USENIX 2001, section 3).
//!
//! After a visit to the shared store the magazine is half full, so that as many may come as may go before the next.

/// Room for `N` things.
pub struct Magazine<T, const N: usize> {
    things: [T; N],
    len: usize,
}

impl<T: Copy, const N: usize> Magazine<T, N> {
    /// How many it holds after a visit to the shared store, at most.
    pub const HALF: usize = N / 2;

    /// An empty one; `any` stands where nothing is.
    pub const fn new(any: T) -> Self {
        Magazine { things: [any; N], len: 0 }
    }

    /// How many are here.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is here.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the one that was put here last: it is the most likely to be in the processor's cache.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        let at = self.len.checked_sub(1)?;
        let thing = *self.things.get(at)?;
        self.len = at;
        Some(thing)
    }

    /// Puts one here.
    ///
    /// # Errors
    /// Gives it back when there is no room.
    #[inline]
    pub fn put(&mut self, thing: T) -> Result<(), T> {
        match self.things.get_mut(self.len) {
            Some(place) => {
                *place = thing;
                self.len += 1;
                Ok(())
            }
            None => Err(thing),
        }
    }

    /// Fills it with up to `most` from the shared store, and no further than half. They will be taken in the order in which `next` gave them,
    /// before those that were here.
    pub fn fill(&mut self, most: usize, mut next: impl FnMut() -> Option<T>) {
        let before = self.len;
        while self.len < Self::HALF && self.len - before < most {
            let Some(thing) = next() else { break };
            // There is room: it is not half full.
            let _ = self.put(thing);
        }
        self.things.get_mut(before..self.len).unwrap_or_default().reverse();
    }

    /// Gives back all but the last `keep`: those that have been here for longest go first.
    pub fn spill(&mut self, keep: usize, give: impl FnMut(T)) {
        let gone = self.len.saturating_sub(keep);
        self.things.get(..gone).unwrap_or_default().iter().copied().for_each(give);
        self.things.copy_within(gone..self.len, 0);
        self.len -= gone;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use super::Magazine;
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
    use std::vec::Vec;

    #[test]
    fn what_was_put_last_is_taken_first() {
        let mut magazine = Magazine::<u32, 3>::new(0);
        assert!(magazine.is_empty());
        for thing in [1, 2, 3] {
            assert_eq!(magazine.put(thing), Ok(()));
        }
        assert_eq!(magazine.put(4), Err(4));
        assert_eq!(
            [magazine.take(), magazine.take(), magazine.take(), magazine.take()],
            [Some(3), Some(2), Some(1), None]
        );
    }

    #[test]
    fn it_is_filled_by_half_and_taken_in_the_order_of_the_shared_store() {
        let mut magazine = Magazine::<u32, 8>::new(0);
        let mut shared = 10..;
        magazine.put(1).expect("room");
        magazine.fill(100, || shared.next());
        assert_eq!(magazine.len(), 4);
        assert_eq!(core::iter::from_fn(|| magazine.take()).collect::<Vec<_>>(), [10, 11, 12, 1]);
        magazine.fill(2, || shared.next());
        assert_eq!(core::iter::from_fn(|| magazine.take()).collect::<Vec<_>>(), [13, 14]);
        magazine.fill(100, || None);
        assert!(magazine.is_empty());
    }

    #[test]
    fn what_has_been_here_for_longest_goes_back_first() {
        let mut magazine = Magazine::<u32, 4>::new(0);
        (1..=4).for_each(|thing| magazine.put(thing).expect("room"));
        let mut back = Vec::new();
        magazine.spill(1, |thing| back.push(thing));
        assert_eq!((back, magazine.take(), magazine.take()), (std::vec![1, 2, 3], Some(4), None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 256 }, failure_persistence: None, ..Default::default() })]

        /// Whatever is done, each thing is in exactly one place: in use, in a magazine, or in the shared store.
        #[test]
        fn nothing_is_lost_or_doubled(steps in prop::collection::vec((0usize..2, 0u8..5, any::<u8>()), 0..400)) {
            let mut magazines = [Magazine::<u32, 8>::new(u32::MAX), Magazine::new(u32::MAX)];
            let mut shared: Vec<u32> = (0..40).collect();
            let mut used: Vec<u32> = Vec::new();
            for (whose, what, n) in steps {
                let Some(own) = magazines.get_mut(whose) else { continue };
                match what {
                    0 | 1 => {
                        if own.is_empty() {
                            own.fill(usize::from(n % 6), || shared.pop());
                        }
                        used.extend(own.take());
                    }
                    2 | 3 => {
                        if !used.is_empty() {
                            let thing = used.swap_remove(usize::from(n) % used.len());
                            if let Err(thing) = own.put(thing) {
                                own.spill(Magazine::<u32, 8>::HALF, |old| shared.push(old));
                                prop_assert!(own.put(thing).is_ok());
                            }
                        }
                    }
                    _ => {
                        own.spill(0, |thing| shared.push(thing));
                        prop_assert!(own.is_empty());
                    }
                }
                let [one, two] = &magazines;
                prop_assert_eq!(shared.len() + used.len() + one.len() + two.len(), 40);
            }
            let mut all = [shared, used].concat();
            for magazine in &mut magazines {
                all.extend(core::iter::from_fn(|| magazine.take()));
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..40).collect::<Vec<_>>());
        }
    }
}
