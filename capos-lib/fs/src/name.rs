//! Names, as they are in directories and namespaces.

use crate::error::{Error, NameFault};

/// Most bytes of a name.
pub const MAX_NAME: usize = 255;

/// A name that was looked at: 1 to 255 bytes of UTF-8, no `/`, no NUL, neither `.` nor `..`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    /// Takes bytes from whoever for a name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(bytes: &'a [u8]) -> Result<Name<'a>, Error> {
        let fault = match bytes {
            [] => NameFault::Empty,
            b"." | b".." => NameFault::Dots,
            _ if bytes.len() > MAX_NAME => NameFault::Long,
            _ if bytes.iter().any(|byte| matches!(byte, 0 | b'/')) => NameFault::Byte,
            _ => match core::str::from_utf8(bytes) {
                Ok(text) => return Ok(Name(text)),
                Err(_) => NameFault::Encoding,
            },
        };
        Err(Error::Name(fault))
    }

    /// As text.
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// As bytes.
    pub const fn bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }
}
