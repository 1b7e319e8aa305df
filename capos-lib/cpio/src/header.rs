//! The 110 byte header of an entry: a magic number and thirteen fields of eight hexadecimal digits.

use crate::reader::Fault;

/// Length of a header.
pub(crate) const HEADER_LEN: usize = 110;
/// `newc` without checksums.
pub(crate) const MAGIC: &[u8; 6] = b"070701";
/// Mode of a regular file that everybody may read.
pub(crate) const REGULAR_FILE: u32 = 0o100_644;
/// Bits of a mode that tell the kind of file, and their value for a regular file.
pub(crate) const KIND_MASK: u32 = 0o170_000;
pub(crate) const KIND_REGULAR: u32 = 0o100_000;

const FIELD_LEN: usize = 8;

/// Places of the fields that matter here, in the order of cpio(5).
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Inode = 0,
    Mode = 1,
    Links = 4,
    FileSize = 6,
    NameSize = 11,
}

impl Field {
    fn offset(self) -> usize {
        MAGIC.len() + (self as usize) * FIELD_LEN
    }
}

/// Reads one field; a digit that is not hexadecimal is a fault of the archive.
pub(crate) fn read(header: &[u8; HEADER_LEN], field: Field) -> Result<u32, Fault> {
    let digits = header.iter().skip(field.offset()).take(FIELD_LEN);
    digits.into_iter().try_fold(0u32, |value, &digit| {
        let digit = char::from(digit).to_digit(16).ok_or(Fault::BadDigit)?;
        Ok((value << 4) | digit)
    })
}

/// A header with every field zero, except for those given.
pub(crate) fn write(fields: &[(Field, u32)]) -> [u8; HEADER_LEN] {
    let mut header = [b'0'; HEADER_LEN];
    for (to, &from) in header.iter_mut().zip(MAGIC) {
        *to = from;
    }
    for &(field, value) in fields {
        for (place, to) in header.iter_mut().skip(field.offset()).take(FIELD_LEN).enumerate() {
            let shift = 28 - 4 * place;
            *to = hex_digit((value >> shift) & 0xf);
        }
    }
    header
}

fn hex_digit(nibble: u32) -> u8 {
    char::from_digit(nibble, 16).map_or(b'0', |digit| digit.to_ascii_uppercase() as u8)
}
