//! Everything that is on a volume, looked at.

use std::collections::BTreeSet;

use super::slots::{self, Remark};
use super::{Files, block_on, snapshots};
use crate::exec::{Context, Failure};
use capos_store::Mounted;

/// Names every inconsistency; false when there is one.
pub fn check(files: &Files, mounted: &Mounted) -> Result<bool, Failure> {
    let slots = slots::remarks(files, mounted);
    slots.iter().for_each(|remark| println!("{}", remark.text));
    let wrong = block_on(files.check()).context("check")?;
    // What snapshots share is found with each.
    let mut said = BTreeSet::new();
    let wrong: Vec<String> =
        wrong.iter().map(ToString::to_string).filter(|it| said.insert(it.clone())).collect();
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    let mut count = wrong.len() + slots.iter().filter(|remark| remark.is_wrong).count();
    for snapshot in files.volume().snapshots() {
        println!("snapshot {}", snapshots::called(&snapshot));
        // What is being deleted cannot be opened any more; its blocks were looked at above.
        if !snapshot.deleting {
            count += records(files, snapshot.id);
        }
    }
    println!("{}", summary(files, &slots, count).context("check")?);
    Ok(count == 0)
}

/// The verdict in one line.
fn summary(files: &Files, slots: &[Remark], count: usize) -> Result<String, capos_fs::Error> {
    let (space, objects) = (files.volume().space(), block_on(files.objects())?);
    let is_lost = slots.iter().any(|remark| remark.is_loss);
    let lost = if is_lost { ", and the last commit may be lost" } else { "" };
    let (free, blocks) = (space.free, space.blocks);
    Ok(format!("{objects} objects, {free} of {blocks} blocks free: {count} found wrong{lost}"))
}

/// What is wrong with what the blocks of a snapshot say: how much.
fn records(files: &Files, snapshot: u64) -> usize {
    let checked = files.volume().view(snapshot).map_err(Into::into);
    let checked = checked.and_then(|view| block_on(capos_fs::check(&view)));
    let wrong: Vec<String> = match checked {
        Ok(findings) => findings.iter().map(ToString::to_string).collect(),
        Err(error) => vec![format!("records: {error}")],
    };
    wrong.iter().for_each(|wrong| println!("  in it: {wrong}"));
    wrong.len()
}
