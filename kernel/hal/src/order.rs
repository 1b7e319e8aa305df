//! The order in which locks are taken, and its check, which is off unless it is asked for when the kernel starts.
//!
//! While it is on, every processor knows the ranks of the locks that it holds and waits only for higher ones. Off, it costs one
//! comparison where a lock is given back, and nothing where one is taken: see [`crate::sync::Lock`].

use core::fmt;

#[cfg(not(target_os = "none"))]
use crate::fake::order as machine;
#[cfg(target_os = "none")]
use crate::x86::order as machine;

/// Ranks of locks, from those that are taken first. docs/src/concepts/locks.md says which locks have which.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    /// How a process ended.
    Exit,
    /// The threads of a process.
    Threads,
    /// Where threads meet: endpoints, events, interrupt lines, bells.
    Meeting,
    /// A thread.
    Thread,
    /// Capabilities of a process. Two are taken in the order of the processes' ids, which is not checked.
    Table,
    /// What a processor has to do, and shares of its time.
    Queue,
    /// The kernel's lists and its log.
    List,
    /// An address space.
    Space,
    /// The kernel's heap.
    Heap,
    /// Where device memory is mapped.
    Window,
    /// Frames of memory.
    Frames,
    /// Who has which interrupt.
    Interrupts,
    /// A device.
    Device,
}

impl Rank {
    const ALL: [Rank; 13] = [
        Rank::Exit,
        Rank::Threads,
        Rank::Meeting,
        Rank::Thread,
        Rank::Table,
        Rank::Queue,
        Rank::List,
        Rank::Space,
        Rank::Heap,
        Rank::Window,
        Rank::Frames,
        Rank::Interrupts,
        Rank::Device,
    ];

    /// Whether a lock of this rank may be waited for while one of `held` is held.
    fn may_follow(self, held: Rank) -> bool {
        self > held || (self == Rank::Table && held == Rank::Table)
    }
}

/// What a processor holds: how many locks of each rank, four bits for each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Held(pub u64);

const BITS: u32 = 4;

impl Held {
    fn one(rank: Rank) -> u64 {
        1 << (rank as u32 * BITS)
    }

    fn count(self, rank: Rank) -> u64 {
        self.0 >> (rank as u32 * BITS) & 0xf
    }

    /// With one more. Nobody holds 16 of a rank.
    fn with(self, rank: Rank) -> Held {
        Held(self.0 + Held::one(rank))
    }

    fn without(self, rank: Rank) -> Held {
        Held(self.0 - Held::one(rank))
    }

    /// The highest lock that is held and stands in the way of `wanted`.
    fn in_the_way_of(self, wanted: Rank) -> Option<Rank> {
        Rank::ALL.into_iter().rev().find(|held| self.count(*held) > 0 && !wanted.may_follow(*held))
    }
}

/// A lock was to be taken out of order: two processors that do this can wait for each other for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The lock that was to be taken.
    pub wanted: Rank,
    /// One that is held.
    pub held: Rank,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lock order: {:?} is waited for while {:?} is held", self.wanted, self.held)
    }
}

/// From now on the order is checked, of each lock from the second time that it is taken.
pub fn check_from_now_on() {
    machine::switch(true);
}

#[inline(always)]
pub(crate) fn is_checked() -> bool {
    machine::is_on()
}

/// Somebody is about to wait for a lock.
pub(crate) fn expect(wanted: Rank) {
    if let Some(held) = machine::held().in_the_way_of(wanted) {
        // What the report itself does is not to be judged.
        machine::switch(false);
        panic!("{}", Breach { wanted, held });
    }
}

pub(crate) fn taken(rank: Rank) {
    machine::set_held(machine::held().with(rank));
}

pub(crate) fn given_back(rank: Rank) {
    machine::set_held(machine::held().without(rank));
}

#[cfg(test)]
mod tests {
    use super::{Breach, Held, Rank};
    use std::string::ToString;

    #[test]
    fn ranks_are_listed_in_their_order() {
        assert!(Rank::ALL.is_sorted() && Rank::ALL.len() * 4 <= 64);
    }

    #[test]
    fn only_what_is_higher_follows() {
        for (low, first) in Rank::ALL.into_iter().enumerate() {
            for (high, then) in Rank::ALL.into_iter().enumerate() {
                let held = Held::default().with(first);
                let follows = high > low || (first, then) == (Rank::Table, Rank::Table);
                assert_eq!(held.in_the_way_of(then).is_none(), follows, "{first:?} {then:?}");
                assert_eq!(held.without(first), Held::default());
            }
        }
    }

    #[test]
    fn locks_may_be_given_back_in_any_order() {
        let held = Held::default().with(Rank::Table).with(Rank::Table).with(Rank::Queue).without(Rank::Table);
        assert_eq!(held.in_the_way_of(Rank::Thread), Some(Rank::Queue));
        assert_eq!(held.without(Rank::Queue).in_the_way_of(Rank::Thread), Some(Rank::Table));
        assert_eq!(held.without(Rank::Queue).without(Rank::Table).in_the_way_of(Rank::Thread), None);
    }

    #[test]
    fn a_breach_says_both_ranks() {
        let text = Breach { wanted: Rank::Thread, held: Rank::Queue }.to_string();
        assert_eq!(text, "lock order: Thread is waited for while Queue is held");
    }
}
