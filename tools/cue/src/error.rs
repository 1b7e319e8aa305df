//! Why there are no systems.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::sources::{OVERLAY, SOURCE};

/// What went wrong; the text is for the person who changed `system.cue`.
#[derive(Debug)]
pub enum CueError {
    /// A file cannot be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The evaluator ran and refused; its words name file and line.
    Evaluation(String),
    /// The evaluator could not be run or installed.
    Evaluator(String),
    /// There is an overlay, but nothing to evaluate it with.
    OverlayNeedsEvaluator,
    /// The checked-in export was made from another text, and there is nothing to make it anew with.
    StaleNeedsEvaluator,
    /// The definitions are wrong; one line for each mistake.
    Refused(Vec<String>),
}

impl CueError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> CueError {
        let path = path.to_owned();
        move |error| CueError::File { path, error }
    }
}

impl fmt::Display for CueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HELP: &str = "install `cue` (https://cuelang.org), or node and npm, and run `cargo cap export`";
        match self {
            CueError::File { path, error } => write!(out, "{}: {error}", path.display()),
            CueError::Evaluation(text) => out.write_str(text.trim_end()),
            CueError::Evaluator(text) => write!(out, "the CUE evaluator: {}", text.trim_end()),
            CueError::OverlayNeedsEvaluator => {
                write!(out, "{OVERLAY} cannot be laid over {SOURCE} without a CUE evaluator: {HELP}")
            }
            CueError::StaleNeedsEvaluator => {
                write!(out, "{SOURCE} has changed since its export was checked in: {HELP}")
            }
            CueError::Refused(lines) => out.write_str(&lines.join("\n")),
        }
    }
}

impl std::error::Error for CueError {}
