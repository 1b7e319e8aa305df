//! Where some blocks of a file are that follow each other: one record for all of them.

use crate::error::Error;
use crate::volume::{HOLE, Pointer};

/// How many blocks one record tells of.
pub const STRETCH: usize = 16;
/// The same, for numbers of blocks.
pub(crate) const STRETCH_BLOCKS: u64 = STRETCH as u64;
/// Most bytes of the record.
pub const STRETCH_BYTES: usize = STRETCH * size_of::<Pointer>();

/// The pointers of one record. This one is no struct of Cap'n Proto but a list of the volume's pointers, without the holes at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch(pub [Pointer; STRETCH]);

impl Stretch {
    /// Nothing but holes.
    pub const EMPTY: Stretch = Stretch([HOLE; STRETCH]);

    /// As bytes; none for nothing but holes.
    pub fn encode(&self) -> &[u8] {
        let used =
            self.0.iter().rposition(|pointer| *pointer != HOLE).map_or(0, |last| last.saturating_add(1));
        self.0.get(..used).unwrap_or_default().as_flattened()
    }

    /// From bytes.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Stretch, Error> {
        let (pointers, rest) = bytes.as_chunks::<{ size_of::<Pointer>() }>();
        let mut stretch = Stretch::EMPTY;
        match (pointers.last(), stretch.0.get_mut(..pointers.len())) {
            (Some(last), Some(to)) if *last != HOLE && rest.is_empty() => to.copy_from_slice(pointers),
            _ => return Err(Error::Corrupt),
        }
        Ok(stretch)
    }

    /// The blocks that are stored.
    pub fn stored(&self) -> impl Iterator<Item = &Pointer> {
        self.0.iter().filter(|pointer| **pointer != HOLE)
    }
}
