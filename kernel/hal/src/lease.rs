//! What somebody has until it is taken away.

use core::sync::atomic::{AtomicBool, Ordering};

/// What a mapping, say, hangs by. All pieces that it is cut into share one; when the last of them is gone it says so.
pub struct Lease {
    number: u64,
    word: u32,
    ended: fn(u32),
    /// Nothing is mapped by it any more.
    over: AtomicBool,
}

impl Lease {
    /// Number `number`, which no other ever has. `ended` hears `word` when nothing hangs by it any more; an address space may be locked
    /// then.
    pub const fn new(number: u64, word: u32, ended: fn(u32)) -> Self {
        Lease { number, word, ended, over: AtomicBool::new(false) }
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// From now on no address space takes anything by it. What one has already is taken away afterwards: who maps looks here with the space
    /// locked, so that it is either refused or found.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether nothing is mapped by it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The word that `ended` will hear.
    pub fn word(&self) -> u32 {
        self.word
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        (self.ended)(self.word);
    }
}
