//! Whatever verb leads to something that boots refuses a wrong system.cue first, also where the wrong system is not the one wanted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cue::Sources;

const SYSTEM: &str = "package capos\nservices: shell: {}\nsystems: default: use: [\"shell\"]\nsystems: mine: use: [\"shel\"]\n";
const EXPORT: &str = r#"{"services": {"shell": {}}, "systems": {"default": {"use": ["shell"]}, "mine": {"use": ["shel"]}}, "source": "STAMP"}"#;
const REFUSAL: &str = r#"system.cue:4: systems.mine.use: there is no service "shel" (did you mean "shell"?)"#;

/// A checkout with one program, and an export that was made from its system.cue.
fn checkout() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifest");
    let _ = fs::remove_dir_all(&root);
    let stamp = Sources { source: SYSTEM.into(), overlay: None }.stamp();
    for (path, text) in [
        ("schema/none", ""),
        ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"userspace/apps/*\"]\n"),
        ("userspace/apps/shell/Cargo.toml", "[package]\nname = \"shell\"\nedition = \"2024\"\n"),
        ("userspace/apps/shell/src/main.rs", "fn main() {}\n"),
        ("system.cue", SYSTEM),
        ("tools/cue/system.json", &EXPORT.replace("STAMP", &stamp)),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    assert!(Command::new("git").args(["init", "--quiet"]).current_dir(&root).status().unwrap().success());
    root
}

#[test]
fn every_verb_checks_every_system() {
    let root = checkout();
    for verb in [&["build"][..], &["lint"], &["image"], &["run"], &["run", "--system", "default", "--pvh"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_cap")).args(verb).current_dir(&root).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!output.status.success() && said.contains(REFUSAL), "{verb:?}: {said}");
        assert!(!root.join("target/kernel").exists(), "{verb:?} built before it looked");
    }
}
