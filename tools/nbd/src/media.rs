//! What lies behind the socket: a file, and what it would have lost by now.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes that a disk writes at once.
const SECTOR: usize = 512;
/// What is read of something that was not wanted any more.
const TRIMMED: u8 = 0xdd;

/// A write that was done since the last flush.
struct Cached {
    number: u64,
    offset: u64,
    before: Vec<u8>,
    after: Vec<u8>,
    /// It was to be durable by itself.
    is_durable: bool,
}

/// A file that is a disk with a cache.
pub struct Media {
    file: File,
    size: u64,
    /// In the order in which they were done.
    cache: Vec<Cached>,
    /// Writes that were done.
    done: u64,
}

impl Media {
    /// In a file that is there.
    pub fn open(path: &Path) -> io::Result<Media> {
        let file = File::options().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Media { file, size, cache: Vec::new(), done: 0 })
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it has these bytes.
    pub fn has(&self, offset: u64, length: u64) -> bool {
        offset.checked_add(length).is_some_and(|end| end <= self.size)
    }

    /// Reads bytes that it has.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Writes bytes where it has some.
    pub fn write(&mut self, offset: u64, bytes: Vec<u8>, is_durable: bool) -> io::Result<()> {
        let before = self.read(offset, bytes.len())?;
        self.file.write_all_at(&bytes, offset)?;
        self.cache.push(Cached { number: self.done, offset, before, after: bytes, is_durable });
        self.done += 1;
        Ok(())
    }

    /// What is there is not wanted any more, and may be anything from now on.
    pub fn trim(&mut self, offset: u64, length: usize) -> io::Result<()> {
        self.write(offset, vec![TRIMMED; length], false)
    }

    /// How many writes were done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The first so many writes of all are durable.
    pub fn flush(&mut self, first: u64) {
        self.cache.retain(|write| write.number >= first);
    }

    /// It has no power: of what is not durable there is only what `chance`, one below its argument, wants. A write is there, is not,
    /// or is torn at some sector.
    pub fn lose(&mut self, mut chance: impl FnMut(u32) -> u32) -> io::Result<()> {
        let cache = std::mem::take(&mut self.cache);
        for write in cache.iter().rev() {
            self.file.write_all_at(&write.before, write.offset)?;
        }
        for write in &cache {
            let sectors = write.after.len() / SECTOR;
            let range = match chance(4) {
                _ if write.is_durable => 0..sectors,
                0 => 0..0,
                1 => 0..chance(sectors as u32 + 1) as usize,
                2 => chance(sectors as u32 + 1) as usize..sectors,
                _ => 0..sectors,
            };
            let range = range.start * SECTOR..range.end * SECTOR;
            let offset = write.offset + range.start as u64;
            self.file.write_all_at(write.after.get(range).unwrap_or_default(), offset)?;
        }
        Ok(())
    }
}
