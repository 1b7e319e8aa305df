//! Conditional compilation chooses between target and host, and between the product and a checker's view of it. Nothing else: no
//! test, machine or proof has a build of its own.

use std::sync::LazyLock;

use regex::Regex;

use super::code::{Keep, line_of, strip};
use super::{File, Finding};

/// What a condition may name. The architecture is one, but pure code is also checked where the host is another.
const ALLOWED: [&str; 10] = [
    "test",
    "loom",
    "miri",
    "fuzzing",
    "capos",
    "not",
    "all",
    "any",
    "target_os = \"none\"",
    "target_arch = \"x86_64\"",
];

static CONDITION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\bcfg(?:_attr)?!?\s*\(").ok());
static ATOM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"[a-z_][a-z0-9_]*(?:\s*=\s*"[^"]*")?"#).ok());

/// Every condition in Rust files and manifests.
pub fn check(files: &[File]) -> Vec<Finding> {
    let looked_at = |file: &&File| {
        (file.path.ends_with(".rs") || file.path.ends_with("/Cargo.toml"))
            && !file.path.starts_with("tools/cap/src/lint/")
    };
    files.iter().filter(looked_at).flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let code = match file.path.ends_with(".rs") {
        true => strip(&file.text, Keep::CodeAndLiterals),
        false => without_check_cfg(&file.text),
    };
    let Some(pattern) = LazyLock::force(&CONDITION) else { return Vec::new() };
    let mut findings = Vec::new();
    for found in pattern.find_iter(&code) {
        let is_attribute = found.as_str().contains("cfg_attr");
        let condition = inside(code.get(found.end()..).unwrap_or_default(), is_attribute);
        for atom in foreign_atoms(condition) {
            let text = format!(
                "cfg({atom}) makes a build that nobody ships; decide at run time, or by target_os = \"none\""
            );
            findings.push(Finding::new(&file.path, line_of(&code, found.start()), text));
        }
    }
    findings
}

/// `check-cfg` in a manifest declares names, it chooses nothing.
fn without_check_cfg(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.contains("check-cfg") || line.trim_start().starts_with('#') {
                "\n".into()
            } else {
                format!("{line}\n")
            }
        })
        .collect()
}

/// The condition up to its closing parenthesis, or up to the first comma outside parentheses for `cfg_attr`.
fn inside(text: &str, to_comma: bool) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return text.get(..at).unwrap_or(text),
            ')' => depth -= 1,
            ',' if to_comma && depth == 0 => return text.get(..at).unwrap_or(text),
            _ => {}
        }
    }
    text
}

fn foreign_atoms(condition: &str) -> Vec<&str> {
    let Some(pattern) = LazyLock::force(&ATOM) else { return Vec::new() };
    pattern.find_iter(condition).map(|atom| atom.as_str()).filter(|atom| !ALLOWED.contains(atom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn count(path: &str, text: &str) -> usize {
        check(&fixture(&[(path, text)])).len()
    }

    #[test]
    fn the_allowed_conditions() {
        for good in [
            "#[cfg(test)]",
            "#[cfg(not(loom))]",
            "#[cfg(all(target_os = \"none\", not(test)))]",
            "#![cfg_attr(capos, no_std)]",
            "#![cfg_attr(not(any(test, miri)), no_main)]",
            "if cfg!(fuzzing) {}",
            "// #[cfg(feature = \"x\")]",
        ] {
            assert_eq!(count("kernel/core/src/a.rs", good), 0, "{good}");
        }
    }

    #[test]
    fn other_conditions() {
        for bad in [
            "#[cfg(feature = \"qemu\")]",
            "#[cfg(all(test, kvm))]",
            "#[cfg(target_os = \"linux\")]",
            "if cfg!(debug_assertions) {}",
            "#![cfg_attr(bench, allow(dead_code))]",
        ] {
            assert_eq!(count("kernel/core/src/a.rs", bad), 1, "{bad}");
        }
    }

    #[test]
    fn manifests_are_read_too() {
        assert_eq!(count("kernel/hal/Cargo.toml", "[target.'cfg(target_os = \"none\")'.dependencies]"), 0);
        assert_eq!(count("kernel/hal/Cargo.toml", "[target.'cfg(unix)'.dependencies]"), 1);
        assert_eq!(count("kernel/hal/Cargo.toml", "unexpected_cfgs = { check-cfg = ['cfg(anything)'] }"), 0);
    }
}
