//! The user's terminal as the machine's: raw while attached, given back whatever happens. Ctrl-] leaves.

use std::io::{self, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::stop;

/// Ctrl-].
const LEAVE: u8 = 0x1d;

/// Connects terminal and machine. `exchange` gets what was typed and returns what arrived, or `None` when the machine is gone.
pub fn attach(mut exchange: impl FnMut(&[u8]) -> io::Result<Option<Vec<u8>>>) -> io::Result<()> {
    eprintln!("attached to the serial port; Ctrl-] leaves");
    let _raw = Raw::enter();
    let keys = keyboard();
    let mut output = io::stdout().lock();
    while !stop::requested() {
        let mut typed: Vec<u8> = keys.try_iter().flatten().collect();
        let leave = typed.iter().position(|&byte| byte == LEAVE);
        typed.truncate(leave.unwrap_or(typed.len()));
        match exchange(&typed)? {
            Some(bytes) => output.write_all(&bytes)?,
            None => return Ok(()),
        }
        output.flush()?;
        if leave.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads keys on a thread of its own; it ends with the process.
fn keyboard() -> Receiver<Vec<u8>> {
    let (sender, keys) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Ok(count @ 1..) = io::stdin().read(&mut buffer) {
            if sender.send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                return;
            }
        }
    });
    keys
}

/// Raw mode by `stty`, which every system with a terminal has; the settings found are put back on drop.
struct Raw(Option<String>);

impl Raw {
    fn enter() -> Raw {
        if !io::stdin().is_terminal() {
            return Raw(None);
        }
        let settings = stty(&["-g"]);
        if settings.is_some() {
            stty(&["raw", "-echo"]);
        }
        Raw(settings)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            stty(&[settings]);
        }
    }
}

fn stty(args: &[&str]) -> Option<String> {
    let output = Command::new("stty").args(args).stdin(Stdio::inherit()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
