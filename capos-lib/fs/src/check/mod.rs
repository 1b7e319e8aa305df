//! Whether everything that is on a volume fits together: all references, counts, sizes and quotas, each inconsistency by name.

mod books;
mod finding;
mod judge;

use alloc::vec::Vec;

use crate::error::Error;
use crate::fs::Fs;
use crate::look;
use crate::volume::{View, Volume};
use books::Books;

pub use finding::{Fault, Finding};

/// Looks at all records of a state of a volume. It keeps a few words in memory for each object.
///
/// # Errors
/// What the volume says: it has checks of its own, which come first.
pub async fn check(view: &impl View) -> Result<Vec<Finding>, Error> {
    let mut books = Books::default();
    // The smallest key there can be, and then what is behind the last.
    let mut from = Vec::new();
    while let Some(found) = look::next(view, &from).await? {
        books.enter(found.key(), found.value());
        from.clear();
        from.extend_from_slice(found.key());
        from.push(0);
    }
    Ok(books.judge())
}

impl<V: Volume> Fs<V> {
    /// Looks at all records while nobody changes any; see [`check`].
    ///
    /// # Errors
    /// See [`check`].
    pub async fn check(&self) -> Result<Vec<Finding>, Error> {
        let _turn = self.begin().await?;
        self.put_counters().await?;
        check(&self.volume).await
    }
}
