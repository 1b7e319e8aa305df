//! gdb beside a running machine, attached to QEMU's stub.

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
        let failed = |error: std::io::Error| format!("starting gdb: {error}");
        let mut child = tied("gdb")
            .arg("-batch")
            .args(&setup.args)
            .args(commands.iter().flat_map(|command| ["-ex", command]))
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (sender, heard) = mpsc::channel();
        if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
            read_bytes(output, sender.clone(), |bytes| bytes);
            read_bytes(errors, sender, |bytes| bytes);
        }
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
