//! Completions by kind.

use core::sync::atomic::{AtomicU64, Ordering};
use rt::TransportError;
use rt::abi::Cqe;
use rt::abi::ring::cqe_flags;

/// Kinds: 0 for success, from 1 on the transport errors, then exceptions, and numbers that are not in the ABI.
pub const KINDS: usize = UNTYPED + 1;
/// Exceptions.
pub const EXCEPTIONS: usize = TransportError::ALL.len() + 1;
/// Results that the ABI does not know: there must be none.
pub const UNTYPED: usize = EXCEPTIONS + 1;

/// Counters that all hostile threads of a process share.
pub struct Stats {
    /// Entries that the kernel took.
    pub entries: AtomicU64,
    /// `cap_enter` calls that found the indices corrupt.
    pub corrupt: AtomicU64,
    kinds: [AtomicU64; KINDS],
}

impl Stats {
    /// All zero.
    pub const fn new() -> Stats {
        Stats {
            entries: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
            kinds: [const { AtomicU64::new(0) }; KINDS],
        }
    }

    /// Counts a completion.
    pub fn count(&self, cqe: &Cqe) {
        if let Some(kind) = self.kinds.get(kind(cqe)) {
            kind.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries, corrupt indices, then all kinds; everything starts again at zero.
    pub fn take(&self) -> [u64; KINDS + 2] {
        core::array::from_fn(|n| match n {
            0 => self.entries.swap(0, Ordering::Relaxed),
            1 => self.corrupt.swap(0, Ordering::Relaxed),
            n => self.kinds.get(n - 2).map_or(0, |kind| kind.swap(0, Ordering::Relaxed)),
        })
    }
}

fn kind(cqe: &Cqe) -> usize {
    match cqe.result {
        0.. if cqe.flags & cqe_flags::EXCEPTION != 0 => EXCEPTIONS,
        0.. => 0,
        code => TransportError::from_code(code).map_or(UNTYPED, |error| error.code().unsigned_abs() as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::{EXCEPTIONS, KINDS, Stats, UNTYPED, kind};
    use rt::TransportError;
    use rt::abi::Cqe;
    use rt::abi::ring::cqe_flags;

    #[test]
    fn every_completion_has_its_kind() {
        let with = |result, flags| kind(&Cqe { result, flags, ..Cqe::default() });
        assert_eq!(with(24, 0), 0);
        assert_eq!(with(0, cqe_flags::EXCEPTION), EXCEPTIONS);
        assert_eq!(with(-77, 0), UNTYPED);
        for error in TransportError::ALL {
            assert!((1..EXCEPTIONS).contains(&with(error.code(), 0)));
        }
    }

    #[test]
    fn taking_starts_again() {
        let stats = Stats::new();
        stats.count(&Cqe::default());
        assert_eq!(stats.take().iter().sum::<u64>(), 1);
        assert_eq!(stats.take(), [0; KINDS + 2]);
    }
}
