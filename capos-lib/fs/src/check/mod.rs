//! Whether everything that is on a volume fits together: all references, counts, sizes and quotas, each inconsistency by name.

mod blocks;
mod books;
mod finding;
mod judge;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Error;
use crate::fs::Fs;
use crate::volume::View;
use blocks::blocks;
use books::Books;
use capos_store::{Disk, KEY_MAX, VALUE_MAX};

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

/// Something that is wrong with a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// With its blocks.
    Block(capos_store::Finding),
    /// With what they say.
    Record(Finding),
    /// What they say could not be read as a whole.
    Unreadable(Error),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Block(finding) => write!(f, "{finding}"),
            Wrong::Record(finding) => write!(f, "{finding}"),
            Wrong::Unreadable(error) => write!(f, "records: {error}"),
        }
    }
}

impl<D: Disk> Fs<capos_store::Volume<D>> {
    /// Commits, and looks at everything while nobody changes anything: every block, and every record. It keeps a bit in memory for each block
    /// in use, and some words for each object.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn check(&self) -> Result<Vec<Wrong>, Error> {
        let _turn = self.begin().await?;
        self.commit().await?;
        let mut wrong: Vec<Wrong> = blocks(self.volume()).await?.into_iter().map(Wrong::Block).collect();
        match check(self.volume()).await {
            Ok(findings) => wrong.extend(findings.into_iter().map(Wrong::Record)),
            Err(error) => wrong.push(Wrong::Unreadable(error)),
        }
        Ok(wrong)
    }
}
