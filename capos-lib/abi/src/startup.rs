//! The startup block: what a parent tells a new process. The kernel copies it unread to arena offset 0 of the first thread.
//!
//! A sequence of records, each `kind: u8, len: u8, value: u64 (little endian), len bytes of text`. The capabilities themselves
//! lie in the new process's table in the order of their grant: see [`crate::CapId::granted`].

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// The process's own name.
    Name(&'a str),
    /// One argument, in order.
    Arg(&'a str),
    /// Grant number `n` goes by `name` and has interface `interface`.
    Cap {
        /// Its name.
        name: &'a str,
        /// Its interface id.
        interface: u64,
    },
    /// Export number `n` that this process is to serve on its endpoint goes by `name`.
    Export {
        /// Its name.
        name: &'a str,
        /// Its interface id.
        interface: u64,
    },
}

/// Why a block could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartupError {
    /// A text is longer than 255 bytes.
    TextTooLong,
    /// The buffer is full.
    NoRoom,
}

const NAME: u8 = 1;
const ARG: u8 = 2;
const CAP: u8 = 3;
const EXPORT: u8 = 4;
const FIXED: usize = 10;

/// Appends records to a buffer.
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    used: usize,
}

impl<'b> Writer<'b> {
    /// Starts at the beginning of `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Writer { buffer, used: 0 }
    }

    /// Appends one record, or changes nothing.
    pub fn push(&mut self, record: Record<'_>) -> Result<(), StartupError> {
        let (kind, value, text) = match record {
            Record::Name(text) => (NAME, 0, text),
            Record::Arg(text) => (ARG, 0, text),
            Record::Cap { name, interface } => (CAP, interface, name),
            Record::Export { name, interface } => (EXPORT, interface, name),
        };
        let len = u8::try_from(text.len()).map_err(|_| StartupError::TextTooLong)?;
        let end = self.used + FIXED + text.len();
        let room = self.buffer.get_mut(self.used..end).ok_or(StartupError::NoRoom)?;
        let (fixed, body) = room.split_at_mut(FIXED);
        let (head, tail) = fixed.split_at_mut(2);
        head.copy_from_slice(&[kind, len]);
        tail.copy_from_slice(&value.to_le_bytes());
        body.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }
}

/// Reads the records of a block; stops at the first malformed one.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Over a whole block.
    pub fn new(block: &'a [u8]) -> Self {
        Reader { rest: block }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (fixed, rest) = self.rest.split_at_checked(FIXED)?;
        let (kind, len) = (*fixed.first()?, usize::from(*fixed.get(1)?));
        let value = u64::from_le_bytes(fixed.get(2..)?.try_into().ok()?);
        let (text, rest) = rest.split_at_checked(len)?;
        let text = core::str::from_utf8(text).ok()?;
        self.rest = rest;
        match kind {
            NAME => Some(Record::Name(text)),
            ARG => Some(Record::Arg(text)),
            CAP => Some(Record::Cap { name: text, interface: value }),
            EXPORT => Some(Record::Export { name: text, interface: value }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Record, StartupError, Writer};

    const RECORDS: [Record<'static>; 5] = [
        Record::Name("serial"),
        Record::Arg(""),
        Record::Arg("--speed=115200"),
        Record::Cap { name: "serve", interface: u64::MAX },
        Record::Export { name: "stream", interface: 0x8000_0000_0000_0001 },
    ];

    fn write<'b>(buffer: &'b mut [u8], records: &[Record<'_>]) -> &'b [u8] {
        let mut writer = Writer::new(buffer);
        records.iter().for_each(|record| writer.push(*record).expect("room"));
        let len = writer.len();
        &buffer[..len]
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let mut buffer = [0; 256];
        let block = write(&mut buffer, &RECORDS);
        assert!(Reader::new(block).eq(RECORDS));
    }

    #[test]
    fn an_empty_block_has_no_records() {
        assert!(Writer::new(&mut []).is_empty());
        assert_eq!(Reader::new(&[]).next(), None);
    }

    #[test]
    fn a_record_that_does_not_fit_leaves_the_block_as_it_was() {
        let mut buffer = [0; 30];
        let mut writer = Writer::new(&mut buffer);
        writer.push(Record::Name("0123456789")).unwrap();
        assert_eq!(writer.push(Record::Arg("x")), Err(StartupError::NoRoom));
        assert_eq!(writer.len(), 20);
        writer.push(Record::Arg("")).unwrap();
        assert_eq!(writer.len(), 30);
    }

    #[test]
    fn texts_of_up_to_255_bytes_fit() {
        let text = [b'x'; 256];
        let text = core::str::from_utf8(&text).unwrap();
        let mut buffer = [0; 300];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.push(Record::Arg(text)), Err(StartupError::TextTooLong));
        assert!(writer.is_empty());
        writer.push(Record::Arg(&text[..255])).unwrap();
        assert_eq!(Reader::new(&buffer).next(), Some(Record::Arg(&text[..255])));
    }

    #[test]
    fn a_block_cut_anywhere_gives_only_whole_records() {
        let mut buffer = [0; 256];
        let block = write(&mut buffer, &RECORDS);
        for end in 0..block.len() {
            let whole = Reader::new(&block[..end]).count();
            assert!(whole < RECORDS.len());
            assert!(Reader::new(&block[..end]).eq(RECORDS[..whole].iter().copied()));
        }
    }

    #[test]
    fn an_unknown_kind_or_bad_text_ends_the_reading() {
        let mut buffer = [0; 256];
        let len = write(&mut buffer, &RECORDS).len();
        let mut unknown = buffer;
        unknown[0] = 99;
        assert_eq!(Reader::new(&unknown[..len]).next(), None);
        let mut garbled = buffer;
        garbled[10] = 0xff;
        assert_eq!(Reader::new(&garbled[..len]).next(), None);
    }
}
