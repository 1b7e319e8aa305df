//! Snapshots: what is kept of a volume, and under which names.

use capos_fs::{Error, Note};
use capos_store::Snapshot;
use capos_text::shown;

use super::{Files, block_on, failed, now, show};
use crate::exec::{Context, Failure};

/// Shows all of them, the oldest first.
pub fn list(files: &Files) {
    let lines = files.volume().snapshots().iter().map(|snapshot| called(snapshot) + "\n").collect::<String>();
    show::print(&lines);
}

/// A snapshot, for people.
pub fn called(snapshot: &Snapshot) -> String {
    let deleting = if snapshot.deleting { ", being deleted" } else { "" };
    match Note::of(snapshot) {
        Some(note) => {
            let name = shown(&note.name);
            format!("{:>10} {:>19}  {name}{deleting}", snapshot.id, show::time(note.at))
        }
        None => format!("{:>10} {:>19}  {}{deleting}", snapshot.id, "", snapshot.note.escape_ascii()),
    }
}

/// Keeps what is there now.
pub fn keep(files: &Files, name: &str) -> Result<(), Failure> {
    block_on(files.keep(name, now())).map(drop).map_err(|error| match error {
        Error::Name(fault) => {
            let name = shown(name);
            Failure::new(format!(
                "{name} can not be a snapshot's name, which is always of all the volume: {fault}"
            ))
        }
        error => failed(name, error),
    })
}

/// Deletes one, and ends all deletions that were interrupted.
pub fn delete(files: &Files, name: &str) -> Result<(), Failure> {
    block_on(files.tidy_snapshots()).context("snapshots")?;
    let number = files.named(name).ok_or_else(|| missing(files, name))?;
    block_on(files.delete_snapshot(number)).map_err(|error| failed(name, error))
}

/// There is none of that name.
pub fn missing(files: &Files, name: &str) -> Failure {
    let names: Vec<String> = files.snapshots().iter().map(|(_, note)| shown(&note.name)).collect();
    let others = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Failure::new(format!("there is no snapshot `{name}`; there are: {others}"))
}
