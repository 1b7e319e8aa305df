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
