//! Many records of one kind.

use crate::bytes::{Reader, Writer};
use core::marker::PhantomData;

/// What has a fixed place in bytes.
pub trait Record: Sized {
    /// Bytes of one, as this version knows it. A multiple of 8.
    const LEN: usize;

    /// Writes exactly so many.
    fn put(&self, to: &mut Writer<'_>);

    /// Reads them. `None` for what cannot be.
    fn take(from: &mut Reader<'_>) -> Option<Self>;
}

/// The bytes are no records of that kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// Records in the making.
pub struct Page<'b, R> {
    out: &'b mut [u8],
    used: usize,
    kind: PhantomData<R>,
}

impl<'b, R: Record> Page<'b, R> {
    /// None yet, and room for as many as fit.
    pub fn new(out: &'b mut [u8]) -> Self {
        Page { out, used: 0, kind: PhantomData }
    }

    /// How many more fit.
    pub fn room(&self) -> usize {
        (self.out.len() - self.used) / R::LEN
    }

    /// Whether one more fits.
    pub fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// One more. False when it does not fit.
    pub fn push(&mut self, record: &R) -> bool {
        let Some(room) = self.out.get_mut(self.used..self.used + R::LEN) else { return false };
        record.put(&mut Writer::new(room));
        self.used += R::LEN;
        true
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        self.out.get(..self.used).unwrap_or_default()
    }
}

/// Records that somebody else wrote.
#[derive(Clone, Copy)]
pub struct Records<'b, R> {
    bytes: &'b [u8],
    length: usize,
    kind: PhantomData<R>,
}

impl<'b, R: Record> Records<'b, R> {
    /// Those in `bytes`, each `length` long: what there is beyond [`Record::LEN`] is of a later version, and passed over.
    ///
    /// # Errors
    /// [`Malformed`] when they are shorter than that, or not whole.
    pub fn new(bytes: &'b [u8], length: usize) -> Result<Self, Malformed> {
        if length < R::LEN || !bytes.len().is_multiple_of(length) {
            return Err(Malformed);
        }
        Ok(Records { bytes, length, kind: PhantomData })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Result<R, Malformed>> + use<'b, R> {
        self.bytes.chunks_exact(self.length).map(|bytes| R::take(&mut Reader::new(bytes)).ok_or(Malformed))
    }
}
