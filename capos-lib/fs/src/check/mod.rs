//! Whether everything that is on a volume fits together: all references, counts, sizes and quotas, each inconsistency by name.
//!
//! All records go by, and what they say of other objects is kept in mind: of so many objects at a time, those with the lowest numbers. For the
//! others all records go by again. So memory does not follow the number of objects.

mod blocks;
mod books;
mod finding;
mod judge;
mod own;
mod rings;
mod window;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Error;
use crate::fs::Fs;
use crate::key::{self, ObjectId};
use crate::volume::View;
use blocks::blocks;
use books::Books;
use capos_store::{Disk, KEY_MAX, VALUE_MAX};

pub use finding::{Fault, Finding};
#[cfg(test)]
pub(crate) use window::Window;

/// Objects that are kept in mind at a time: some 200 bytes each.
pub const AT_A_TIME: usize = 32_768;

/// Looks at all records of a state of a volume.
///
/// # Errors
/// What the volume says: it has checks of its own, which come first.
pub async fn check(view: &impl View) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    check_records(view, AT_A_TIME, &mut |finding| findings.push(finding)).await?;
    Ok(findings)
}

/// The same with so many objects kept in mind at a time; how often all records went by.
pub(crate) async fn check_records(
    view: &impl View,
    most: usize,
    found: &mut impl FnMut(Finding),
) -> Result<u32, Error> {
    let (mut books, mut sweeps) = (Books::new(found, most), 0u32);
    loop {
        sweep(view, &mut books).await?;
        sweeps = sweeps.saturating_add(1);
        books.judge(view, most).await?;
        if books.is_done() {
            return Ok(sweeps);
        }
        books.is_first = false;
    }
}

/// Takes all records down.
async fn sweep<F: FnMut(Finding)>(view: &impl View, books: &mut Books<'_, F>) -> Result<(), Error> {
    let (mut key, mut value) = (Box::new([0; KEY_MAX]), Box::new([0; VALUE_MAX]));
    // The smallest key that there can be, and then what is behind the last.
    let mut from = Vec::from([0]);
    while let Some((length, with)) = view.next(&from, &mut *key, &mut *value).await? {
        let key = key.get(..length).unwrap_or_default();
        books.enter(view, key, value.get(..with).unwrap_or_default()).await?;
        from.clear();
        match key::parse(key).filter(|(object, part, _)| books.is_enough(*object, *part)) {
            Some((object, ..)) => {
                let Some(next) = object.0.checked_add(1) else { break };
                from.extend_from_slice(&key::object(ObjectId(next)));
            }
            None => {
                from.extend_from_slice(key);
                from.push(0);
            }
        }
    }
    books.end_object();
    Ok(())
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
    /// All that [`Fs::check_each`] finds.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn check(&self) -> Result<Vec<Wrong>, Error> {
        let mut wrong = Vec::new();
        self.check_each(&mut |one| wrong.push(one)).await?;
        Ok(wrong)
    }

    /// Commits, and looks at everything while nobody changes anything: every block, and every record. It keeps a bit in memory for each block
    /// in use, and some words for each of [`AT_A_TIME`] objects.
    ///
    /// # Errors
    /// What the volume says.
    pub async fn check_each(&self, found: &mut impl FnMut(Wrong)) -> Result<(), Error> {
        let _turn = self.begin().await?;
        self.commit().await?;
        blocks(self.volume(), found).await?;
        let checked =
            check_records(self.volume(), AT_A_TIME, &mut |finding| found(Wrong::Record(finding))).await;
        if let Err(error) = checked {
            found(Wrong::Unreadable(error));
        }
        Ok(())
    }
}
