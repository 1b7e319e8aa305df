//! Every numbered sentence of the book's ABI chapter has a check in the running system that names it, and no check names one that there
//! is not.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{File, Finding};

const BOOK: &str = "docs/src/abi.md";
const PROBES: &str = "userspace/probes/";

static CLAUSE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^- \*\*([A-Z]\d+)\*\*").ok());
/// A check's name begins with its clause.
static CHECK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#""([A-Z]\d+) [a-z]"#).ok());

/// Compares the book with the probes.
pub fn check(files: &[File]) -> Vec<Finding> {
    let book = files.iter().filter(|file| file.path == BOOK);
    let clauses: BTreeMap<&str, (usize, &File)> = book.flat_map(|file| found(file, &CLAUSE)).collect();
    let probes = files.iter().filter(|file| file.path.starts_with(PROBES) && file.path.ends_with(".rs"));
    let checks: Vec<(&str, (usize, &File))> = probes.flat_map(|file| found(file, &CHECK)).collect();
    let unchecked = clauses.iter().filter(|(name, _)| checks.iter().all(|(other, _)| other != *name));
    let unchecked = unchecked.map(|(name, (line, file))| {
        Finding::new(&file.path, *line, format!("no check of a probe names clause {name}"))
    });
    let unknown = checks.iter().filter(|(name, _)| !clauses.contains_key(name));
    let unknown = unknown
        .map(|(name, (line, file))| Finding::new(&file.path, *line, format!("{BOOK} has no clause {name}")));
    unchecked.chain(unknown).collect()
}

/// What `pattern` finds in a file, with its line.
fn found<'f>(
    file: &'f File,
    pattern: &'static LazyLock<Option<Regex>>,
) -> impl Iterator<Item = (&'f str, (usize, &'f File))> {
    (1..).zip(file.text.lines()).flat_map(move |(number, line)| {
        let pattern = LazyLock::force(pattern).as_ref();
        let names = pattern.into_iter().flat_map(move |pattern| pattern.captures_iter(line));
        names.filter_map(move |captures| Some((captures.get(1)?.as_str(), (number, file))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    const CLAUSES: &str = "# The ABI\n\n- **A1** One.\n- **O12** Another, see **A1**.\n";

    fn texts(probe: &str) -> Vec<String> {
        let files = fixture(&[(BOOK, CLAUSES), ("userspace/probes/ipc/src/a.rs", probe)]);
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn clauses_that_are_checked() {
        let found = texts("note(\"A1 one\", 1);\nnote(\n    \"O12 two\",\n    2);");
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_clause_without_a_check() {
        let found = texts("note(\"A1 one\", 1); note(\"A1 again\", 1); // O12 two");
        assert_eq!(found, ["docs/src/abi.md:4: no check of a probe names clause O12"]);
    }

    #[test]
    fn a_check_of_a_clause_that_there_is_not() {
        let found = texts("note(\"A1 one\", 1);\nnote(\"O12 two\", 2); note(\"O13 three\", 3);");
        assert_eq!(found, ["userspace/probes/ipc/src/a.rs:2: docs/src/abi.md has no clause O13"]);
    }
}
