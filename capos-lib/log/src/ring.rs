//! The buffer. A cursor is the number of a record since boot, so any number is a valid cursor and losses can be counted.
//!
//! Records differ in length, so finding one by its number means walking. Marks (the positions of every so many records) keep that
//! walk short whatever cursor a reader comes with: the kernel reads under its log lock, with interrupts off.

use crate::bytes::Circle;
use crate::record::{Header, NewRecord, RECORD_OVERHEAD, Record};

const MARKS: usize = 64;

/// A log of `N` bytes. New records overwrite the oldest ones.
pub struct LogRing<const N: usize> {
    bytes: Circle<N>,
    /// Position of the oldest record, and its number.
    oldest: (u64, u64),
    /// Position behind the newest record, and the number of the next one.
    end: (u64, u64),
    /// Positions of the records whose numbers are multiples of [`LogRing::STRIDE`].
    marks: [u64; MARKS],
}

impl<const N: usize> LogRing<N> {
    /// Longest text of one record, bytes; what is longer is cut. A quarter of the log, so that one record never empties it.
    pub const TEXT_MAX: usize = N / 4;
    /// So many marks times this many records are more than the buffer ever holds.
    const STRIDE: u64 = (N / RECORD_OVERHEAD / MARKS) as u64 + 1;
    const BIG_ENOUGH: () = assert!(N >= 4 * RECORD_OVERHEAD && N <= u32::MAX as usize);

    /// An empty log.
    pub const fn new() -> Self {
        let () = Self::BIG_ENOUGH;
        LogRing { bytes: Circle::new(), oldest: (0, 0), end: (0, 0), marks: [0; MARKS] }
    }

    /// Appends a record, overwriting as many old ones as it takes.
    pub fn append(&mut self, record: &NewRecord<'_>) {
        let text = cut(record.text, Self::TEXT_MAX);
        let header = Header {
            time_ns: record.time_ns,
            process: record.process,
            text_len: text.len() as u32,
            level: record.level,
        };
        let (position, number) = self.end;
        let end = position + size(header.text_len);
        while end - self.oldest.0 > N as u64 {
            let (oldest, number) = self.oldest;
            self.oldest = (oldest + size(self.header(oldest).text_len), number + 1);
        }
        self.bytes.write(position, &header.to_bytes());
        self.bytes.write(position + RECORD_OVERHEAD as u64, text.as_bytes());
        if number.is_multiple_of(Self::STRIDE)
            && let Some(mark) = self.marks.get_mut(mark_index(number / Self::STRIDE))
        {
            *mark = position;
        }
        self.end = (end, number + 1);
    }

    /// The first record at or after `cursor`, its text copied to `out`. `None` when there is none yet.
    pub fn read<'o>(&self, cursor: u64, out: &'o mut [u8]) -> Option<Record<'o>> {
        let (_, next) = self.end;
        let (_, oldest) = self.oldest;
        let number = cursor.max(oldest);
        if number >= next {
            return None;
        }
        let position = self.find(number);
        let header = self.header(position);
        let len = out.len().min(header.text_len as usize);
        let out = out.get_mut(..len)?;
        self.bytes.read(position + RECORD_OVERHEAD as u64, out);
        Some(Record {
            time_ns: header.time_ns,
            process: header.process,
            level: header.level,
            text: whole_characters(out),
            next: number + 1,
            lost: number - cursor,
        })
    }

    /// The cursor of the next record to be written: whoever starts there reads only what is new.
    pub fn next_cursor(&self) -> u64 {
        self.end.1
    }

    /// The cursor at which the last `records` records begin, or as many as there are.
    pub fn tail_cursor(&self, records: u64) -> u64 {
        self.end.1.saturating_sub(records).max(self.oldest.1)
    }

    fn header(&self, position: u64) -> Header {
        let mut bytes = [0; RECORD_OVERHEAD];
        self.bytes.read(position, &mut bytes);
        Header::from_bytes(&bytes)
    }

    /// Position of record `number`, which is in the buffer.
    fn find(&self, number: u64) -> u64 {
        let marked = number - number % Self::STRIDE;
        let (mut position, mut at) = self.oldest;
        if marked >= at
            && let Some(mark) = self.marks.get(mark_index(marked / Self::STRIDE))
        {
            (position, at) = (*mark, marked);
        }
        while at < number {
            position += size(self.header(position).text_len);
            at += 1;
        }
        position
    }
}

impl<const N: usize> Default for LogRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

fn mark_index(mark: u64) -> usize {
    (mark % MARKS as u64) as usize
}

/// What a record with that much text takes of the buffer.
fn size(text_len: u32) -> u64 {
    RECORD_OVERHEAD as u64 + u64::from(text_len)
}

/// At most `max` bytes of `text`, in whole characters.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// `bytes` without the half character that cutting may have left at their end.
fn whole_characters(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            core::str::from_utf8(valid).unwrap_or_default()
        }
    }
}
