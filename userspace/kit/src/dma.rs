//! Memory that a device finds by a token.

use rt::CallError;
use rt::generated::{DmaBufferClient, DmaPoolClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;

/// Bytes of a page, and of a word.
const PAGE: u64 = 4096;
const WORD: u64 = 8;

/// Pages of a device's pool, mapped. The device may write them while we read: what was read is a copy, and all that there is to go by.
pub struct Buffer {
    memory: Region,
    token: u64,
    /// With it the token would be gone.
    _buffer: DmaBufferClient,
}

impl Buffer {
    /// Zeroed pages of the pool.
    pub fn allocate(pool: &DmaPoolClient, pages: u32) -> Result<Buffer, CallError> {
        let buffer = pool.allocate_blocking(pages)?;
        let token = buffer.info_blocking()?.token;
        let size = u64::from(pages) * PAGE;
        let memory = Region::map(&buffer.memory_blocking()?, 0, size, Protection::ReadWrite)?;
        Ok(Buffer { memory, token, _buffer: buffer })
    }

    /// What to write where an address belongs.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// The word at `offset`, if there is one.
    #[inline]
    pub fn load(&self, offset: u64) -> Option<u64> {
        self.memory.load(offset)
    }

    /// Writes the word at `offset`; false when there is none.
    #[inline]
    pub fn store(&self, offset: u64, value: u64) -> bool {
        self.memory.store(offset, value)
    }

    /// The pages, to be used word by word.
    pub fn region(&self) -> &Region {
        &self.memory
    }

    /// Copies bytes out from `offset` on, a multiple of 8.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        for (at, chunk) in (offset..).step_by(WORD as usize).zip(out.chunks_mut(WORD as usize)) {
            let word = self.memory.load(at).unwrap_or(0).to_le_bytes();
            chunk.iter_mut().zip(word).for_each(|(byte, value)| *byte = value);
        }
    }

    /// Copies bytes in from `offset` on, a multiple of 8; the rest of the last word becomes zero.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        for (at, chunk) in (offset..).step_by(WORD as usize).zip(bytes.chunks(WORD as usize)) {
            let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.memory.store(at, word);
        }
    }
}
