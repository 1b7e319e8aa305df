//! Load segments.

use crate::bytes::{u32_at, u64_at};
use crate::header::PROGRAM_HEADER;

/// What the program may do with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Write.
    pub write: bool,
    /// Execute.
    pub execute: bool,
}

/// A part of the file that goes to memory (`PT_LOAD`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Where in memory.
    pub address: u64,
    /// How much memory, bytes; what the file does not fill is zero.
    pub memory_size: u64,
    /// Where in the file.
    pub offset: u64,
    /// How much of the file, bytes.
    pub file_size: u64,
    /// What it may be used for.
    pub access: Access,
}

/// Iterator over the load segments of a program header table.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    table: core::slice::ChunksExact<'a, u8>,
}

impl<'a> Segments<'a> {
    pub(crate) fn new(table: &'a [u8]) -> Self {
        Segments { table: table.chunks_exact(PROGRAM_HEADER) }
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        const PT_LOAD: u32 = 1;
        const EXECUTE: u32 = 1;
        const WRITE: u32 = 2;
        loop {
            let entry = self.table.next()?;
            if u32_at(entry, 0)? != PT_LOAD {
                continue;
            }
            let flags = u32_at(entry, 4)?;
            return Some(Segment {
                offset: u64_at(entry, 8)?,
                address: u64_at(entry, 16)?,
                file_size: u64_at(entry, 32)?,
                memory_size: u64_at(entry, 40)?,
                access: Access { write: flags & WRITE != 0, execute: flags & EXECUTE != 0 },
            });
        }
    }
}
