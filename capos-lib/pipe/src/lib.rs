//! A bounded pipe of bytes between two ends that can go away.
//!
//! The state behind the `stdin` and `stdout` that the shell lends to two programs. Whoever serves the ends waits and wakes;
//! here is only what each end finds.
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;

mod decoder;

pub use decoder::Decoder;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes on the way.
pub const ROOM: usize = 8192;

/// What the reading end finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// Bytes.
    Data(Vec<u8>),
    /// Nothing yet.
    Wait,
    /// Nothing, and the writing end is gone.
    End,
}

/// The reading end is gone: nobody will ever read this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

/// The pipe.
#[derive(Default)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    writer_gone: bool,
    reader_gone: bool,
}

impl Pipe {
    /// Empty, with both ends there.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes as many bytes as there is room for, and says how many.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        if self.reader_gone {
            return Err(Broken);
        }
        let count = bytes.len().min(ROOM - self.bytes.len());
        self.bytes.extend(bytes.iter().take(count));
        Ok(count)
    }

    /// Gives at most `max` bytes, at least one when there are any.
    pub fn read(&mut self, max: usize) -> Read {
        let count = self.bytes.len().min(max.max(1));
        match (count, self.writer_gone) {
            (0, true) => Read::End,
            (0, false) => Read::Wait,
            _ => Read::Data(self.bytes.drain(..count).collect()),
        }
    }

    /// Nobody will write any more; what is on the way is still read.
    pub fn close_writer(&mut self) {
        self.writer_gone = true;
    }

    /// Nobody will read any more; what is on the way is dropped.
    pub fn close_reader(&mut self) {
        self.reader_gone = true;
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Broken, Pipe, ROOM, Read};
    use std::vec;

    #[test]
    fn bytes_come_out_in_order() {
        let mut pipe = Pipe::new();
        assert_eq!(pipe.read(5), Read::Wait);
        assert_eq!(pipe.write(b"abc"), Ok(3));
        assert_eq!(pipe.write(b"de"), Ok(2));
        assert_eq!(pipe.read(4), Read::Data(b"abcd".to_vec()));
        assert_eq!(pipe.read(0), Read::Data(b"e".to_vec()));
        assert_eq!(pipe.read(1), Read::Wait);
    }

    #[test]
    fn a_full_pipe_takes_a_part() {
        let mut pipe = Pipe::new();
        assert_eq!(pipe.write(&vec![0; ROOM + 10]), Ok(ROOM));
        assert_eq!(pipe.write(b"x"), Ok(0));
        pipe.read(3);
        assert_eq!(pipe.write(b"abcdef"), Ok(3));
    }

    #[test]
    fn the_end_comes_after_what_was_written() {
        let mut pipe = Pipe::new();
        pipe.write(b"last").ok();
        pipe.close_writer();
        assert_eq!(pipe.read(100), Read::Data(b"last".to_vec()));
        assert_eq!(pipe.read(100), Read::End);
        assert_eq!(pipe.read(100), Read::End);
    }

    #[test]
    fn writing_to_nobody_is_an_error() {
        let mut pipe = Pipe::new();
        pipe.write(b"lost").ok();
        pipe.close_reader();
        assert_eq!(pipe.write(b"x"), Err(Broken));
        pipe.close_writer();
        assert_eq!(pipe.read(1), Read::End);
    }
}
