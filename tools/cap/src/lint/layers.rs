//! Imports go down only: `schema -> capos-lib -> kernel/hal -> kernel/core -> kernel` and
//! `schema -> capos-lib -> userspace/rt -> kit -> drivers|services -> apps|probes`. Kernel and userspace meet only in `capos-lib`;
//! nothing imports `tools/`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{File, Finding};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Shared,
    Kernel,
    User,
    Tools,
}

/// The side of a crate's folder and its height there.
fn place(folder: &str) -> Option<(Side, u8)> {
    let mut parts = folder.split('/');
    Some(match (parts.next()?, parts.next()) {
        ("schema", _) => (Side::Shared, 0),
        // The facade stands above the crates that it shows.
        ("capos-lib", Some(_)) => (Side::Shared, 1),
        ("capos-lib", None) => (Side::Shared, 2),
        ("kernel", Some("hal" | "handoff")) => (Side::Kernel, 3),
        ("kernel", Some(_)) => (Side::Kernel, 4),
        ("kernel", None) => (Side::Kernel, 5),
        ("userspace", Some("rt")) => (Side::User, 3),
        ("userspace", Some("kit")) => (Side::User, 4),
        ("userspace", Some("drivers" | "services" | "init" | "supervisor" | "devmgr")) => (Side::User, 5),
        ("userspace", Some(_)) => (Side::User, 6),
        ("tools", _) => (Side::Tools, 9),
        _ => return None,
    })
}

/// Every dependency of every crate of ours, of any kind.
pub fn check(files: &[File]) -> Vec<Finding> {
    let crates = crates(files);
    let mut findings = Vec::new();
    for (folder, table) in crates.values() {
        let path = format!("{folder}/Cargo.toml");
        let Some(from) = place(folder) else {
            findings.push(Finding::new(&path, 0, "this crate is in no room of the house"));
            continue;
        };
        for name in dependencies(table) {
            let Some((target, _)) = crates.get(&name) else { continue };
            if place(target).is_some_and(|to| !may_import(from, to)) {
                findings.push(Finding::new(&path, 0, format!("{folder} must not import {target}")));
            }
        }
    }
    findings
}

fn may_import(from: (Side, u8), to: (Side, u8)) -> bool {
    match (from.0, to.0) {
        (Side::Tools, _) => true,
        (_, Side::Tools) => false,
        (_, Side::Shared) => to.1 <= from.1,
        // Cargo refuses cycles, so neighbours on one floor may share code.
        (from_side, to_side) => from_side == to_side && to.1 <= from.1,
    }
}

/// Package name to folder and manifest.
fn crates(files: &[File]) -> BTreeMap<String, (String, Table)> {
    let manifests = files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        let table: Table = file.text.parse().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        Some((name, (folder.to_owned(), table)))
    });
    manifests.collect()
}

/// Names of all dependencies, also those of one target only.
fn dependencies(table: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(entries) if key.ends_with("dependencies") => {
                names.extend(entries.iter().map(|(name, entry)| real_name(name, entry)));
            }
            Value::Table(targets) if key == "target" => {
                names.extend(targets.values().filter_map(Value::as_table).flat_map(dependencies));
            }
            _ => {}
        }
    }
    names
}

/// A dependency can be renamed by `package`.
fn real_name(name: &str, entry: &Value) -> String {
    entry.get("package").and_then(Value::as_str).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}")
    }

    fn count(crates: &[(&str, &str, &str)]) -> usize {
        let texts: Vec<(String, String)> = crates
            .iter()
            .map(|(path, name, deps)| (format!("{path}/Cargo.toml"), manifest(name, deps)))
            .collect();
        let files: Vec<(&str, &str)> =
            texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        check(&fixture(&files)).len()
    }

    const LIB: (&str, &str, &str) = ("capos-lib/abi", "capos-abi", "");
    const HAL: (&str, &str, &str) = ("kernel/hal", "kernel-hal", "capos-abi.workspace = true");
    const RT: (&str, &str, &str) = ("userspace/rt", "rt", "capos-abi.workspace = true");

    #[test]
    fn downward_is_fine() {
        let core = ("kernel/core", "kernel-core", "kernel-hal.workspace = true");
        let shell = ("userspace/apps/shell", "shell", "rt.workspace = true\nserde = \"1\"");
        assert_eq!(count(&[LIB, HAL, RT, core, shell]), 0);
    }

    #[test]
    fn upward_is_not() {
        assert_eq!(count(&[("capos-lib/abi", "capos-abi", "kernel-hal.workspace = true"), HAL]), 1);
        assert_eq!(
            count(&[LIB, ("userspace/rt", "rt", "kit.workspace = true"), ("userspace/kit", "kit", "")]),
            1
        );
    }

    #[test]
    fn sides_do_not_meet() {
        assert_eq!(count(&[LIB, HAL, ("userspace/rt", "rt", "kernel-hal.workspace = true")]), 1);
        assert_eq!(count(&[LIB, RT, ("kernel", "kernel", "rt.workspace = true")]), 1);
    }

    #[test]
    fn nobody_imports_tools() {
        let tool = ("tools/lab", "lab", "capos-abi.workspace = true");
        assert_eq!(count(&[LIB, tool]), 0);
        assert_eq!(count(&[LIB, tool, ("userspace/rt", "rt", "lab.workspace = true")]), 1);
    }

    #[test]
    fn target_and_renamed_dependencies_count() {
        let by_target =
            "[package]\nname = \"capos-abi\"\n[target.'cfg(capos)'.dependencies]\nrt.workspace = true";
        let files = [
            ("capos-lib/abi/Cargo.toml", by_target),
            ("userspace/rt/Cargo.toml", "[package]\nname = \"rt\""),
        ];
        assert_eq!(check(&fixture(&files)).len(), 1);
        assert_eq!(count(&[("capos-lib/abi", "capos-abi", "x = { package = \"rt\", path = \"\" }"), RT]), 1);
    }

    #[test]
    fn every_crate_has_a_room() {
        assert_eq!(count(&[("garage", "garage", "")]), 1);
    }
}
