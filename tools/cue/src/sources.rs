//! The texts that people write.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::CueError;
use crate::fnv;

/// What ships, relative to the repository.
pub const SOURCE: &str = "system.cue";
/// What one person adds; git ignores it.
pub const OVERLAY: &str = "system.local.cue";

/// Both texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Of [`SOURCE`].
    pub source: String,
    /// Of [`OVERLAY`], where there is one.
    pub overlay: Option<String>,
}

impl Sources {
    /// Reads them from the repository at `root`.
    pub fn read(root: &Path) -> Result<Sources, CueError> {
        let path = root.join(SOURCE);
        let source = fs::read_to_string(&path).map_err(CueError::file(&path))?;
        let path = root.join(OVERLAY);
        let overlay = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(CueError::file(&path)(error)),
        };
        Ok(Sources { source, overlay })
    }

    /// The files that are evaluated together.
    pub fn files(&self) -> &'static [&'static str] {
        if self.overlay.is_some() { &[SOURCE, OVERLAY] } else { &[SOURCE] }
    }

    /// Changes with the texts.
    pub fn stamp(&self) -> String {
        match &self.overlay {
            Some(overlay) => fnv::stamp(&[&self.source, overlay]),
            None => fnv::stamp(&[&self.source]),
        }
    }
}
