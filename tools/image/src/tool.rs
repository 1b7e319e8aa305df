//! Running the tools that others wrote, in a folder that vanishes afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{EPOCH, Error};

/// Runs a tool; its output is shown only if it fails.
pub fn run(command: &mut Command, package: &'static str) -> Result<(), Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output =
        command.env("SOURCE_DATE_EPOCH", EPOCH.to_string()).env("LC_ALL", "C").env("TZ", "UTC").output();
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::ToolMissing { tool, package },
        _ => Error::io(Path::new(command.get_program()), error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stderr, output.stdout].concat();
    Err(Error::ToolFailed {
        command: format!("{command:?}"),
        output: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// Reads a file that a package installs.
pub fn installed(path: &Path, package: &'static str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|_| Error::ToolMissing { tool: path.display().to_string(), package })
}

/// A folder beside an image for what it is made of.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes it, empty.
    pub fn beside(image: &Path) -> Result<Scratch, Error> {
        let mut name = image.file_name().unwrap_or_default().to_owned();
        name.push(".parts");
        let path = image.with_file_name(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).map_err(|error| Error::io(&path, error))?;
        Ok(Scratch { path })
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file into it.
    pub fn write(&self, name: &str, data: &[u8]) -> Result<PathBuf, Error> {
        let path = self.join(name);
        std::fs::write(&path, data).map_err(|error| Error::io(&path, error))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is only in the way of people, and the next run tries again.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
