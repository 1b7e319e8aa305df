//! Which crates are programs: found by where they are, so that a new one needs no list.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::exec::{Context, Failure, ask};
use crate::house::House;

/// Which programs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What ships: everything but the probes.
    Shipped,
    /// The lab's probes as well.
    All,
}

/// Programs of userspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// Packages below `userspace/` with a program that is wanted.
    pub packages: Vec<String>,
    /// Their binaries, which are also the names of boot files.
    pub binaries: Vec<String>,
    /// Binaries of the house that are not wanted now.
    pub others: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Where its manifest is.
    pub manifest_path: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// All packages of the workspace.
pub fn packages(house: &House) -> Result<Vec<Package>, Failure> {
    let mut command = Command::new("cargo");
    command.current_dir(&house.root).args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Metadata = serde_json::from_str(&ask(&mut command)?).context("cargo metadata")?;
    Ok(metadata.packages)
}

/// The programs among them.
pub fn programs(house: &House, scope: Scope) -> Result<Programs, Failure> {
    Ok(select(&packages(house)?, &house.root.join("userspace"), scope))
}

/// The packages below `userspace/`, libraries included.
pub fn userspace(house: &House) -> Result<Vec<String>, Failure> {
    let below = house.root.join("userspace");
    let packages = packages(house)?.into_iter();
    Ok(packages
        .filter(|package| Path::new(&package.manifest_path).starts_with(&below))
        .map(|p| p.name)
        .collect())
}

fn select(packages: &[Package], below: &Path, scope: Scope) -> Programs {
    let mut programs = Programs::default();
    let probes = below.join("probes");
    for package in packages.iter().filter(|package| Path::new(&package.manifest_path).starts_with(below)) {
        let binaries = package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "bin"));
        let binaries = binaries.map(|target| target.name.clone());
        if scope == Scope::Shipped && Path::new(&package.manifest_path).starts_with(&probes) {
            programs.others.extend(binaries);
            continue;
        }
        let before = programs.binaries.len();
        programs.binaries.extend(binaries);
        if programs.binaries.len() > before {
            programs.packages.push(package.name.clone());
        }
    }
    programs.binaries.sort();
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_binaries_below_userspace() {
        let text = r#"{"packages":[
            {"name":"shell","manifest_path":"/r/userspace/apps/shell/Cargo.toml","targets":[{"name":"shell","kind":["bin"]}]},
            {"name":"rt","manifest_path":"/r/userspace/rt/Cargo.toml","targets":[{"name":"rt","kind":["lib"]}]},
            {"name":"console","manifest_path":"/r/userspace/services/console/Cargo.toml",
             "targets":[{"name":"console","kind":["lib"]},{"name":"console","kind":["bin"]}]},
            {"name":"probe-x","manifest_path":"/r/userspace/probes/x/Cargo.toml","targets":[{"name":"probe-x","kind":["bin"]}]},
            {"name":"cap","manifest_path":"/r/tools/cap/Cargo.toml","targets":[{"name":"cap","kind":["bin"]}]}]}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        let programs = select(&metadata.packages, Path::new("/r/userspace"), Scope::Shipped);
        assert_eq!(programs.packages, ["shell", "console"]);
        assert_eq!(programs.binaries, ["console", "shell"]);
        assert_eq!(programs.others, ["probe-x"]);
        let programs = select(&metadata.packages, Path::new("/r/userspace"), Scope::All);
        assert_eq!(programs.packages, ["shell", "console", "probe-x"]);
        assert!(programs.others.is_empty());
    }
}
