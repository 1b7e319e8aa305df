//! Who has snapshots open.

use alloc::collections::BTreeMap;
use core::cell::RefCell;

/// How many facets there are of what each snapshot keeps.
#[derive(Default)]
pub struct Open(RefCell<BTreeMap<u64, usize>>);

impl Open {
    /// One more.
    pub fn add(&self, snapshot: Option<u64>) {
        if let Some(snapshot) = snapshot {
            *self.0.borrow_mut().entry(snapshot).or_default() += 1;
        }
    }

    /// One less.
    pub fn remove(&self, snapshot: Option<u64>) {
        let mut open = self.0.borrow_mut();
        let Some(count) = snapshot.and_then(|snapshot| open.get_mut(&snapshot)) else { return };
        *count -= 1;
        if *count == 0 {
            open.retain(|_, count| *count > 0);
        }
    }

    /// Whether there is any.
    pub fn is_open(&self, snapshot: u64) -> bool {
        self.0.borrow().contains_key(&snapshot)
    }
}
