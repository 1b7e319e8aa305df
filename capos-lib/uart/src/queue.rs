//! A bounded queue of bytes.

/// First in, first out, at most `N` bytes.
pub struct Queue<const N: usize> {
    bytes: [u8; N],
    head: usize,
    len: usize,
}

impl<const N: usize> Default for Queue<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Queue<N> {
    /// An empty queue.
    pub const fn new() -> Self {
        Queue { bytes: [0; N], head: 0, len: 0 }
    }

    /// Bytes in it.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that still fit.
    pub const fn room(&self) -> usize {
        N - self.len
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.head, self.len) = (0, 0);
    }

    /// Appends as many bytes as fit, and says how many that were.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        for byte in bytes.iter().take(self.room()) {
            if let Some(place) = self.bytes.get_mut((self.head + self.len) % N) {
                *place = *byte;
            }
            self.len += 1;
            count += 1;
        }
        count
    }

    /// Takes the oldest bytes, as many as there are and as fit, and says how many that were.
    pub fn pop(&mut self, out: &mut [u8]) -> usize {
        let mut count = 0;
        for place in out.iter_mut() {
            if self.len == 0 {
                break;
            }
            *place = self.bytes.get(self.head).copied().unwrap_or(0);
            self.head = (self.head + 1) % N;
            self.len -= 1;
            count += 1;
        }
        count
    }
}
