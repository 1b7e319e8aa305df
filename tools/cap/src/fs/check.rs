//! Everything that is on a volume, looked at.

use capos_store::{Finding, Findings, Pointer};

use super::{Files, block_on};
use crate::exec::{Context, Failure};

#[derive(Default)]
struct Notes(Vec<Finding>);

impl Findings for Notes {
    fn pointers(&mut self, key: &[u8], value: &[u8], pointers: &mut Vec<Pointer>) {
        capos_fs::pointers(key, value, pointers);
    }

    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

/// Names every inconsistency; false when there is one.
pub fn check(files: &Files) -> Result<bool, Failure> {
    let mut notes = Notes::default();
    block_on(files.volume().check(&mut notes, true)).context("blocks")?;
    notes.0.iter().for_each(|finding| println!("{finding}"));
    // Records that cannot be read have been named already.
    let records = block_on(capos_fs::check(files.volume())).inspect_err(|error| println!("records: {error}"));
    let count = records.as_ref().map_or(1, |findings| findings.len());
    records.iter().flatten().for_each(|finding| println!("{finding}"));
    let space = files.volume().space();
    let wrong = notes.0.len() + count;
    println!(
        "{} objects, {} of {} blocks free: {wrong} found wrong",
        files.objects(),
        space.free,
        space.blocks
    );
    Ok(wrong == 0)
}
