//! Memory that we were granted, marked as such for who watches from outside.

use probe::mutate::Pattern;
use probe::mutate::pattern::{MARK_AT, WORDS};
use rt::CallError;
use rt::generated::{DmaBufferClient, DmaPoolClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;

/// Bytes of a page, and of a word.
pub const PAGE: u64 = 4096;
const WORD: u64 = 8;

/// Bytes of the bait.
pub const BAIT: u64 = WORDS as u64 * WORD;

/// A buffer. Every page of it bears the mark as long as it is ours; its first page begins with the bait if it was told to.
pub struct Buffer {
    memory: Region,
    token: u64,
    seed: u64,
    keeps_mark: bool,
    /// With it the token is gone.
    named: Option<DmaBufferClient>,
}

impl Buffer {
    /// Zeroed pages of the pool, and the mark.
    pub fn allocate(pool: &DmaPoolClient, pages: u32, seed: u64) -> Result<Buffer, CallError> {
        let it = Buffer::unmarked(pool, pages, seed)?;
        it.each_mark(|index| Pattern::Grant.word(seed, index));
        Ok(it)
    }

    /// Those that no device is ever told of: what it writes there it should not.
    pub fn unmarked(pool: &DmaPoolClient, pages: u32, seed: u64) -> Result<Buffer, CallError> {
        let buffer = pool.allocate_blocking(pages)?;
        let token = buffer.info_blocking()?.token;
        let size = u64::from(pages) * PAGE;
        let memory = Region::map(&buffer.memory_blocking()?, 0, size, Protection::ReadWrite)?;
        Ok(Buffer { memory, token, seed, keeps_mark: false, named: Some(buffer) })
    }

    /// What to write where an address belongs.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// A word of it.
    pub fn word(&self, offset: u64) -> u64 {
        self.memory.load(offset).unwrap_or(0)
    }

    /// Writes words of our own.
    pub fn put_words<const N: usize>(&self, offset: u64, words: [u64; N]) {
        for (at, word) in (offset..).step_by(WORD as usize).zip(words) {
            self.memory.store(at, word);
        }
    }

    /// Whether all of it is 0, but for the marks.
    pub fn is_clear(&self) -> bool {
        let mut offsets = (0..self.memory.size()).step_by(WORD as usize);
        offsets.all(|at| at % PAGE >= MARK_AT as u64 || self.memory.load(at) == Some(0))
    }

    /// Begins with the bait from now on.
    pub fn take_bait(&self) {
        self.put(0, |index| Pattern::Bait.word(self.seed, index));
    }

    /// Does not.
    pub fn drop_bait(&self) {
        self.put(0, |_| 0);
    }

    /// Whether it begins with the bait.
    pub fn has_bait(&self) -> bool {
        self.has(Pattern::Bait)
    }

    /// Whether it begins with what the watcher hides.
    pub fn has_secret(&self) -> bool {
        self.has(Pattern::Secret)
    }

    fn has(&self, pattern: Pattern) -> bool {
        (0..WORDS).any(|index| self.word(index as u64 * WORD) == pattern.word(self.seed, index))
    }

    fn each_mark(&self, word: impl Fn(usize) -> u64) {
        for page in (0..self.memory.size()).step_by(PAGE as usize) {
            self.put(page + MARK_AT as u64, &word);
        }
    }

    fn put(&self, at: u64, word: impl Fn(usize) -> u64) {
        for index in 0..WORDS {
            self.memory.store(at + index as u64 * WORD, word(index));
        }
    }
}

impl Buffer {
    /// Gives the token up; the memory is ours as long as it is mapped.
    pub fn free(&mut self) {
        self.named = None;
    }

    /// Gives it up while the device writes there. It stays ours as long as the device has it, and so does the mark.
    pub fn abandon(mut self) {
        self.keeps_mark = true;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.keeps_mark {
            return;
        }
        self.each_mark(|_| 0);
        // What is not to be here stays for the watcher to see.
        if !self.has_secret() {
            self.drop_bait();
        }
    }
}
