//! tools/lab/README.md lists what each probe takes and reports. Written by hand, so compared with what the probes' sources say.

use std::fs;
use std::path::Path;

const README: &str = include_str!("../../lab/README.md");
/// What stands before a name that a case can use.
const BEFORE: [(&str, &str); 4] =
    [("number(env, \"", "--"), ("number(&env, \"", "--"), (".value(\"", ""), (".event(\"", "")];
/// Between a probe and its own children; no case gives it.
const INTERNAL: [&str; 2] = ["--secret", "--pages"];

/// The probe's row of the table.
fn row(probe: &str) -> &'static str {
    let start = format!("| probe-{probe} |");
    README.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row for {probe}"))
}

fn sources(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| if file.is_dir() { sources(&file) } else { fs::read_to_string(file).unwrap() }).collect()
}

#[test]
fn every_argument_event_and_field_is_in_the_table() {
    let probes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../userspace/probes");
    for folder in fs::read_dir(probes).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if ["support", "testport"].contains(&name.as_str()) {
            continue;
        }
        let (row, text) = (row(&name), sources(&folder.join("src")));
        for (before, dashes) in BEFORE {
            for word in text.split(before).skip(1).filter_map(|rest| rest.split('"').next()) {
                let word = format!("{dashes}{word}");
                let known = row.contains(&format!("`{word}`")) || row.contains(&format!("`{word}="));
                assert!(known || INTERNAL.contains(&word.as_str()), "probe-{name}: {word} is not in its row");
            }
        }
    }
}
