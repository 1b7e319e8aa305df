//! A Cap'n Proto struct in one segment, without the table of segments: a root pointer and the words of the struct.
//!
//! What the `capnp` crate writes for the structs of schema/volume_records.capnp is the same, byte for byte, as the tests show. Records
//! are read and written on the way of every operation, so they are not walked as messages.

use crate::error::Error;

/// A struct pointer (Cap'n Proto's encoding) to the words behind it.
pub(super) const fn root(words: u16, pointers: u16) -> u64 {
    (words as u64) << 32 | (pointers as u64) << 48
}

/// A struct of `N - 1` words of data, from its root pointer and these.
pub(super) fn join<const N: usize, const BYTES: usize>(words: [u64; N]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (to, from) in chunks.iter_mut().zip(words) {
        *to = from.to_le_bytes();
    }
    bytes
}

/// The words of a struct, its root pointer first.
pub(super) fn split<const N: usize>(bytes: &[u8]) -> Result<[u64; N], Error> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let words: &[[u8; 8]; N] = chunks.try_into().map_err(|_| Error::Corrupt)?;
    if !rest.is_empty() {
        return Err(Error::Corrupt);
    }
    Ok(words.map(u64::from_le_bytes))
}

/// The words of a struct that has data only.
pub(super) fn data<const N: usize>(bytes: &[u8]) -> Result<[u64; N], Error> {
    let words = split::<N>(bytes)?;
    let pointer = words.first().copied().unwrap_or_default();
    let count = u16::try_from(N.saturating_sub(1)).unwrap_or_default();
    if pointer == root(count, 0) { Ok(words) } else { Err(Error::Corrupt) }
}
