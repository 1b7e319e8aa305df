//! A listing, answer by answer, to its end.

use crate::page::{Malformed, Record, Records};
use alloc::vec::Vec;

/// How often a listing is begun anew because something came or went in the middle of a list. After that it is taken as it comes.
const TRIES: usize = 3;

/// The place that the next answer is to begin at, and the epoch that the list there is to have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// Process.
    pub process: u64,
    /// What it is of that process.
    pub index: u64,
    /// 0: any.
    pub epoch: u64,
}

/// What has been read. Whoever reads asks for [`Reading::next`] and tells what came of it, until that is `None`.
pub struct Reading<R> {
    records: Vec<R>,
    next: Option<Place>,
    /// Attempts that are left.
    tries: usize,
}

impl<R: Record> Reading<R> {
    /// Nothing yet.
    pub fn new() -> Self {
        Reading { records: Vec::new(), next: Some(Place::default()), tries: TRIES }
    }

    /// Where to go on; `None` at the end.
    pub fn next(&self) -> Option<Place> {
        self.next
    }

    /// An answer came: where the one behind it begins, `None` at the end, and records that are so long.
    ///
    /// # Errors
    /// [`Malformed`], also when the answer does not come forward.
    pub fn heard(&mut self, next: Option<Place>, length: usize, bytes: &[u8]) -> Result<(), Malformed> {
        for record in Records::new(bytes, length)?.iter() {
            self.records.push(record?);
        }
        let at = self.next.take().unwrap_or_default();
        if next.is_some_and(|next| (next.process, next.index) <= (at.process, at.index)) {
            return Err(Malformed);
        }
        let careful = self.tries > 0;
        self.next = next.map(|next| Place { epoch: if careful { next.epoch } else { 0 }, ..next });
        Ok(())
    }

    /// The list is not what it was: all begins anew.
    pub fn changed(&mut self) {
        self.tries = self.tries.saturating_sub(1);
        self.records.clear();
        self.next = Some(Place::default());
    }

    /// All that was read, and whether no list changed in the middle of it.
    pub fn finish(self) -> (Vec<R>, bool) {
        (self.records, self.tries > 0)
    }
}

impl<R: Record> Default for Reading<R> {
    fn default() -> Self {
        Reading::new()
    }
}
