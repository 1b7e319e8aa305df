//! What is wrong with a disk while it is served, as whoever breaks it says in files beside it. Each has offsets, one a line; what a request has to
//! do with none of them is served.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::protocol::Command;

/// The files: where nothing is answered for as long as it is said there, what can not be read, and that the disk had no power.
pub struct Trouble {
    silent: PathBuf,
    unreadable: PathBuf,
    cut: PathBuf,
}

impl Trouble {
    /// `NAME.silent`, `NAME.unreadable` and `NAME.cut`, beside the disk `NAME.disk`. Usually there are none.
    pub fn beside(disk: &Path) -> Trouble {
        let beside = |kind| disk.with_extension(kind);
        Trouble { silent: beside("silent"), unreadable: beside("unreadable"), cut: beside("cut") }
    }

    /// Whether it is without power.
    pub fn is_cut(&self) -> bool {
        self.cut.exists()
    }

    /// It has lost what it had to lose, and has power again.
    pub fn end_cut(&self) -> io::Result<()> {
        fs::remove_file(&self.cut)
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
