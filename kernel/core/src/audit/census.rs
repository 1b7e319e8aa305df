//! How many kernel objects there are, whoever can still reach them: one that nobody can reach any more shows here and nowhere else.

use core::sync::atomic::{AtomicU64, Ordering};

/// What is counted. Ended processes and dead threads count as long as somebody has a reference to them.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Process,
    Thread,
    Endpoint,
    Facet,
    Notification,
}

static LIVE: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

fn live(kind: Kind) -> &'static AtomicU64 {
    // In bounds: there is a place for each kind.
    &LIVE[kind as usize]
}

/// How many there are now.
pub(crate) fn count(kind: Kind) -> u64 {
    live(kind).load(Ordering::Relaxed)
}

/// Part of an object that is counted as long as it lives.
pub(crate) struct Counted(Kind);

impl Counted {
    /// One more.
    pub fn new(kind: Kind) -> Self {
        live(kind).fetch_add(1, Ordering::Relaxed);
        Counted(kind)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        live(self.0).fetch_sub(1, Ordering::Relaxed);
    }
}
