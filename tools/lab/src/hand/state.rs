//! Which machine was started by hand: a small file under `target/lab/hand/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::artefacts::write_json;

/// The machine that `up` started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// QEMU's process.
    pub pid: u32,
    /// The case, for `cycle`.
    pub case: String,
    /// Where its sockets are.
    pub sockets: PathBuf,
    /// Where its logs are.
    pub logs: PathBuf,
    /// Its gdb port.
    pub gdb: u16,
}

impl State {
    /// The machine that is up according to the file, if its process lives and really is QEMU.
    pub fn read(folder: &Path) -> Option<State> {
        let text = fs::read_to_string(file(folder)).ok()?;
        let state: State = serde_json::from_str(&text).ok()?;
        state.lives().then_some(state)
    }

    /// Remembers a machine.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        write_json(&file(folder), self)
    }

    /// Forgets it.
    pub fn forget(folder: &Path) {
        // There may be nothing to forget.
        let _ = fs::remove_file(file(folder));
    }

    /// A process id alone may belong to somebody else by now: the command line must name our socket.
    pub fn lives(&self) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let ours = self.sockets.display().to_string();
        String::from_utf8_lossy(&line).contains(&ours)
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_a_dead_or_foreign_process_is_none() {
        let folder = std::env::temp_dir().join(format!("capos-lab-test-{}-state", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(State::read(&folder), None);
        let state = State {
            pid: std::process::id(),
            case: "x".into(),
            sockets: "/tmp/not-in-our-command-line".into(),
            logs: folder.clone(),
            gdb: 1,
        };
        state.write(&folder).unwrap();
        assert_eq!(State::read(&folder), None);
        State::forget(&folder);
        State::forget(&folder);
        fs::remove_dir_all(folder).unwrap();
    }
}
