//! What a run leaves behind: a dated folder under `target/lab/`, `latest` pointing at it, and old folders pruned to a budget.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock;

/// Runs kept, whatever their size.
const KEPT_RUNS: usize = 30;
/// Bytes that all runs together may take.
const KEPT_BYTES: u64 = 1 << 30;

/// The verdict on one sub-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything expected was seen, and nothing else.
    Passed,
    /// Not so.
    Failed,
    /// It could not be run here; the reason says why.
    Skipped,
}

/// One row of the summary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Of the sub-case.
    pub name: String,
    /// The verdict.
    pub status: Status,
    /// Wall-clock time.
    pub seconds: f64,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// With which it can be repeated: `SEED=...`.
    pub seed: u64,
    /// Why the ledger of devices was not gone over at its end.
    pub unaudited: Option<String>,
}

/// What the results were made with.
#[derive(Clone, Debug, Serialize)]
pub struct Versions {
    /// First line of `qemu --version`.
    pub qemu: String,
    /// The commit, with `-dirty` if the tree differs.
    pub source: String,
}

impl Versions {
    /// Asks the tools.
    pub fn ask() -> Versions {
        let first_line = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).output().ok();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            text.as_deref().and_then(|text| text.lines().next()).unwrap_or("unknown").to_owned()
        };
        Versions {
            qemu: first_line(&crate::machine::qemu(), &["--version"]),
            source: first_line("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
        }
    }
}

/// The folder of one run of the lab.
pub struct RunFolder {
    path: PathBuf,
    versions: Versions,
}

impl RunFolder {
    /// Makes `root/<date>` (with a number behind it if that exists) and points `latest` at it.
    pub fn create(root: &Path) -> io::Result<RunFolder> {
        fs::create_dir_all(root)?;
        let date = clock::folder(clock::now());
        let names = std::iter::once(date.clone()).chain((2..).map(|number| format!("{date}-{number}")));
        for name in names {
            let path = root.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    point_latest(root, &name)?;
                    return Ok(RunFolder { path, versions: Versions::ask() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no free folder name"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of one sub-case, made.
    pub fn case(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(file_name(name));
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Writes `result.json` of one sub-case into `folder`.
    pub fn write_result(
        &self,
        folder: &Path,
        outcome: &Outcome,
        start: Duration,
        why: &str,
    ) -> io::Result<()> {
        let result = json!({
            "name": outcome.name,
            "why": why,
            "status": outcome.status,
            "start": clock::iso(start),
            "finish": clock::iso(clock::now()),
            "seconds": outcome.seconds,
            "reason": outcome.reason,
            "seed": outcome.seed,
            "unaudited": outcome.unaudited,
            "versions": self.versions,
        });
        write_json(&folder.join("result.json"), &result)
    }

    /// Writes `summary.json`.
    pub fn write_summary(&self, outcomes: &[Outcome]) -> io::Result<()> {
        let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
        let summary = json!({
            "passed": count(Status::Passed),
            "failed": count(Status::Failed),
            "skipped": count(Status::Skipped),
            "unaudited": outcomes.iter().filter(|outcome| outcome.unaudited.is_some()).count(),
            "versions": self.versions,
            "cases": outcomes,
        });
        write_json(&self.path.join("summary.json"), &summary)
    }
}

/// Writes readable JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    text.push('\n');
    fs::write(path, text)
}

/// A name that every tool can handle unquoted: `boot[cpus=4,cpu=max]` becomes `boot.cpus=4.cpu=max`.
pub fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_=+".contains(c) { c } else { '.' };
    name.trim_end_matches(']').chars().map(safe).collect()
}

fn point_latest(root: &Path, name: &str) -> io::Result<()> {
    let latest = root.join("latest");
    match fs::remove_file(&latest) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(name, latest),
    }
}

/// Removes the oldest runs beyond the budget; the newest is always kept. Returns how many went.
pub fn prune(root: &Path) -> io::Result<usize> {
    prune_to(root, KEPT_RUNS, KEPT_BYTES)
}

fn prune_to(root: &Path, runs: usize, bytes: u64) -> io::Result<usize> {
    let mut folders: Vec<PathBuf> = match fs::read_dir(root) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(|path| is_run(path)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    folders.sort();
    let (mut total, mut removed) = (0, 0);
    for (age, folder) in folders.iter().rev().enumerate() {
        total += size(folder)?;
        if age > 0 && (age >= runs || total > bytes) {
            fs::remove_dir_all(folder)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Only folders named by [`RunFolder::create`] are ever removed.
fn is_run(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.is_dir()
        && !path.is_symlink()
        && name.len() >= 17
        && name.starts_with("20")
        && name.as_bytes().get(10) == Some(&b'-')
}

fn size(path: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let data = entry.metadata()?;
        total += if data.is_dir() { size(&entry.path())? } else { data.len() };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("capos-lab-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn names_become_files() {
        assert_eq!(file_name("boot-paths[cpus=4,cpu=max,-erms]"), "boot-paths.cpus=4.cpu=max.-erms");
        assert_eq!(file_name("a/../b"), "a....b");
    }

    #[test]
    fn runs_in_the_same_second_get_their_own_folder() {
        let root = scratch("same");
        let (first, second) = (RunFolder::create(&root).unwrap(), RunFolder::create(&root).unwrap());
        assert_ne!(first.path(), second.path());
        assert_eq!(fs::canonicalize(root.join("latest")).unwrap(), fs::canonicalize(second.path()).unwrap());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_summary_counts() {
        let root = scratch("summary");
        let run = RunFolder::create(&root).unwrap();
        let row = |status, reason: Option<&str>| Outcome {
            name: "n".into(),
            status,
            seconds: 0.5,
            reason: reason.map(str::to_owned),
            seed: 7,
            unaudited: reason.map(str::to_owned),
        };
        run.write_summary(&[row(Status::Passed, None), row(Status::Skipped, Some("no OVMF"))]).unwrap();
        let text = fs::read_to_string(run.path().join("summary.json")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            [&value["passed"], &value["failed"], &value["skipped"], &value["unaudited"]],
            [&json!(1), &json!(0), &json!(1), &json!(1)]
        );
        assert_eq!(value["cases"][1]["reason"], "no OVMF");
        assert_eq!(value["cases"][0]["status"], "passed");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn pruning_keeps_the_newest_and_what_is_no_run() {
        let root = scratch("prune");
        for name in ["2026-01-01-000000", "2026-01-02-000000", "2026-01-03-000000", "notes"] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("data"), [0; 100]).unwrap();
        }
        assert_eq!(prune_to(&root, 2, 1 << 20).unwrap(), 1);
        assert!(!root.join("2026-01-01-000000").exists() && root.join("notes").exists());
        assert_eq!(prune_to(&root, 2, 10).unwrap(), 1);
        assert!(root.join("2026-01-03-000000").exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn pruning_nothing_is_fine() {
        assert_eq!(prune(Path::new("/nonexistent/capos")).unwrap(), 0);
    }
}
