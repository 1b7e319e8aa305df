//! The house lints: rules of this house that no compiler knows, as pure checks over the text of tracked files. Each rule is a
//! module with a `check` and tests on good and bad fixtures.

mod cfgs;
mod code;
mod hosts;
mod layers;
mod manifests;
mod rooms;
mod schema_docs;
mod sizes;
mod user_memory;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::exec::Failure;
use crate::git;

/// A tracked file.
#[derive(Clone, Debug)]
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// Its text; binary files are not looked at.
    pub text: String,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: String,
    /// On which line; 0 for the whole file.
    pub line: usize,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// A rule's name and check.
type Rule = (&'static str, fn(&[File]) -> Vec<Finding>);

const RULES: [Rule; 9] = [
    ("imports go down only", layers::check),
    ("manifests inherit from the workspace and have no features", manifests::check),
    ("unsafe stays in its rooms", rooms::check),
    ("no cfg for tests or machines", cfgs::check),
    ("no file above 1,000 lines", sizes::check),
    ("the kernel never touches user memory", user_memory::check),
    ("no machine's paths or hosts", hosts::check),
    ("every interface and method is documented", schema_docs::check),
    ("generated files say so", sizes::check_generated),
];

/// What the lints found.
#[derive(Debug, Default)]
pub struct Report {
    /// Rules without a finding.
    pub passed: usize,
    /// Rules with one, by name.
    pub failed: Vec<(&'static str, Vec<Finding>)>,
    /// Facts that are no failures.
    pub notes: Vec<String>,
}

/// Runs all rules over the tracked files below `root`.
pub fn run(root: &Path) -> Result<Report, Failure> {
    let files: Vec<File> = git::files(root)?
        .into_iter()
        .filter(|path| !path.starts_with("vendor/"))
        // Binary files and files that were just removed are not text.
        .filter_map(|path| fs::read_to_string(root.join(&path)).ok().map(|text| File { path, text }))
        .collect();
    let mut report = Report { notes: sizes::notes(&files), ..Report::default() };
    for (name, check) in RULES {
        match check(&files) {
            findings if findings.is_empty() => report.passed += 1,
            findings => report.failed.push((name, findings)),
        }
    }
    Ok(report)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, findings) in &self.failed {
            writeln!(f, "rule broken: {name}")?;
            findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

/// Fixtures for the rules' tests.
#[cfg(test)]
fn fixture(files: &[(&str, &str)]) -> Vec<File> {
    files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect()
}
