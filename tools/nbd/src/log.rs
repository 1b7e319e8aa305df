//! What happened to a disk, in a file: records of 17 bytes, some with data behind them. All numbers are little-endian.

use std::io::{self, Read, Write};

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// The disk has so many bytes, all zeros; what follows up to the first [`Record::Begun`] is what was on it before.
    Size(u64),
    /// The machine was started.
    Begun,
    /// The machine wants bytes written there, perhaps durable by themselves.
    Write(u64, Vec<u8>, bool),
    /// It does not need so many bytes there any more.
    Trim(u64, u64),
    /// It wants durable what was answered before.
    Flush,
    /// The request in the record of that number, the first one's being 0, was answered.
    Done(u64),
    /// Something else that happened outside of the disk by then: bytes of whoever noted it.
    Mark(Vec<u8>),
}

/// Bytes of a record's data, at most.
const MOST: u64 = 1 << 30;

impl Record {
    /// Appends it to a log.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (kind, first, second, data): (u8, u64, u64, &[u8]) = match self {
            Record::Size(size) => (b's', *size, 0, &[]),
            Record::Begun => (b'b', 0, 0, &[]),
            Record::Write(at, data, false) => (b'w', *at, data.len() as u64, data),
            Record::Write(at, data, true) => (b'u', *at, data.len() as u64, data),
            Record::Trim(at, length) => (b't', *at, *length, &[]),
            Record::Flush => (b'f', 0, 0, &[]),
            Record::Done(number) => (b'd', *number, 0, &[]),
            Record::Mark(data) => (b'm', 0, data.len() as u64, data),
        };
        to.write_all(&[&[kind][..], &first.to_le_bytes(), &second.to_le_bytes(), data].concat())
    }

    /// The next of a log; `None` at its end, where half a record is none.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Record>> {
        let mut head = [0; 17];
        match from.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            done => done?,
        }
        let [kind, first @ .., _, _, _, _, _, _, _, _] = head;
        let [.., a, b, c, d, e, f, g, h] = head;
        let (first, second) = (u64::from_le_bytes(first), u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        let mut data = Vec::new();
        let is_whole = !matches!(kind, b'w' | b'u' | b'm')
            || second <= MOST && from.take(second).read_to_end(&mut data)? as u64 == second;
        if !is_whole {
            return Ok(None);
        }
        Ok(Some(match kind {
            b's' => Record::Size(first),
            b'b' => Record::Begun,
            b'w' | b'u' => Record::Write(first, data, kind == b'u'),
            b't' => Record::Trim(first, second),
            b'f' => Record::Flush,
            b'd' => Record::Done(first),
            b'm' => Record::Mark(data),
            _ => return Err(io::Error::other(format!("there is no record of kind {kind}"))),
        }))
    }
}
