//! How much one process may write: a token bucket that holds one second's worth.

use crate::record::RECORD_OVERHEAD;

const SECOND_NS: u128 = 1_000_000_000;

/// The log bytes of one process. Full at first; refills continuously.
#[derive(Clone, Debug)]
pub struct LogBudget {
    bytes_per_second: u64,
    /// In billionths of a byte, so that no fraction is lost however often it is asked.
    available: u128,
    last_ns: u64,
    refused: u64,
}

impl LogBudget {
    /// At most `bytes_per_second`, and as much at once.
    pub const fn new(bytes_per_second: u64) -> Self {
        LogBudget {
            bytes_per_second,
            available: bytes_per_second as u128 * SECOND_NS,
            last_ns: 0,
            refused: 0,
        }
    }

    /// Takes what a record with `text_len` bytes of text costs, [`RECORD_OVERHEAD`] included: empty records flood as well. False,
    /// and nothing taken, when it is not there.
    pub fn take(&mut self, now_ns: u64, text_len: u64) -> bool {
        self.refill(now_ns);
        let cost = (u128::from(text_len) + RECORD_OVERHEAD as u128) * SECOND_NS;
        match self.available.checked_sub(cost) {
            Some(rest) => {
                self.available = rest;
                true
            }
            None => {
                self.refused = self.refused.saturating_add(1);
                false
            }
        }
    }

    /// How much of a second's worth is used up, bytes.
    pub fn used(&self, now_ns: u64) -> u64 {
        let mut now = self.clone();
        now.refill(now_ns);
        // At most what it holds, which fits.
        self.bytes_per_second.saturating_sub((now.available / SECOND_NS) as u64)
    }

    /// How many records were refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Time that goes backward (another CPU's clock read a moment earlier) adds nothing.
    fn refill(&mut self, now_ns: u64) {
        let elapsed = now_ns.saturating_sub(self.last_ns);
        let full = u128::from(self.bytes_per_second) * SECOND_NS;
        // Both factors are 64 bits wide, so the product fits.
        let gained = u128::from(elapsed) * u128::from(self.bytes_per_second);
        self.available = self.available.saturating_add(gained).min(full);
        self.last_ns = self.last_ns.max(now_ns);
    }
}
