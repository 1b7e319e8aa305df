//! Everything that is on a volume, looked at.

use super::{Files, block_on};
use crate::exec::{Context, Failure};

/// Names every inconsistency; false when there is one.
pub fn check(files: &Files) -> Result<bool, Failure> {
    let wrong = block_on(files.check()).context("check")?;
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    let (space, objects) = (files.volume().space(), files.objects());
    println!(
        "{objects} objects, {} of {} blocks free: {} found wrong",
        space.free,
        space.blocks,
        wrong.len()
    );
    Ok(wrong.is_empty())
}
