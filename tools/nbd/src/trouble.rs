//! What is wrong with a disk while it is served, as whoever breaks it says in files beside it. Each has offsets, one a line; what a request has to
//! do with none of them is served.

use std::fs;
use std::path::{Path, PathBuf};

use crate::protocol::Command;

/// The files: where nothing is answered for as long as it is said there, and what can not be read.
pub struct Trouble {
    silent: PathBuf,
    unreadable: PathBuf,
}

impl Trouble {
    /// `NAME.silent` and `NAME.unreadable`, beside the disk `NAME.disk`. Usually there are none.
    pub fn beside(disk: &Path) -> Trouble {
        let beside = |kind| disk.with_extension(kind);
        Trouble { silent: beside("silent"), unreadable: beside("unreadable") }
    }

    /// Whether it is not to be answered now.
    pub fn withholds(&self, command: &Command) -> bool {
        touches(&self.silent, command)
    }

    /// Whether it fails.
    pub fn fails(&self, command: &Command) -> bool {
        matches!(command, Command::Read(..)) && touches(&self.unreadable, command)
    }
}

/// Whether one of the offsets in the file is of what the command is about.
fn touches(file: &Path, command: &Command) -> bool {
    let (offset, length) = command.range();
    let is_inside = |at: u64| at.checked_sub(offset).is_some_and(|into| into < length);
    let said = fs::read_to_string(file).unwrap_or_default();
    said.lines().filter_map(|line| line.trim().parse().ok()).any(is_inside)
}
