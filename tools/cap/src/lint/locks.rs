//! Locks: that of the fuzz targets, a workspace of its own, is brought along by nobody when a crate of ours gets a dependency. The fuzz step
//! builds with `--locked` and would be the first to notice.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{File, Finding};

const LOCK: &str = "tools/fuzz/Cargo.lock";

/// Every dependency of a crate that the fuzz targets are built with is in their lock.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(lock) = files.iter().find(|file| file.path == LOCK) else { return Vec::new() };
    let locked = packages(&lock.text);
    let missing = files
        .iter()
        .filter(|file| file.path.starts_with("capos-lib/") && file.path.ends_with("/Cargo.toml"))
        .filter_map(|file| file.text.parse::<Table>().ok())
        .flat_map(|manifest| missing(&manifest, &locked));
    missing
        .map(|(name, dependency)| {
            let how = "`cargo +nightly update --offline -w` in tools/fuzz brings it along";
            Finding::new(LOCK, 0, format!("does not know that {name} needs {dependency}: {how}"))
        })
        .collect()
}

/// What a crate's manifest names and its entry in the lock, if it has one, does not.
fn missing(manifest: &Table, locked: &BTreeMap<String, Vec<String>>) -> Vec<(String, String)> {
    let name = text(manifest.get("package").and_then(|package| package.get("name")));
    let Some(known) = locked.get(&name) else { return Vec::new() };
    let needed = manifest.get("dependencies").and_then(Value::as_table).into_iter().flatten();
    needed
        .map(|(key, value)| value.get("package").map_or_else(|| key.clone(), |name| text(Some(name))))
        .filter(|dependency| !known.contains(dependency))
        .map(|dependency| (name.clone(), dependency))
        .collect()
}

/// Packages of a lock, and the names of what each needs.
fn packages(lock: &str) -> BTreeMap<String, Vec<String>> {
    let lock: Table = lock.parse().unwrap_or_default();
    let list = lock.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().map(|package| (text(package.get("name")), needs(package))).collect()
}

/// A dependency is a name, and a version behind it where there are several.
fn needs(package: &Value) -> Vec<String> {
    let list = package.get("dependencies").and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().map(|one| text(Some(one)).split(' ').next().unwrap_or_default().to_owned()).collect()
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    const MANIFEST: &str = "[package]\nname = \"capos-x\"\n[dependencies]\nbitflags.workspace = true\ny = { package = \"capos-y\" }\n\
        [dev-dependencies]\nproptest = \"1\"\n";

    fn count(dependencies: &str) -> usize {
        let lock = format!("[[package]]\nname = \"capos-x\"\nversion = \"0.1.0\"\n{dependencies}");
        check(&fixture(&[("capos-lib/x/Cargo.toml", MANIFEST), (LOCK, &lock)])).len()
    }

    #[test]
    fn a_lock_knows_what_its_crates_need() {
        assert_eq!(count("dependencies = [\"bitflags 2.0.0\", \"capos-y\"]\n"), 0);
    }

    #[test]
    fn a_dependency_that_the_lock_does_not_know_is_found() {
        assert_eq!(count("dependencies = [\"bitflags\"]\n"), 1);
        assert_eq!(count(""), 2);
    }

    #[test]
    fn crates_that_are_not_fuzzed_are_not_looked_at() {
        let lock = "[[package]]\nname = \"capos-z\"\n";
        assert_eq!(check(&fixture(&[("capos-lib/x/Cargo.toml", MANIFEST), (LOCK, lock)])).len(), 0);
    }
}
