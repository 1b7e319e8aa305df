//! The steps that are ours: house lints, drift of generated files, licences, fuzzing, images, the lab.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::artefacts::Status;

use super::{Outcome, Tally};
use crate::build::{self, cargo};
use crate::exec::{self, Context, Failure, observe};
use crate::house::House;
use crate::{bench, export, git, images, lint as house_lint, smoke};

/// Seconds for each fuzz target.
const FUZZ_SECONDS: &str = "6";

pub fn lint(house: &House) -> Result<Outcome, Failure> {
    let report = house_lint::of_house(house)?;
    let tally = Tally { passed: report.passed, failed: report.failed.len(), ..Tally::default() };
    Ok(Outcome { tally, report: report.to_string() })
}

pub fn schema(house: &House) -> Result<Outcome, Failure> {
    let mut command = cargo(house);
    exec::run("schema: drift and promises", command.args(["run", "--quiet", "-p", "gen", "--", "check"]))?;
    Ok(Tally::one().into())
}

/// The export's stamp always tells whether system.cue changed; that it evaluates to the export needs an evaluator.
pub fn cue(house: &House) -> Result<Outcome, Failure> {
    let outcome = export::state(house, true)?;
    let text = export::describe(outcome);
    Ok(match outcome {
        cue::Outcome::Stale => return Err(Failure::new(format!("{} {text}", cue::EXPORT))),
        cue::Outcome::Unverified => Tally::skip(format!("cue: {text}")).into(),
        _ => Tally::one().into(),
    })
}

/// Builds everything twice, the second time from nothing and in another folder, and compares what comes of it byte for byte.
pub fn image(house: &House) -> Result<Outcome, Failure> {
    let first = images::make(house)?;
    let twin = twin(house)?;
    let second = images::make(&twin)?;
    let mut outcome = Outcome::from(Tally::default());
    for (one, other) in [(&first.iso, &second.iso), (&first.raw, &second.raw)] {
        let read = |path: &Path| fs::read(path).context(path.display());
        if read(one)? == read(other)? {
            outcome.tally.passed += 1;
        } else {
            outcome.tally.failed += 1;
            outcome.report.push_str(&format!("{} and {} differ\n", one.display(), other.display()));
        }
    }
    if outcome.tally.failed == 0 {
        // Two different builds are kept for whoever looks into it; two equal ones need the room for nothing.
        let _ = fs::remove_dir_all(&twin.root);
    }
    Ok(outcome)
}

/// A copy of the tree in another folder, with nothing built in it.
fn twin(house: &House) -> Result<House, Failure> {
    let root = house.target().join("image-again");
    // What an earlier run built would be taken for the second build.
    let _ = fs::remove_dir_all(&root);
    for path in git::files(&house.root)? {
        let (from, to) = (house.root.join(&path), root.join(&path));
        // A file that is deleted and not yet committed is still on the list.
        if !from.is_file() {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).context(folder.display())?;
        }
        fs::copy(&from, &to).context(from.display())?;
    }
    Ok(House { root })
}

pub fn deny(house: &House) -> Result<Outcome, Failure> {
    if exec::ask(Command::new("cargo-deny").arg("--version")).is_err() {
        return Ok(Tally::skip("cargo-deny: not installed on this machine").into());
    }
    let mut command = cargo(house);
    exec::run(
        "licences, sources and bans",
        command.args(["deny", "--offline", "check", "licenses", "sources", "bans"]),
    )?;
    Ok(Tally::one().into())
}

pub fn fuzz(house: &House) -> Result<Outcome, Failure> {
    let script = house.root.join("tools/fuzz/run");
    let mut command = Command::new(script);
    command.current_dir(&house.root).env("FUZZ_SECONDS", FUZZ_SECONDS);
    let done = observe("fuzz targets", &mut command)?;
    let count = |word: &str| done.output.lines().filter(|line| line.starts_with(word)).count();
    let skipped: Vec<String> =
        done.output.lines().filter_map(|line| line.strip_prefix("skipped ")).map(str::to_owned).collect();
    let mut tally = Tally { passed: count("passed "), failed: count("failed "), skipped };
    if !done.success && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(Outcome { tally, report: exec::failed("fuzz targets", &command, &done.output).to_string() })
}

pub fn build(house: &House) -> Result<Outcome, Failure> {
    build::build(house, build::Scope::All)?;
    Ok(Tally::one().into())
}

pub fn lab(house: &House) -> Result<Outcome, Failure> {
    let outcomes = smoke::run(house, "*")?;
    let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
    // Names and reasons.
    let told = |status| -> Vec<String> {
        let those = outcomes.iter().filter(|outcome| outcome.status == status);
        those
            .map(|it| format!("{}: {}", it.name, it.reason.as_deref().unwrap_or("no reason given")))
            .collect()
    };
    let failed = told(Status::Failed);
    let tally = Tally { passed: count(Status::Passed), failed: failed.len(), skipped: told(Status::Skipped) };
    Ok(Outcome { tally, report: failed.join("\n") })
}

/// Figures that repeat are compared with the committed ones.
pub fn figures(house: &House) -> Result<Outcome, Failure> {
    let (passed, worse) = bench::compare(house)?;
    let tally = Tally { passed, failed: worse.len(), ..Tally::default() };
    Ok(Outcome { tally, report: worse.join("\n") })
}
