//! Where some blocks of a file are that follow each other: one record for all of them.

use crate::error::Error;

use capos_store::Pointer;

/// How many blocks one record tells of.
pub const STRETCH: usize = 16;
/// The same, for numbers of blocks.
pub(crate) const STRETCH_BLOCKS: u64 = STRETCH as u64;
/// Most bytes of the record.
pub const STRETCH_BYTES: usize = STRETCH * Pointer::BYTES;

/// The pointers of one record. This one is no struct of Cap'n Proto but a list of the volume's pointers, without the holes at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch(pub [Pointer; STRETCH]);

/// A record as bytes, in place.
pub struct Encoded {
    bytes: [u8; STRETCH_BYTES],
    length: usize,
}

impl Encoded {
    /// The bytes; none for nothing but holes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Stretch {
    /// Nothing but holes.
    pub const EMPTY: Stretch = Stretch([Pointer::NONE; STRETCH]);

    /// As bytes.
    pub fn encode(&self) -> Encoded {
        let mut encoded = Encoded { bytes: [0; STRETCH_BYTES], length: 0 };
        let last = self.0.iter().rposition(|pointer| !pointer.is_none());
        let used = last.map_or(0, |last| last.saturating_add(1));
        encoded.length = used.saturating_mul(Pointer::BYTES);
        let (chunks, _) = encoded.bytes.as_chunks_mut::<{ Pointer::BYTES }>();
        for (to, pointer) in chunks.iter_mut().zip(&self.0).take(used) {
            *to = pointer.to_bytes();
        }
        encoded
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Stretch, Error> {
        let (chunks, rest) = bytes.as_chunks::<{ Pointer::BYTES }>();
        let mut stretch = Stretch::EMPTY;
        if !rest.is_empty() || chunks.is_empty() || chunks.len() > STRETCH {
            return Err(Error::Corrupt);
        }
        for (to, from) in stretch.0.iter_mut().zip(chunks) {
            *to = Pointer::from_bytes(from).ok_or(Error::Corrupt)?;
        }
        let last = stretch.0.get(chunks.len().saturating_sub(1));
        if last.is_none_or(Pointer::is_none) { Err(Error::Corrupt) } else { Ok(stretch) }
    }

    /// The blocks that are stored.
    pub fn stored(&self) -> impl Iterator<Item = &Pointer> {
        self.0.iter().filter(|pointer| !pointer.is_none())
    }
}
