//! Writing: words of a known shape and the texts behind them.

use super::{BYTE_LIST, CAPABILITY, root};
use crate::error::EncodeError;

/// What can be written as a message.
pub trait Encode {
    /// Writes the message to the beginning of `out` and gives its length. After an error the bytes of `out` are undefined.
    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError>;
}

/// What one word of the pointer section stands for.
#[derive(Clone, Copy, Debug)]
pub enum Pointer<'a> {
    /// The capability of the same number.
    Capability,
    /// Zero-terminated text. Empty text is a null pointer.
    Text(&'a str),
    /// Bytes. No bytes are a null pointer.
    Data(&'a [u8]),
}

impl Pointer<'_> {
    /// Whether its word is null.
    #[inline]
    fn is_null(&self) -> bool {
        match self {
            Pointer::Capability => false,
            Pointer::Text(text) => text.is_empty(),
            Pointer::Data(data) => data.is_empty(),
        }
    }
}

/// Writes a message of these data words and pointers; of length zero when there is nothing but defaults. (A single word is not
/// looked at: that would cost more than writing it.)
#[inline]
pub fn write<const D: usize, const P: usize>(
    out: &mut [u8],
    data: [u64; D],
    pointers: [Pointer<'_>; P],
) -> Result<usize, EncodeError> {
    if D + P != 1 && data.iter().all(|word| *word == 0) && pointers.iter().all(Pointer::is_null) {
        return Ok(0);
    }
    let (words, _) = out.as_chunks_mut::<8>();
    let (fixed, tail) = words.split_at_mut_checked(1 + D + P).ok_or(EncodeError::NoRoom)?;
    let mut used = 0;
    let tail = tail.as_flattened_mut();
    let sections = core::iter::once(root(D, P)).chain(data);
    let (head, pointer_words) = fixed.split_at_mut_checked(1 + D).ok_or(EncodeError::NoRoom)?;
    for (room, word) in head.iter_mut().zip(sections) {
        *room = word.to_le_bytes();
    }
    for (index, (room, pointer)) in pointer_words.iter_mut().zip(pointers).enumerate() {
        let word = match pointer {
            Pointer::Capability => u64::from(CAPABILITY) | ((index as u64) << 32),
            pointer if pointer.is_null() => 0,
            Pointer::Text(text) => list(P - index - 1, &mut used, tail, text.as_bytes(), 1)?,
            Pointer::Data(data) => list(P - index - 1, &mut used, tail, data, 0)?,
        };
        *room = word.to_le_bytes();
    }
    Ok(8 * (1 + D + P) + used)
}

/// Lists of bytes are shorter than this: their length has 29 bits.
const LIST_LIMIT: usize = 1 << 29;

/// Appends bytes and `zeros` of terminator to `tail`, padded to words, and gives the pointer to them; `distance` is the number
/// of words between the pointer and the tail.
#[inline]
fn list(
    distance: usize,
    used: &mut usize,
    tail: &mut [u8],
    bytes: &[u8],
    zeros: usize,
) -> Result<u64, EncodeError> {
    let length = bytes.len() + zeros;
    let end = used.checked_add(length.next_multiple_of(8)).ok_or(EncodeError::NoRoom)?;
    let room = tail.get_mut(*used..end).filter(|_| end < LIST_LIMIT).ok_or(EncodeError::NoRoom)?;
    // Terminator and padding lie in the last word. Clearing all of it before the bytes come is one store.
    if let Some(last) = room.last_chunk_mut::<8>() {
        *last = [0; 8];
    }
    room.get_mut(..bytes.len()).ok_or(EncodeError::NoRoom)?.copy_from_slice(bytes);
    let offset = distance + *used / 8;
    *used = end;
    Ok(1 | ((offset as u64) << 2) | (BYTE_LIST << 32) | ((length as u64) << 35))
}
