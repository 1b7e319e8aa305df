//! Writing an archive, deterministically: no owner, no time, no inode but the entry's number.

use core::fmt;

use crate::header::{self, Field, HEADER_LEN, REGULAR_FILE};
use crate::{DATA_ALIGNMENT, MAX_NAME_SIZE, TRAILER};

/// Why a file cannot be put into an archive: the fault of who asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// A name must not be empty.
    NameEmpty,
    /// A name must not contain a NUL.
    NameHasNul,
    /// The name does not fit beside its header in one page.
    NameTooLong,
    /// The name is the one that ends an archive.
    NameReserved,
    /// `newc` has 32 bits for the size of a file.
    FileTooLarge,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteError::NameEmpty => "the name is empty",
            WriteError::NameHasNul => "the name contains a NUL",
            WriteError::NameTooLong => "the name is too long",
            WriteError::NameReserved => "the name is the one that ends an archive",
            WriteError::FileTooLarge => "the file is larger than 4 GiB",
        })
    }
}

impl core::error::Error for WriteError {}

/// Writes an archive piece by piece into a callback that takes the bytes in their order.
pub struct Writer<'s> {
    sink: &'s mut dyn FnMut(&[u8]),
    offset: u64,
    entries: u32,
}

impl<'s> Writer<'s> {
    /// Starts an empty archive.
    pub fn new(sink: &'s mut dyn FnMut(&[u8])) -> Self {
        Writer { sink, offset: 0, entries: 0 }
    }

    /// Appends a regular file whose data starts on a multiple of [`DATA_ALIGNMENT`]. A refused file leaves the archive as it was.
    pub fn file(&mut self, name: &str, data: &[u8]) -> Result<(), WriteError> {
        check_name(name)?;
        let size = u32::try_from(data.len()).map_err(|_| WriteError::FileTooLarge)?;
        self.entry(name, REGULAR_FILE, size, padded_name_size(self.offset, name.len()));
        self.put(data);
        self.pad_to_word();
        Ok(())
    }

    /// Ends the archive and says how long it is.
    pub fn finish(mut self) -> u64 {
        self.entry(TRAILER, 0, 0, TRAILER.len() + 1);
        self.pad_to_word();
        self.offset
    }

    /// Header and name. `name_size` counts the name with all its NULs.
    fn entry(&mut self, name: &str, mode: u32, file_size: u32, name_size: usize) {
        self.entries += 1;
        let header = header::write(&[
            (Field::Inode, self.entries),
            (Field::Mode, mode),
            (Field::Links, 1),
            (Field::FileSize, file_size),
            (Field::NameSize, name_size as u32),
        ]);
        self.put(&header);
        self.put(name.as_bytes());
        self.zeros(name_size.saturating_sub(name.len()));
        self.pad_to_word();
    }

    fn put(&mut self, bytes: &[u8]) {
        (self.sink)(bytes);
        self.offset += bytes.len() as u64;
    }

    fn zeros(&mut self, count: usize) {
        const ZEROS: [u8; 256] = [0; 256];
        let mut left = count;
        while let Some(piece) = ZEROS.get(..left.min(ZEROS.len())).filter(|piece| !piece.is_empty()) {
            self.put(piece);
            left -= piece.len();
        }
    }

    fn pad_to_word(&mut self) {
        self.zeros((self.offset.next_multiple_of(4) - self.offset) as usize);
    }
}

fn check_name(name: &str) -> Result<(), WriteError> {
    if name.is_empty() {
        return Err(WriteError::NameEmpty);
    }
    if name.contains('\0') {
        return Err(WriteError::NameHasNul);
    }
    if name == TRAILER {
        return Err(WriteError::NameReserved);
    }
    // Padding adds less than a page to a name, so that what is written can always be read again.
    if name.len() >= MAX_NAME_SIZE - DATA_ALIGNMENT {
        return Err(WriteError::NameTooLong);
    }
    Ok(())
}

/// The size that a name must be given, so that the data after it starts on a page boundary.
fn padded_name_size(header_at: u64, name_len: usize) -> usize {
    let name_at = header_at + HEADER_LEN as u64;
    let least_end = name_at + name_len as u64 + 1;
    (least_end.next_multiple_of(DATA_ALIGNMENT as u64) - name_at) as usize
}
