//! The memory that responses are written to: one piece, filled from the start.

use crate::Refusal;

/// A piece of memory, and the address at which the kernel will see it.
pub struct Arena<'a> {
    bytes: &'a mut [u8],
    address: u64,
    used: usize,
}

impl<'a> Arena<'a> {
    /// An empty arena. `address` is that of the first byte, a multiple of eight.
    pub fn new(bytes: &'a mut [u8], address: u64) -> Self {
        Arena { bytes, address, used: 0 }
    }

    /// Places words; says where.
    pub fn words(&mut self, words: &[u64]) -> Result<u64, Refusal> {
        let address = self.address + self.used as u64;
        for word in words {
            self.put(&word.to_le_bytes())?;
        }
        Ok(address)
    }

    /// Places a string and its NUL; says where.
    pub fn string(&mut self, text: &[u8]) -> Result<u64, Refusal> {
        let address = self.address + self.used as u64;
        self.put(text)?;
        self.put(&[0])?;
        self.used = self.used.next_multiple_of(8);
        Ok(address)
    }

    /// Places the path of a boot file, "with a leading slash"; says where.
    pub fn path(&mut self, name: &[u8]) -> Result<u64, Refusal> {
        let address = self.address + self.used as u64;
        self.put(b"/")?;
        self.string(name)?;
        Ok(address)
    }

    /// Places room for a list of `count` addresses; says where. Fill it with [`Arena::set`].
    pub fn list(&mut self, count: usize) -> Result<u64, Refusal> {
        let address = self.address + self.used as u64;
        for _ in 0..count {
            self.put(&[0; 8])?;
        }
        Ok(address)
    }

    /// Sets the word at an address that was given out before.
    pub fn set(&mut self, address: u64, word: u64) {
        let at = usize::try_from(address.wrapping_sub(self.address)).unwrap_or(usize::MAX);
        crate::bytes::put_u64(self.bytes, at, word);
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let size = self.bytes.len() as u64;
        let end = self.used.checked_add(bytes.len());
        let place = end.and_then(|end| self.bytes.get_mut(self.used..end));
        place.ok_or(Refusal::OutOfMemory("protocol responses", size))?.copy_from_slice(bytes);
        self.used += bytes.len();
        Ok(())
    }
}
