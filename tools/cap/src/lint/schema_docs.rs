//! Every interface and every method of the schema carries a comment, since the book and the typed clients show it.

use std::sync::LazyLock;

use regex::Regex;

use super::{File, Finding};

static INTERFACE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\s*interface\s+(\w+)").ok());
static METHOD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\s*(\w+)\s+@\d+\s*\(").ok());

/// Every schema file.
pub fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| file.path.starts_with("schema/") && file.path.ends_with(".capnp"))
        .flat_map(check_one)
        .collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let found = [("interface", &INTERFACE, '{'), ("method", &METHOD, ';')].into_iter().find_map(
            |(kind, pattern, end)| {
                let name = LazyLock::force(pattern).as_ref()?.captures(line)?.get(1)?.as_str();
                Some((kind, name, end))
            },
        );
        let Some((kind, name, end)) = found else { continue };
        if !documented(lines.get(at..).unwrap_or_default(), end) {
            findings.push(Finding::new(&file.path, at + 1, format!("{kind} {name} has no comment below it")));
        }
    }
    findings
}

/// Cap'n Proto comments follow the declaration that they describe: on the line after its end, or on the same line.
fn documented(lines: &[&str], end: char) -> bool {
    let mut lines = lines.iter().skip_while(|line| !line.split('#').next().unwrap_or_default().contains(end));
    let same = lines.next().is_some_and(|line| line.contains('#'));
    same || lines.next().is_some_and(|line| line.trim_start().starts_with("# "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn lines(text: &str) -> Vec<usize> {
        check(&fixture(&[("schema/x.capnp", text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn documented_methods_pass() {
        assert!(lines("interface X $Y {\n  # Text.\n\n  a @0 (b :Text) -> ();\n  # Text.\n  c @1 () -> (); # Text.\n}\n").is_empty());
    }

    #[test]
    fn methods_over_several_lines() {
        assert!(
            lines("interface X {\n  # T.\n  a @0 (b :Text,\n    c :Text) -> ();\n  # Text.\n}\n").is_empty()
        );
        assert_eq!(lines("interface X {\n  # T.\n  a @0 (b :Text,\n    c :Text) -> ();\n}\n"), [3]);
    }

    #[test]
    fn silence_is_found() {
        assert_eq!(lines("interface X {\n  a @0 () -> ();\n  b @1 () -> ();\n  # Text.\n}\n"), [1, 2]);
    }

    #[test]
    fn fields_are_not_methods() {
        assert!(lines("struct X {\n  a @0 :Text;\n  b @1 :List(Text);\n}\n").is_empty());
    }
}
