//! `make help` lists what the Makefile can do.

use std::process::Command;

const MAKEFILE: &str = include_str!("../../../Makefile");

#[test]
fn every_target_is_listed() {
    let make = Command::new("make").args(["--no-print-directory", "-C"]).arg(root()).arg("help").output();
    let listed = String::from_utf8(make.unwrap().stdout).unwrap();
    let targets = MAKEFILE.lines().find_map(|line| line.strip_prefix(".PHONY: ")).unwrap();
    for target in targets.split(' ').chain(["run-%"]) {
        let found = listed.lines().filter(|line| line.split(' ').next() == Some(target)).count();
        assert_eq!(found, 1, "{target} in\n{listed}");
    }
}

fn root() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
}
