//! Whether everything that is on a volume fits together: all references, counts, sizes and quotas, each inconsistency by name.

mod books;
mod finding;
mod judge;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId, Part};
use crate::record::Stretch;
use crate::volume::{View, Volume};
use books::Books;
use capos_store::{KEY_MAX, Pointer, VALUE_MAX};

pub use finding::{Fault, Finding};

/// Looks at all records of a state of a volume. It keeps a few words in memory for each object.
///
/// # Errors
/// What the volume says: it has checks of its own, which come first.
pub async fn check(view: &impl View) -> Result<Vec<Finding>, Error> {
    let mut books = Books::default();
    let (mut key, mut value) = (Box::new([0; KEY_MAX]), Box::new([0; VALUE_MAX]));
    // The smallest key that there can be, and then what is behind the last.
    let mut from = Vec::from([0]);
    while let Some((length, with)) = view.next(&from, &mut *key, &mut *value).await? {
        let key = key.get(..length).unwrap_or_default();
        books.enter(key, value.get(..with).unwrap_or_default());
        from.clear();
        from.extend_from_slice(key);
        from.push(0);
    }
    Ok(books.judge())
}

/// Adds the pointers that a record has: what the volume's own check wants to know.
pub fn pointers(key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>) {
    let is_own = |object: ObjectId| object != ObjectId::VOLUME;
    if let Some((_, Part::Stretch, _)) = key::parse(key).filter(|(object, ..)| is_own(*object))
        && let Ok(stretch) = Stretch::decode(value)
    {
        pointers.extend(stretch.stored());
    }
}

impl<V: Volume> Fs<V> {
    /// Looks at all records while nobody changes any; see [`check`].
    ///
    /// # Errors
    /// See [`check`].
    pub async fn check(&self) -> Result<Vec<Finding>, Error> {
        let _turn = self.begin().await?;
        self.put_counters().await?;
        check(&self.view.volume).await
    }
}
