//! Reading an archive: an iterator of checked views into the bytes.

use core::fmt;

use crate::header::{self, Field, HEADER_LEN, KIND_MASK, KIND_REGULAR, MAGIC};
use crate::{MAX_NAME_SIZE, TRAILER};

/// An archive in memory. Nothing is checked before [`Archive::entries`] walks it.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
}

impl<'a> Archive<'a> {
    /// A view of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Archive { bytes }
    }

    /// The entries in their order. The iterator ends after the trailer or after the first fault.
    pub fn entries(&self) -> Entries<'a> {
        Entries { bytes: self.bytes, at: 0, ended: false }
    }

    /// The data of the first regular file with this name.
    pub fn find(&self, name: &str) -> Result<Option<Entry<'a>>, CpioError> {
        for entry in self.entries() {
            let entry = entry?;
            if entry.is_file() && entry.name() == name {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// What is wrong with an archive: always the fault of who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpioError {
    /// Offset of the header of the entry at fault.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// The ways in which an entry can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The archive ends before its trailer or in the middle of an entry.
    Truncated,
    /// The entry does not start with the magic number of `newc`.
    BadMagic,
    /// A header field holds something else than hexadecimal digits.
    BadDigit,
    /// The name is empty.
    NameEmpty,
    /// The name is longer than [`MAX_NAME_SIZE`].
    NameTooLong,
    /// The name does not end with a NUL, or something other than NULs follows it.
    NameNotTerminated,
    /// The name is not UTF-8.
    NameNotUtf8,
}

impl fmt::Display for CpioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::Truncated => "ends too early",
            Fault::BadMagic => "is not a newc header",
            Fault::BadDigit => "has a header field that is not hexadecimal",
            Fault::NameEmpty => "has an empty name",
            Fault::NameTooLong => "has a name that is too long",
            Fault::NameNotTerminated => "has a name without its end",
            Fault::NameNotUtf8 => "has a name that is not UTF-8",
        };
        write!(f, "the entry at byte {} {what}", self.at)
    }
}

impl core::error::Error for CpioError {}

/// One entry: name, data and where the data lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    name: &'a str,
    data: &'a [u8],
    data_offset: usize,
    mode: u32,
}

impl<'a> Entry<'a> {
    /// The name as it stands in the archive, without padding.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The last part of the name: what a boot file is called.
    pub fn base_name(&self) -> &'a str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }

    /// The file's bytes.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Offset of the data from the start of the archive.
    pub fn data_offset(&self) -> usize {
        self.data_offset
    }

    /// Whether this is a regular file, not a folder or a link.
    pub fn is_file(&self) -> bool {
        self.mode & KIND_MASK == KIND_REGULAR
    }
}

/// Iterator over the entries of an [`Archive`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    ended: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, CpioError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let start = self.at;
        match read_entry(self.bytes, start) {
            Ok((entry, _)) if entry.name == TRAILER => {
                self.ended = true;
                None
            }
            Ok((entry, next)) => {
                self.at = next;
                Some(Ok(entry))
            }
            Err(fault) => {
                self.ended = true;
                Some(Err(CpioError { at: start, fault }))
            }
        }
    }
}

impl core::iter::FusedIterator for Entries<'_> {}

/// Reads the entry whose header is at `at`; also says where the next one starts.
fn read_entry(bytes: &[u8], at: usize) -> Result<(Entry<'_>, usize), Fault> {
    let header: &[u8; HEADER_LEN] = span(bytes, at, HEADER_LEN)?.try_into().map_err(|_| Fault::Truncated)?;
    if !header.starts_with(MAGIC) {
        return Err(Fault::BadMagic);
    }
    let mode = header::read(header, Field::Mode)?;
    let file_size = header::read(header, Field::FileSize)? as usize;
    let name_size = header::read(header, Field::NameSize)? as usize;

    let name_at = at.checked_add(HEADER_LEN).ok_or(Fault::Truncated)?;
    let name = read_name(bytes, name_at, name_size)?;
    let data_offset = padded(name_at.checked_add(name_size).ok_or(Fault::Truncated)?)?;
    let data = span(bytes, data_offset, file_size)?;
    let next = padded(data_offset.checked_add(file_size).ok_or(Fault::Truncated)?)?;
    Ok((Entry { name, data, data_offset, mode }, next))
}

fn read_name(bytes: &[u8], at: usize, size: usize) -> Result<&str, Fault> {
    if size > MAX_NAME_SIZE {
        return Err(Fault::NameTooLong);
    }
    let field = span(bytes, at, size)?;
    let length = field.iter().position(|&byte| byte == 0).ok_or(Fault::NameNotTerminated)?;
    let (name, padding) = field.split_at(length);
    if padding.iter().any(|&byte| byte != 0) {
        return Err(Fault::NameNotTerminated);
    }
    if name.is_empty() {
        return Err(Fault::NameEmpty);
    }
    core::str::from_utf8(name).map_err(|_| Fault::NameNotUtf8)
}

/// The `len` bytes at `at`, if the archive has them.
fn span(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], Fault> {
    let end = at.checked_add(len).ok_or(Fault::Truncated)?;
    bytes.get(at..end).ok_or(Fault::Truncated)
}

/// Headers and data start at multiples of four.
fn padded(offset: usize) -> Result<usize, Fault> {
    offset.checked_next_multiple_of(4).ok_or(Fault::Truncated)
}
