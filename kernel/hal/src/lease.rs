//! What somebody has until it is taken away.

/// What a mapping, say, hangs by. All pieces that it is cut into share one; when the last of them is gone it says so.
pub struct Lease {
    number: u64,
    word: u32,
    ended: fn(u32),
}

impl Lease {
    /// Number `number`, which no other ever has. `ended` hears `word` when nothing hangs by it any more; an address space may be locked
    /// then.
    pub const fn new(number: u64, word: u32, ended: fn(u32)) -> Self {
        Lease { number, word, ended }
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
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
