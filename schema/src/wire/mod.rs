//! The layout that all generated structs share, written once.
//!
//! | Words | What |
//! |---|---|
//! | 1 | root: struct pointer, offset 0, number of data and pointer words |
//! | `D` | data section: scalars at the offsets that the Cap'n Proto compiler chose |
//! | `P` | pointer section: capabilities first, then texts and data |
//! | rest | bytes of texts (zero-terminated) and data, each padded to whole words |
//!
//! A message of length zero stands for the struct with all fields at their defaults: null calls carry nothing.

mod decode;
mod encode;

pub use decode::{Decode, Message};
pub use encode::{Encode, Pointer, write};

use crate::error::{DecodeError, EncodeError};

/// Interface id that stands for a capability of any interface.
pub const ANY: u64 = 0;

/// Low half of a capability pointer; the high half is its index.
const CAPABILITY: u32 = 3;

/// Low three bits of the high half of a list pointer: elements are bytes.
const BYTE_LIST: u64 = 2;

/// Root pointer of a struct with so many data and pointer words that follows at once.
const fn root(data: usize, pointers: usize) -> u64 {
    ((data as u64) << 32) | ((pointers as u64) << 48)
}

/// Root pointer of an empty struct as other implementations write it: offset -1, so that it does not point behind the end.
const EMPTY_ROOT: u64 = 0xffff_fffc;

/// The message of a method that takes or gives nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Empty;

impl Encode for Empty {
    #[inline]
    fn encode(&self, _: &mut [u8]) -> Result<usize, EncodeError> {
        Ok(0)
    }
}

impl Decode<'_> for Empty {
    /// Accepts whatever fields a newer peer may have sent, but not what is no message.
    #[inline]
    fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Message::<0, 0>::parse(message).map(|_| Empty)
    }
}

#[cfg(test)]
mod tests;
