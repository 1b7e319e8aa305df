//! Tracked files name no machine that they were written on: no home or work directories, no private registries.

use std::sync::LazyLock;

use regex::Regex;

use super::{File, Finding};

const PATTERNS: [(&str, &str); 3] = [
    (r#"(?:^|[\s"'`=(:,])/(?:root|work|home/[a-z]\w*)/"#, "names a machine's directory"),
    (
        r"https?://(?:127\.|10\.|192\.168\.|[^/\s]*(?:artifactory|nexus|mirror|proxy|internal))",
        "names a private host",
    ),
    (r"(?i)\[source\.[a-z-]+\]\s*$", "replaces a registry"),
];

static COMPILED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    PATTERNS.iter().filter_map(|(p, what)| Regex::new(p).ok().map(|regex| (regex, *what))).collect()
});

/// Every line of every text file, this one excepted.
pub fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter(|file| file.path != "tools/cap/src/lint/hosts.rs").flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let numbered = file.text.lines().enumerate();
    let findings = numbered.flat_map(|(at, line)| {
        COMPILED
            .iter()
            .filter(|(pattern, _)| pattern.is_match(line))
            .map(move |(_, what)| Finding::new(&file.path, at + 1, *what))
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fixture;

    fn count(text: &str) -> usize {
        check(&fixture(&[("a.toml", text)])).len()
    }

    #[test]
    fn machines_are_found() {
        for bad in [
            "path = \"/root/x\"",
            "cd /work/main",
            "PATH=/home/ann/bin",
            "see http://crates-mirror.example/x",
            "curl http://10.0.0.3/x",
            "[source.crates-io]",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
    }

    #[test]
    fn the_world_is_fine() {
        for good in [
            "https://docs.rs/capnp",
            "/usr/share/limine",
            "see notes/work/x",
            "http://localhost:8080",
            "/dev/kvm",
            "[sources]",
        ] {
            assert_eq!(count(good), 0, "{good}");
        }
    }
}
