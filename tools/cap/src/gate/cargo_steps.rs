//! The steps that are Cargo's: formatting, clippy on host and targets, tests, loom models, Miri.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Outcome, Tally, counts, is_progress};
use crate::build::{self, HOST, KERNEL_TARGET, cargo};
use crate::exec::{self, Failure, observe};
use crate::git;
use crate::house::House;
use crate::lint::code::{self, Keep};

/// What runs on the target only.
const KERNEL_PROGRAMS: [&str; 2] = ["kernel", "handoff"];
/// Cases per property under Miri, which is some hundred times slower than the machine.
const MIRI_CASES: &str = "4";
/// Seconds that Miri may take for one crate.
const MIRI_SECONDS: &str = "600";

pub fn fmt(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command.args(["fmt", "--all", "--check"]);
    exec::run("formatting", &mut command)?;
    Ok(Tally::one().into())
}

pub fn clippy_host(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command.args(["clippy", "--workspace", "--all-targets"]);
    exclude(&mut command);
    command.args(["--", "-D", "warnings"]);
    exec::run("clippy on the host", &mut command)?;
    Ok(Tally::one().into())
}

pub fn clippy_kernel(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command
        .args(["clippy", "--target", KERNEL_TARGET])
        .arg("--target-dir")
        .arg(house.target().join("kernel"));
    for package in KERNEL_PROGRAMS.iter().chain(&["kernel-hal", "kernel-core"]) {
        command.args(["-p", package]);
    }
    command.args(["--", "-D", "warnings"]);
    exec::run("clippy on the kernel's target", &mut command)?;
    Ok(Tally::one().into())
}

pub fn clippy_user(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command.args(["clippy", "--target", HOST]).arg("--target-dir").arg(house.target().join("user"));
    command.arg("--config").arg(build::user_config(house)?);
    for package in build::userspace(house)? {
        command.args(["-p", &package]);
    }
    command.args(["--", "-D", "warnings"]);
    exec::run("clippy on userspace as it ships", &mut command)?;
    Ok(Tally::one().into())
}

pub fn test_lib(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command.args(["test-lib", "--no-fail-fast"]);
    count_tests("cargo test-lib", &mut command)
}

pub fn test_house(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command.args(["test", "--workspace", "--no-fail-fast", "--exclude", "capos-*"]);
    exclude(&mut command);
    count_tests("tests of kernel core, userspace and tools", &mut command)
}

pub fn loom(house: &House) -> Result<Outcome, Failure> {
    let mut tally = Tally::default();
    let mut report = String::new();
    for package in packages_with(house, "cfg(loom)")? {
        let mut command = cargo(house);
        command.env("RUSTFLAGS", "--cfg loom").args(["test", "--lib", "--release", "-p", &package]);
        // Models want a debugger's view of a failure, and assertions in the code under test.
        command.args([
            "--config",
            "profile.release.lto='off'",
            "--config",
            "profile.release.debug-assertions=true",
        ]);
        command.arg("--target-dir").arg(house.target().join("loom"));
        let outcome = count_tests(&format!("loom models of {package}"), &mut command)?;
        tally.add(&outcome.tally);
        report.push_str(&outcome.report);
    }
    Ok(Outcome { tally, report })
}

pub fn miri(house: &House) -> Result<Outcome, Failure> {
    if exec::ask(Command::new("cargo").args(["+nightly", "miri", "--version"])).is_err() {
        return Ok(Tally::skip("miri: no nightly toolchain with Miri on this machine").into());
    }
    let queue = Mutex::new(for_miri(house)?);
    let done = Mutex::new(Vec::new());
    // Two crates at a time: Miri uses one processor each.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(package) = take(&queue) {
                    let outcome = miri_of(house, &package);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let (mut tally, mut report) = (Tally::default(), String::new());
    for outcome in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let outcome = outcome?;
        tally.add(&outcome.tally);
        report.push_str(&outcome.report);
    }
    Ok(Outcome { tally, report })
}

/// What Miri finds, undefined behaviour, only crates can have that are unsafe. In all others it would repeat the tests, a hundred times
/// slower; rare orders of memory are for loom.
fn for_miri(house: &House) -> Result<Vec<String>, Failure> {
    let files = git::files(&house.root)?;
    let packages = build::packages(house)?.into_iter().filter(|package| package.name.starts_with("capos-"));
    let risky = packages.filter(|package| {
        let sources = format!("capos-lib/{}/src/", package.name.trim_start_matches("capos-"));
        let mut own = files.iter().filter(|path| path.starts_with(&sources) && path.ends_with(".rs"));
        own.any(|path| fs::read_to_string(house.root.join(path)).is_ok_and(|text| can_go_wrong_unseen(&text)))
    });
    Ok(risky.map(|package| package.name).collect())
}

fn can_go_wrong_unseen(source: &str) -> bool {
    let code = code::strip(source, Keep::Code);
    ["unsafe {", "unsafe impl", "unsafe fn"].iter().any(|words| code.contains(words))
}

fn take(queue: &Mutex<Vec<String>>) -> Option<String> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn miri_of(house: &House, package: &str) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    command.env("PROPTEST_CASES", MIRI_CASES).env("MIRIFLAGS", "-Zmiri-disable-isolation");
    command.args(["+nightly", "miri", "test", "-p", package, "--lib", "--no-fail-fast"]);
    command.arg("--target-dir").arg(house.target().join("miri"));
    count_tests(&format!("Miri over {package}"), &mut bounded(MIRI_SECONDS, &command))
}

/// The same command under `timeout`, which ends it and its children.
fn bounded(seconds: &str, command: &Command) -> Command {
    let mut bounded = Command::new("timeout");
    bounded.arg(seconds).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    bounded
}

fn exclude(command: &mut Command) {
    for package in KERNEL_PROGRAMS {
        command.args(["--exclude", package]);
    }
}

/// Runs tests and counts them. A run that fails without a failed test (it did not compile, it crashed) counts as one.
fn count_tests(what: &str, command: &mut Command) -> Result<Outcome, Failure> {
    let done = observe(what, command)?;
    let mut tally = counts::of(&done.output);
    if !done.success && tally.failed == 0 {
        tally.failed = 1;
    }
    let report = match tally.failed {
        0 => String::new(),
        _ => exec::failed(what, command, &failures_of(&done.output)).to_string(),
    };
    Ok(Outcome { tally, report })
}

/// What a reader wants of a long test run: everything but the tests that passed.
fn failures_of(output: &str) -> String {
    let kept = output.lines().filter(|line| {
        let quiet =
            ["Running ", "Doc-tests ", "running "].iter().any(|word| line.trim_start().starts_with(word));
        !(is_progress(line)
            || quiet
            || line.is_empty()
            || line.starts_with("test result: ok.")
            || (line.starts_with("test ") && line.ends_with("... ok")))
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// Packages of `capos-lib` whose manifest says `text`.
fn packages_with(house: &House, text: &str) -> Result<Vec<String>, Failure> {
    let packages = build::packages(house)?.into_iter();
    let mentioned = packages.filter(|package| {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap_or_default();
        manifest.lines().any(|line| line.starts_with("[target") && line.contains(text))
    });
    Ok(mentioned.map(|package| package.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_not_shown() {
        let output = "   Compiling x\nrunning 2 tests\ntest a ... ok\ntest b ... FAILED\n\npanicked at b\ntest result: ok. 3 passed\n";
        assert_eq!(failures_of(output), "test b ... FAILED\npanicked at b");
    }

    #[test]
    fn a_bounded_command_is_the_same_and_ends() {
        let mut command = Command::new("sh");
        command.env("CAPOS_TEST", "x").current_dir("/").args(["-c", "echo $CAPOS_TEST $PWD; sleep 60"]);
        let done = observe("x", &mut bounded("1", &command)).unwrap();
        assert!(!done.success);
        assert_eq!(done.output, "x /\n");
    }

    #[test]
    fn miri_looks_at_what_is_unsafe() {
        assert!(["unsafe { read(p) }", "unsafe impl Sync for X {}"].into_iter().all(can_go_wrong_unseen));
        assert!(!can_go_wrong_unseen("//! unsafe { } is not here\nlet x = 1;"));
        let found = for_miri(&House::find().unwrap()).unwrap();
        let has = |name: &str| found.iter().any(|other| other == name);
        assert!(has("capos-ring") && !has("capos-cap"), "{found:?}");
    }

    #[test]
    fn a_crash_counts_as_a_failure() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 101"]);
        let outcome = count_tests("x", &mut command).unwrap();
        assert_eq!((outcome.tally.passed, outcome.tally.failed), (2, 1));
        assert!(outcome.report.contains("x failed"));
    }
}
