//! The house lints: rules of this house that no compiler knows, as pure checks over the text of tracked files. Each rule is a
//! module with a `check` and tests on good and bad fixtures.

mod cfgs;
mod clauses;
pub mod code;
mod hosts;
mod layers;
mod locks;
mod manifests;
mod pages;
mod rooms;
mod schema_docs;
mod sizes;
mod user_memory;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::exec::Failure;
use crate::git;
use crate::house::House;
use crate::systems;

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
    /// Where; empty if the text says it.
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
            0 if self.path.is_empty() => f.write_str(&self.text),
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// A rule's name and check.
type Rule = (&'static str, fn(&[File]) -> Vec<Finding>);

const RULES: [Rule; 12] = [
    ("imports go down only", layers::check),
    ("manifests inherit from the workspace and have no features", manifests::check),
    ("the lock of the fuzz targets knows what their crates need", locks::check),
    ("unsafe stays in its rooms", rooms::check),
    ("no cfg for tests or machines", cfgs::check),
    ("no file above 1,000 lines", sizes::check),
    ("the kernel never touches user memory", user_memory::check),
    ("no machine's paths or hosts", hosts::check),
    ("every interface and method is documented", schema_docs::check),
    ("every clause of the ABI has a check in a probe", clauses::check),
    ("pages show what is there", pages::check),
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

/// Name of the one rule that is about more than texts.
const MANIFEST: &str = "every system and service of system.cue is sound";

/// Runs all rules, and checks system.cue.
pub fn of_house(house: &House) -> Result<Report, Failure> {
    let mut report = run(&house.root)?;
    report.take(MANIFEST, manifest(systems::check(house)));
    Ok(report)
}

/// One finding for each mistake; their lines say where they are.
fn manifest(result: Result<(), Failure>) -> Vec<Finding> {
    let text = result.err().map(|failure| failure.to_string()).unwrap_or_default();
    text.lines().map(|line| Finding::new("", 0, line)).collect()
}

/// Runs all rules over the tracked files below `root`.
fn run(root: &Path) -> Result<Report, Failure> {
    let files: Vec<File> = git::files(root)?
        .into_iter()
        .filter(|path| !path.starts_with("vendor/"))
        // Binary files and files that were just removed are not text.
        .filter_map(|path| fs::read_to_string(root.join(&path)).ok().map(|text| File { path, text }))
        .collect();
    let mut report = Report { notes: sizes::notes(&files), ..Report::default() };
    for (name, check) in RULES {
        report.take(name, check(&files));
    }
    Ok(report)
}

impl Report {
    fn take(&mut self, name: &'static str, findings: Vec<Finding>) {
        match findings.is_empty() {
            true => self.passed += 1,
            false => self.failed.push((name, findings)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_system_cue_is_shown_as_it_is() {
        assert_eq!(manifest(Ok(())), []);
        let mut report = Report::default();
        report.take(MANIFEST, manifest(Err(Failure::new("system.cue:7: one\nsystem.cue:9: two"))));
        let text = report.to_string();
        assert!(text.ends_with("is sound\n  system.cue:7: one\n  system.cue:9: two\n"), "{text}");
        assert_eq!((report.passed, report.failed.len()), (0, 1));
    }
}
