//! The order in which locks are taken, and its check, which is off unless it is asked for when the kernel starts.
//!
//! While it is on, every processor knows the ranks of the locks that it holds and waits only for higher ones. Off, it costs nothing at all
//! where locks are taken and given back: see [`crate::sync::Lock`].

use crate::atomics::{AtomicPtr, AtomicU8, AtomicU16};
use core::fmt;
use core::ptr;
use core::sync::atomic::Ordering;

#[cfg(not(target_os = "none"))]
use crate::fake::order as machine;
#[cfg(target_os = "none")]
use crate::x86::order as machine;

/// Ranks of locks, from those that are taken first. docs/src/concepts/locks.md says which locks have which.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum LockRank {
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
    /// What the ledger has about one function.
    Function,
    /// The kernel's lists and its log.
    List,
    /// What one process or thread has of the kind.
    Own,
    /// An address space.
    Space,
    /// A family of capabilities. Never two.
    Family,
    /// What a processor has at hand of nodes of families.
    AtHand,
    /// All nodes that are not in use.
    Nodes,
    /// Small blocks that a processor keeps.
    Blocks,
    /// The kernel's heap.
    Heap,
    /// Where device memory is mapped.
    Window,
    /// Frames that a processor keeps.
    Cache,
    /// Frames of memory.
    Frames,
    /// Who may claim an interrupt line now.
    Claims,
    /// One interrupt vector: which line has it.
    Vector,
    /// One IOMMU.
    Unit,
    /// One interrupt controller.
    Controller,
    /// A device.
    Device,
}

impl LockRank {
    const ALL: [LockRank; 23] = [
        LockRank::Exit,
        LockRank::Threads,
        LockRank::Meeting,
        LockRank::Thread,
        LockRank::Table,
        LockRank::Queue,
        LockRank::Function,
        LockRank::List,
        LockRank::Own,
        LockRank::Space,
        LockRank::Family,
        LockRank::AtHand,
        LockRank::Nodes,
        LockRank::Blocks,
        LockRank::Heap,
        LockRank::Window,
        LockRank::Cache,
        LockRank::Frames,
        LockRank::Claims,
        LockRank::Vector,
        LockRank::Unit,
        LockRank::Controller,
        LockRank::Device,
    ];

    /// Whether its locks are one for the whole kernel, so that all processors may meet at one.
    pub fn is_global(self) -> bool {
        use LockRank::{Claims, Device, Frames, Heap, List, Nodes, Window};
        matches!(self, List | Nodes | Heap | Window | Frames | Claims | Device)
    }

    /// Whether a lock of this rank may be waited for while one of `held` is held.
    fn may_follow(self, held: LockRank) -> bool {
        self > held || (self == LockRank::Table && held == LockRank::Table)
    }
}

/// A lock was to be taken out of order: two processors that do this can wait for each other for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The lock that was to be taken.
    pub wanted: LockRank,
    /// One that is held.
    pub held: LockRank,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lock order: {:?} is waited for while {:?} is held", self.wanted, self.held)
    }
}

/// Whether the order is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Nobody has said yet.
    Undecided,
    /// It is not.
    Off,
    /// It is.
    On,
}

/// Says whether the order is checked from now on: of every lock that is made later or was only used before anybody had said.
pub fn decide(check: bool) {
    machine::set_mode(if check { Mode::On } else { Mode::Off });
}

/// Whether it is checked.
#[inline]
pub fn is_checked() -> bool {
    mode() == Mode::On
}

/// Does `work`, which is to wait for no [global](LockRank::is_global) lock: while the order is checked that is a breach.
#[inline]
pub fn without_global<R>(work: impl FnOnce() -> R) -> R {
    if !is_checked() {
        return work();
    }
    let before = machine::set_apart(true);
    let done = work();
    machine::set_apart(before);
    done
}

pub(crate) use machine::{mode, tag};

/// A lock that a processor took: its word, and its rank. Nothing is written down when it is given back. So whether the processor still
/// has it is asked of the word, which then carries the processor's tag.
pub(crate) struct Entry {
    word: AtomicPtr<AtomicU16>,
    rank: AtomicU8,
}

/// As many as a processor holds at most; ever more would be a chain of ranks, and there are not so many.
pub(crate) const ENTRIES: usize = 16;

impl Entry {
    /// None yet.
    pub const fn new() -> Entry {
        Entry { word: AtomicPtr::new(ptr::null_mut()), rank: AtomicU8::new(0) }
    }

    /// None again.
    #[cfg(not(target_os = "none"))]
    pub fn clear(&self) {
        self.word.store(ptr::null_mut(), Ordering::SeqCst);
    }

    /// That lock from now on, on its own processor.
    fn note(&self, word: &AtomicU16, rank: LockRank) {
        self.word.store(ptr::null_mut(), Ordering::SeqCst);
        self.rank.store(rank as u8, Ordering::Relaxed);
        self.word.store(ptr::from_ref(word).cast_mut(), Ordering::SeqCst);
    }

    /// Not that lock any more, which is dropped.
    fn forget(&self, word: &AtomicU16) {
        let word = ptr::from_ref(word).cast_mut();
        if self.word.load(Ordering::Relaxed) == word {
            // Where another lock is meanwhile, nothing is to be cleared.
            let _ = self.word.compare_exchange(word, ptr::null_mut(), Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// The rank, if the processor whose locks have the word `held` still has it.
    fn rank_if(&self, held: u16) -> Option<LockRank> {
        let word = self.word.load(Ordering::SeqCst);
        let rank = self.rank.load(Ordering::Relaxed);
        if word.is_null() {
            return None;
        }
        // SAFETY: the word can be read, as the kernel's heap and image are never unmapped. If the lock was dropped by another processor
        // since, it is the word of nothing, but then the entry was cleared before, which is looked at below.
        let now = unsafe { (*word).load(Ordering::SeqCst) };
        let valid = now == held && self.word.load(Ordering::SeqCst) == word;
        LockRank::ALL.get(usize::from(rank)).copied().filter(|_| valid)
    }
}

/// Somebody is about to wait for a lock, on a processor whose locks have the word `held`.
pub(crate) fn expect(wanted: LockRank, held: u16) {
    if wanted.is_global() && machine::is_apart() {
        machine::set_mode(Mode::Off);
        panic!(
            "lock order: {wanted:?} is waited for, which all processors share, by what is to take none of those"
        );
    }
    let of = |entry: &Entry| entry.rank_if(held).filter(|rank| !wanted.may_follow(*rank));
    if let Some(held) = machine::with_own(|own| own.iter().find_map(of)) {
        // What the report itself does is not to be judged.
        machine::set_mode(Mode::Off);
        panic!("{}", Breach { wanted, held });
    }
}

/// This processor took a lock, whose word is `held` now.
pub(crate) fn taken(word: &AtomicU16, rank: LockRank, held: u16) {
    #[cfg(not(target_os = "none"))]
    machine::write_down(word, rank);
    machine::with_own(|own| {
        if let Some(entry) = own.iter().find(|entry| entry.rank_if(held).is_none()) {
            entry.note(word, rank);
        }
    });
}

/// A lock that was watched is dropped: nobody looks at its word any more.
pub(crate) fn forget(word: &AtomicU16) {
    machine::with_all(|entry| entry.forget(word));
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Breach, LockRank};
    use std::string::ToString;

    #[test]
    fn ranks_are_listed_in_their_order() {
        assert!(LockRank::ALL.is_sorted());
        assert!(LockRank::ALL.into_iter().enumerate().all(|(n, rank)| n == rank as usize));
    }

    #[test]
    fn only_what_is_higher_follows() {
        for held in LockRank::ALL {
            for wanted in LockRank::ALL {
                let follows = wanted > held || (held, wanted) == (LockRank::Table, LockRank::Table);
                assert_eq!(wanted.may_follow(held), follows, "{held:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn a_breach_says_both_ranks() {
        let text = Breach { wanted: LockRank::Thread, held: LockRank::Queue }.to_string();
        assert_eq!(text, "lock order: Thread is waited for while Queue is held");
    }
}
