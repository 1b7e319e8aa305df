//! What pages say of files is so: code below a file's name stands in that file, and what a table says that it is shown by is there.

use super::{File, Finding};

const PAGES: &str = "docs/src/";
const CASES: &str = "tools/lab/cases/";
const PROBES: &str = "userspace/probes/";
/// The header of a column that names lab cases and tests.
const EVIDENCE: &str = "| shown by |";

/// Looks at every page of the book.
pub fn check(files: &[File]) -> Vec<Finding> {
    let pages = files.iter().filter(|file| file.path.starts_with(PAGES) && file.path.ends_with(".md"));
    pages.flat_map(|page| excerpts(page, files).into_iter().chain(evidence(page, files))).collect()
}

/// A line "`PATH`:" says where the code below it is from.
fn source(line: &str) -> Option<&str> {
    line.strip_prefix('`')?.strip_suffix("`:").filter(|path| path.contains('/') || path.ends_with(".cue"))
}

fn excerpts(page: &File, files: &[File]) -> Vec<Finding> {
    let lines: Vec<&str> = page.text.lines().collect();
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(path) = source(line) else { continue };
        let mut finding = |text: String| findings.push(Finding::new(&page.path, at + 1, text));
        let below = lines.get(at + 2..).unwrap_or_default();
        let (fence, code) = below.split_first().unwrap_or((&"", &[]));
        let end = code.iter().position(|line| line.starts_with("```")).unwrap_or(0);
        let Some(code) = code.get(..end).filter(|code| fence.starts_with("```") && !code.is_empty()) else {
            finding("no code follows the name of its file".into());
            continue;
        };
        match files.iter().find(|file| file.path == path) {
            None => finding(format!("there is no file {path}")),
            Some(file) if !file.text.contains(&code.join("\n")) => {
                finding(format!("{path} has no longer what is shown here"));
            }
            Some(_) => {}
        }
    }
    findings
}

fn evidence(page: &File, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(page.text.lines()) {
        if !line.starts_with('|') || line.ends_with(EVIDENCE) || line.starts_with("|---") {
            inside = line.ends_with(EVIDENCE) || inside && line.starts_with("|---");
            continue;
        }
        let last = line.trim_end_matches('|').rsplit('|').next().filter(|_| inside);
        let Some(cell) = last else { continue };
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::new(&page.path, number, "no case or test shows this"));
        }
        for name in names.into_iter().filter(|name| !is_there(name, files)) {
            findings.push(Finding::new(&page.path, number, format!("there is no case and no test {name}")));
        }
    }
    findings
}

/// A lab case, a test, or a row of a probe's matrix.
fn is_there(name: &str, files: &[File]) -> bool {
    let (case, test, row) = (format!("/{name}.toml"), format!("fn {name}("), format!("Row::new(\"{name}\","));
    files.iter().any(|file| match file.path.ends_with(".rs") {
        true => file.text.contains(&test) || file.path.starts_with(PROBES) && file.text.contains(&row),
        false => file.path.starts_with(CASES) && file.path.ends_with(&case),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn texts(page: &str) -> Vec<String> {
        let files = [
            ("docs/src/a.md", page),
            ("userspace/a.rs", "fn one() {\n    1\n}\n\nfn two() {}\n"),
            ("tools/lab/cases/devices/devices-silent.toml", "why = \"\""),
            ("userspace/probes/hostile/src/a.rs", "Row::new(\"stale-token\", stale, \"InvalidArgument\"),"),
        ];
        check(&fixture(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn code_that_is_in_its_file() {
        let page = "# A\n\n`userspace/a.rs`:\n\n```rust,ignore\nfn one() {\n    1\n}\n```\n\nSo it is: `x`:\n\n`no`:\n";
        assert!(texts(page).is_empty(), "{:?}", texts(page));
    }

    #[test]
    fn code_that_is_not() {
        let page = "`userspace/a.rs`:\n\n```rust\nfn one() {\n    2\n}\n```\n";
        assert_eq!(texts(page), ["docs/src/a.md:1: userspace/a.rs has no longer what is shown here"]);
        assert_eq!(texts("\n`x/b.rs`:\n\n```\na\n```\n"), ["docs/src/a.md:2: there is no file x/b.rs"]);
        for none in ["`x/b.rs`:\n", "`x/b.rs`:\n\ntext\n", "`x/b.rs`:\n\n```\n```\n", "`x/b.rs`:\n\n```\na"] {
            assert_eq!(texts(none), ["docs/src/a.md:1: no code follows the name of its file"], "{none}");
        }
    }

    #[test]
    fn evidence_that_is_there_and_that_is_not() {
        let table = "| try | answer | shown by |\n|---|---|---|\n";
        assert!(
            texts(&format!("{table}| a | `b` | `devices-silent`, `two`, `stale-token` |\n\n| c | d |\n"))
                .is_empty()
        );
        let found = texts(&format!("{table}| a | b | `stale-tok`, `one` |\n| c | `two` | d |\n"));
        let wanted = ["a.md:3: there is no case and no test stale-tok", "a.md:4: no case or test shows this"];
        assert_eq!(found, wanted.map(|text| format!("docs/src/{text}")));
    }
}
