//! Bodies of requests, gathered.

use crate::fault::Fault;
use crate::head::Length;
use alloc::vec::Vec;

/// Bytes of a line that says how long a chunk is, with what may stand behind that.
const SIZE_LINE: usize = 256;

/// Bytes of all that may stand behind the last chunk.
const TRAILERS: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// So much of the body, or of a chunk, is still to come.
    Data {
        left: usize,
        chunked: bool,
    },
    /// The line with the size of the next chunk; its digits so far.
    Size {
        size: usize,
        digits: u8,
        length: usize,
        rest: bool,
    },
    /// The end of that line.
    SizeEnd {
        size: usize,
    },
    /// The two bytes behind a chunk.
    ChunkEnd {
        first: bool,
    },
    /// Lines behind the last chunk: all bytes, and those of this line.
    Trailer {
        all: usize,
        line: usize,
        returned: bool,
    },
    Over,
}

/// A body in the making.
#[derive(Debug)]
pub(crate) struct Gathering {
    state: State,
    bytes: Vec<u8>,
    most: usize,
}

const NEXT_CHUNK: State = State::Size { size: 0, digits: 0, length: 0, rest: false };

impl Gathering {
    /// # Errors
    /// [`Fault::Body`] when the head says already that it is too large.
    pub fn new(length: Length, most: usize) -> Result<Gathering, Fault> {
        let state = match length {
            Length::Fixed(0) => State::Over,
            Length::Fixed(left) if left > most => return Err(Fault::Body),
            Length::Fixed(left) => State::Data { left, chunked: false },
            Length::Chunked => NEXT_CHUNK,
        };
        Ok(Gathering { state, bytes: Vec::new(), most })
    }

    /// Whether all is there.
    pub fn is_whole(&self) -> bool {
        self.state == State::Over
    }

    /// What is there.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes what belongs to the body, and says how much that is.
    ///
    /// # Errors
    /// [`Fault::Malformed`] and [`Fault::Body`]
    pub fn take(&mut self, input: &[u8]) -> Result<usize, Fault> {
        let mut rest = input;
        while self.state != State::Over {
            if let State::Data { left, chunked } = self.state {
                let (now, later) = rest.split_at_checked(left).unwrap_or((rest, &[]));
                self.bytes.extend_from_slice(now);
                rest = later;
                self.state = match (left - now.len(), chunked) {
                    (0, true) => State::ChunkEnd { first: true },
                    (0, false) => State::Over,
                    (left, _) => State::Data { left, chunked },
                };
                if left > now.len() {
                    break;
                }
            } else {
                let Some((byte, later)) = rest.split_first() else { break };
                self.state = self.step(*byte)?;
                rest = later;
            }
        }
        Ok(input.len() - rest.len())
    }

    /// One byte of what stands around chunks.
    fn step(&self, byte: u8) -> Result<State, Fault> {
        Ok(match (self.state, byte) {
            (State::Size { digits: 0, .. }, byte) if !byte.is_ascii_hexdigit() => {
                return Err(Fault::Malformed);
            }
            (State::Size { size, .. }, b'\r') => State::SizeEnd { size },
            (State::Size { length: SIZE_LINE.., .. }, _) => return Err(Fault::Malformed),
            // Nobody here knows an extension; they are skipped, as they are to be.
            (State::Size { size, digits, length, rest: true }, byte) if printable(byte) => {
                State::Size { size, digits, length: length + 1, rest: true }
            }
            (State::Size { size, digits, length, rest: false }, b';' | b' ' | b'\t') => {
                State::Size { size, digits, length: length + 1, rest: true }
            }
            (State::Size { size, digits, length, rest: false }, byte) => {
                let digit = char::from(byte).to_digit(16).ok_or(Fault::Malformed)?;
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit as usize));
                let room = self.most.saturating_sub(self.bytes.len());
                let size = size.filter(|size| *size <= room).ok_or(Fault::Body)?;
                State::Size { size, digits: digits.saturating_add(1), length: length + 1, rest: false }
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailer { all: 0, line: 0, returned: false },
            (State::SizeEnd { size }, b'\n') => State::Data { left: size, chunked: true },
            (State::ChunkEnd { first: true }, b'\r') => State::ChunkEnd { first: false },
            (State::ChunkEnd { first: false }, b'\n') => NEXT_CHUNK,
            (State::Trailer { all: TRAILERS.., .. }, _) => return Err(Fault::Head),
            (State::Trailer { line: 0, returned: true, .. }, b'\n') => State::Over,
            (State::Trailer { all, returned: true, .. }, b'\n') => {
                State::Trailer { all: all + 1, line: 0, returned: false }
            }
            (State::Trailer { all, line, returned: false }, b'\r') => {
                State::Trailer { all: all + 1, line, returned: true }
            }
            (State::Trailer { all, line, returned: false }, byte) if printable(byte) => {
                State::Trailer { all: all + 1, line: line + 1, returned: false }
            }
            _ => return Err(Fault::Malformed),
        })
    }
}

fn printable(byte: u8) -> bool {
    !byte.is_ascii_control() || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and what is behind it.
    fn gather(length: Length, input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Fault> {
        let whole = run(length, input, input.len());
        assert_eq!(run(length, input, 1), whole, "byte by byte it is the same");
        whole
    }

    fn run(length: Length, input: &[u8], piece: usize) -> Result<Option<(Vec<u8>, usize)>, Fault> {
        let mut body = Gathering::new(length, 20)?;
        let mut used = 0;
        for piece in input.chunks(piece.max(1)) {
            used += body.take(piece)?;
            if body.is_whole() {
                break;
            }
        }
        Ok(body.is_whole().then(|| (body.into_bytes(), input.len() - used)))
    }

    fn chunked(text: &str) -> Result<Option<(Vec<u8>, usize)>, Fault> {
        gather(Length::Chunked, text.as_bytes())
    }

    #[test]
    fn so_many_bytes() {
        assert_eq!(gather(Length::Fixed(3), b"abcd"), Ok(Some((b"abc".to_vec(), 1))));
        assert_eq!(gather(Length::Fixed(3), b"ab"), Ok(None));
        assert_eq!(Gathering::new(Length::Fixed(21), 20).err(), Some(Fault::Body));
        assert!(Gathering::new(Length::Fixed(0), 20).unwrap().is_whole());
    }

    #[test]
    fn chunk_after_chunk() {
        let all = "3\r\nabc\r\n00A;x=\"y\" \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET";
        assert_eq!(chunked(all), Ok(Some((b"abc0123456789".to_vec(), 3))));
        assert_eq!(chunked("0\r\n\r\n"), Ok(Some((Vec::new(), 0))));
        assert_eq!(chunked("1\r\na\r\n"), Ok(None));
    }

    #[test]
    fn what_is_no_chunk() {
        for wrong in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "0x1\r\n",
            "1\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\r\r",
            " 1\r\n",
            "0\r\n\n",
            "0\r\nx\n",
            "0\r\nx\r\r\n",
            "1;\x01\r\n",
        ] {
            assert_eq!(chunked(wrong), Err(Fault::Malformed), "{wrong:?}");
        }
        let long = alloc::format!("1;{}", "x".repeat(SIZE_LINE));
        assert_eq!(chunked(&long), Err(Fault::Malformed));
    }

    #[test]
    fn the_sum_of_all_has_a_limit() {
        assert_eq!(chunked("15\r\n"), Err(Fault::Body));
        assert_eq!(chunked("14\r\n01234567890123456789\r\n1\r\n"), Err(Fault::Body));
        assert_eq!(chunked("ffffffffffffffffffffff\r\n"), Err(Fault::Body));
        let long = alloc::format!("0\r\n{}", "x: y\r\n".repeat(700));
        assert_eq!(chunked(&long), Err(Fault::Head));
    }
}
