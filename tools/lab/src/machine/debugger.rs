//! gdb beside a running machine, attached to QEMU's stub.

use std::io;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};

use super::guest::{end, read_bytes, tied};

/// What gdb is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Its arguments: symbols, printers, where the machine is.
    pub args: Vec<String>,
    /// Variables of its environment that the printers read.
    pub variables: Vec<(String, String)>,
}

impl Setup {
    /// The same, and a variable that says where a file is.
    #[must_use]
    pub fn with(mut self, name: &str, file: &Path) -> Setup {
        self.variables.push((name.to_owned(), file.display().to_string()));
        self
    }
}

/// gdb at work; ended when dropped.
pub struct Debugger {
    child: Child,
    heard: Receiver<Vec<u8>>,
}

impl Debugger {
    /// Has gdb carry out `commands` and leave.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(setup: &Setup, commands: &[String]) -> Result<Debugger, String> {
        let failed = |error: io::Error| format!("starting gdb: {error}");
        // One pipe for both: what is said and what went wrong arrive in the order in which gdb wrote them.
        let (output, writer) = io::pipe().map_err(failed)?;
        let child = tied("gdb")
            .arg("-batch")
            .args(&setup.args)
            .args(commands.iter().flat_map(|command| ["-ex", command]))
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer)
            .spawn()
            .map_err(failed)?;
        let (sender, heard) = mpsc::channel();
        read_bytes(output, sender, |bytes| bytes);
        Ok(Debugger { child, heard })
    }

    /// What it has said since the last time.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.try_iter().flatten().collect()
    }
}

impl Drop for Debugger {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
