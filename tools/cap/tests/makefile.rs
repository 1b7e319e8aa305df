//! What `make help` lists, and what is more in the Makefile than a name.

use std::process::Command;
use std::{env, fs, process};

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

/// Ctrl-C goes to every process of the terminal's job. gdb stops the machine with it; make would end, and leave gdb behind the prompt.
#[test]
fn the_debugger_is_a_job_of_its_own() {
    let folder = env::temp_dir().join(format!("capos-makefile-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (debugger, output) = (folder.join("debugger"), folder.join("typescript"));
    fs::write(&debugger, "trap : INT\nkill -INT 0\necho still here\n").unwrap();
    let line = format!("make -C {} -o setup-gdb gdb CAP='sh {}'", root(), debugger.display());
    let status = Command::new("script").args(["-qec", &line]).arg(&output).output().unwrap().status;
    let said = fs::read_to_string(&output).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(status.success() && said.contains("still here"), "{said}");
}

fn root() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
}
