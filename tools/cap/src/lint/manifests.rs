//! Manifests: every crate takes its edition and its lints from the workspace, and none has Cargo features. One kernel and one
//! userspace exist; a feature would make a second one that nobody ships.

use toml::{Table, Value};

use super::{File, Finding, rooms};

/// Every manifest of a crate of ours.
pub fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter(|file| file.path.ends_with("/Cargo.toml")).flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let table: Table = match file.text.parse() {
        Ok(table) => table,
        Err(error) => return vec![Finding::new(&file.path, 0, format!("cannot be read: {error}"))],
    };
    let mut findings = Vec::new();
    if table.contains_key("features") {
        findings.push(Finding::new(&file.path, 0, "own crates have no features; probe at run time instead"));
    }
    // The fuzz targets are a workspace of their own: they need nightly.
    if table.contains_key("workspace") || file.path.starts_with("tools/fuzz/") {
        return findings;
    }
    if !inherits(&table, &["package", "edition"]) {
        findings.push(Finding::new(&file.path, 0, "needs `edition.workspace = true`"));
    }
    if !inherits(&table, &["lints"]) && !rooms::may_hold_unsafe(&file.path) {
        findings.push(Finding::new(
            &file.path,
            0,
            "needs `[lints] workspace = true`: it is no room for unsafe",
        ));
    }
    findings
}

fn inherits(table: &Table, path: &[&str]) -> bool {
    let mut value = Some(&Value::Table(table.clone())).cloned();
    for key in path.iter().chain(&["workspace"]) {
        value = value.and_then(|value| value.get(key).cloned());
    }
    value == Some(Value::Boolean(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn count(path: &str, text: &str) -> usize {
        check(&fixture(&[(path, text)])).len()
    }

    const GOOD: &str = "[package]\nname = \"x\"\nedition.workspace = true\n[lints]\nworkspace = true\n";

    #[test]
    fn inheriting_is_fine() {
        assert_eq!(count("capos-lib/x/Cargo.toml", GOOD), 0);
    }

    #[test]
    fn own_editions_and_lints_are_not() {
        assert_eq!(
            count("capos-lib/x/Cargo.toml", &GOOD.replace("edition.workspace = true", "edition = \"2021\"")),
            1
        );
        assert_eq!(
            count("capos-lib/x/Cargo.toml", &GOOD.replace("workspace = true\n", "workspace = false\n")),
            2
        );
        assert_eq!(count("capos-lib/x/Cargo.toml", "[package]\nname = \"x\""), 2);
    }

    #[test]
    fn rooms_have_their_own_lints() {
        assert_eq!(
            count(
                "kernel/hal/Cargo.toml",
                "[package]\nname = \"x\"\nedition.workspace = true\n[lints.rust]\n"
            ),
            0
        );
    }

    #[test]
    fn features_are_refused_everywhere() {
        assert_eq!(count("capos-lib/x/Cargo.toml", &format!("{GOOD}[features]\nfast = []\n")), 1);
        assert_eq!(count("tools/fuzz/Cargo.toml", "[workspace]\n[features]\n"), 1);
    }

    #[test]
    fn broken_manifests_are_reported() {
        assert_eq!(count("capos-lib/x/Cargo.toml", "[package"), 1);
    }
}
