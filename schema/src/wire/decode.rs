//! Reading: bytes of unknown origin become words of a known shape.

use super::{BYTE_LIST, CAPABILITY, EMPTY_ROOT, root};
use crate::error::DecodeError;

/// What can be read from a message, borrowing its texts.
pub trait Decode<'a>: Sized {
    /// Reads the struct. The message may be of an older or newer version of the schema: missing fields have their defaults,
    /// fields that we do not know are skipped.
    fn decode(message: &'a [u8]) -> Result<Self, DecodeError>;
}

/// Bytes of a word.
type Word = [u8; 8];

/// A message whose struct was found to lie within it, seen as `D` data and `P` pointer words.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a, const D: usize, const P: usize> {
    /// The data section; zero where the sender's is shorter.
    pub data: [u64; D],
    pointers: [u64; P],
    words: &'a [Word],
    /// Index of the first pointer word.
    pointers_at: usize,
    /// Index of the first word behind the struct.
    end: usize,
}

impl<'a, const D: usize, const P: usize> Message<'a, D, P> {
    /// Finds the struct of a message.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Result<Self, DecodeError> {
        if message.is_empty() {
            return Ok(Message { data: [0; D], pointers: [0; P], words: &[], pointers_at: 0, end: 0 });
        }
        let (words, rest) = message.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(DecodeError::Ragged);
        }
        if word(words, 0) != root(D, P) {
            return Self::parse_other_version(words);
        }
        let end = 1 + D + P;
        let Some(own) = words.get(..end) else { return Err(DecodeError::Truncated) };
        Ok(Message {
            data: core::array::from_fn(|i| word(own, 1 + i)),
            pointers: core::array::from_fn(|i| word(own, 1 + D + i)),
            words,
            pointers_at: 1 + D,
            end,
        })
    }

    /// The struct is larger or smaller than ours, or no struct at all.
    #[cold]
    fn parse_other_version(words: &'a [Word]) -> Result<Self, DecodeError> {
        let first = match word(words, 0) {
            EMPTY_ROOT => 0,
            other => other,
        };
        if first & 0xffff_ffff != 0 {
            return Err(DecodeError::BadRoot);
        }
        let pointers_at = 1 + usize::from((first >> 32) as u16);
        let end = pointers_at + usize::from((first >> 48) as u16);
        let (Some(data), Some(pointers)) = (words.get(1..pointers_at), words.get(pointers_at..end)) else {
            return Err(DecodeError::Truncated);
        };
        Ok(Message {
            data: core::array::from_fn(|i| word(data, i)),
            pointers: core::array::from_fn(|i| word(pointers, i)),
            words,
            pointers_at,
            end,
        })
    }

    /// Checks pointer number `index` to be a capability or null. Which one it is follows from its place, not from its index.
    #[inline]
    pub fn capability(&self, index: usize) -> Result<(), DecodeError> {
        match self.pointer(index) {
            0 => Ok(()),
            pointer if pointer as u32 == CAPABILITY => Ok(()),
            _ => Err(DecodeError::BadPointer),
        }
    }

    /// The data that pointer number `index` points to; empty when it is null.
    #[inline]
    pub fn bytes(&self, index: usize) -> Result<&'a [u8], DecodeError> {
        match self.pointer(index) {
            0 => Ok(&[]),
            pointer => self.list(index, pointer),
        }
    }

    /// The text that pointer number `index` points to; empty when it is null.
    #[inline]
    pub fn text(&self, index: usize) -> Result<&'a str, DecodeError> {
        let pointer = self.pointer(index);
        if pointer == 0 {
            return Ok("");
        }
        match self.list(index, pointer)?.split_last() {
            Some((0, text)) => core::str::from_utf8(text).map_err(|_| DecodeError::NotUtf8),
            _ => Err(DecodeError::NotTerminated),
        }
    }

    #[inline]
    fn pointer(&self, index: usize) -> u64 {
        self.pointers.get(index).copied().unwrap_or(0)
    }

    /// Follows a list pointer: offset (signed, in words, from behind the pointer) in bits 2 to 31, length in bits 35 to 63.
    #[inline]
    fn list(&self, index: usize, pointer: u64) -> Result<&'a [u8], DecodeError> {
        if pointer & 3 != 1 || (pointer >> 32) & 7 != BYTE_LIST {
            return Err(DecodeError::BadPointer);
        }
        let offset = (pointer as u32 >> 2) as usize;
        let length = (pointer >> 35) as usize;
        // A negative offset is a huge one here and lies outside.
        let start = self.pointers_at + index + 1 + offset;
        let rest = self.words.get(start..).filter(|_| start >= self.end).ok_or(DecodeError::OutOfBounds)?;
        rest.as_flattened().get(..length).ok_or(DecodeError::OutOfBounds)
    }
}

/// Word number `index`, zero behind the end.
#[inline(always)]
fn word(words: &[Word], index: usize) -> u64 {
    words.get(index).map_or(0, |word| u64::from_le_bytes(*word))
}
