//! A circle of bytes addressed by positions that only ever grow.

/// `N` bytes; position `p` lies at `p % N`.
pub(crate) struct Circle<const N: usize> {
    bytes: [u8; N],
}

impl<const N: usize> Circle<N> {
    pub const fn new() -> Self {
        Circle { bytes: [0; N] }
    }

    /// Where `position` lies, and how many bytes there are until the end of the array.
    fn place(position: u64) -> (usize, usize) {
        let at = position.checked_rem(N as u64).unwrap_or(0) as usize;
        (at, N - at)
    }

    /// Writes `from` at `position`, around the end if need be. At most `N` bytes.
    pub fn write(&mut self, position: u64, from: &[u8]) {
        let (at, room) = Self::place(position);
        let (first, rest) = from.split_at(room.min(from.len()));
        copy(self.bytes.get_mut(at..), first);
        copy(Some(&mut self.bytes), rest);
    }

    /// Reads into `out` from `position` on.
    pub fn read(&self, position: u64, out: &mut [u8]) {
        let (at, room) = Self::place(position);
        let (first, rest) = out.split_at_mut(room.min(out.len()));
        copy(Some(first), self.bytes.get(at..).unwrap_or_default());
        copy(Some(rest), &self.bytes);
    }
}

/// Copies as much as fits.
fn copy(to: Option<&mut [u8]>, from: &[u8]) {
    let to = to.unwrap_or_default();
    let len = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..len), from.get(..len)) {
        to.copy_from_slice(from);
    }
}
