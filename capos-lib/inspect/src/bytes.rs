//! Numbers in bytes, one after the other.

/// Writes into a record. What is too much for it is left out, which the layout's test would see.
pub struct Writer<'b> {
    left: &'b mut [u8],
}

impl<'b> Writer<'b> {
    pub(crate) fn new(out: &'b mut [u8]) -> Self {
        Writer { left: out }
    }

    /// Eight bytes.
    pub fn word(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Four.
    pub fn half(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// One.
    pub fn byte(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// As many as there are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if let Some((now, later)) = core::mem::take(&mut self.left).split_at_mut_checked(bytes.len()) {
            now.copy_from_slice(bytes);
            self.left = later;
        }
    }

    /// How many more fit.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }
}

/// Reads a record. Nothing is there behind its end.
pub struct Reader<'b> {
    left: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(crate) fn new(from: &'b [u8]) -> Self {
        Reader { left: from }
    }

    /// Eight bytes.
    pub fn word(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Four.
    pub fn half(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// One.
    pub fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// So many.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (now, later) = self.left.split_first_chunk()?;
        self.left = later;
        Some(*now)
    }
}
