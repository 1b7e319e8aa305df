//! Runs many sub-cases side by side.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::artefacts::{self, Outcome, RunFolder, Status};
use crate::matrix::SubCase;
use crate::queue::{Queue, SLEEPERS};
use crate::run::{self, Kitchen, Options, Unready};
use crate::table::Table;
use crate::{clock, ledger, stop};

/// How to run the lab.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Guest processors at work at the same time; at least one.
    pub capacity: usize,
    /// The seed of every case, instead of a fresh one each.
    pub seed: Option<u64>,
    /// Of a single run.
    pub options: Options,
}

impl Plan {
    /// As many guest processors as the host has; `SEED` and `HOLD` from the environment.
    pub fn from_environment() -> Plan {
        let hold = std::env::var("HOLD").is_ok_and(|value| value == "1");
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        Plan {
            // A held case owns the terminal.
            capacity: if hold { 1 } else { cpus },
            seed: std::env::var("SEED").ok().and_then(|value| value.parse().ok()),
            options: Options { hold, plugin: None },
        }
    }
}

/// Runs all `cases` and leaves their artefacts below `root`. The outcomes come back in the order of the cases.
pub fn run_all(
    cases: &[SubCase],
    kitchen: &dyn Kitchen,
    root: &Path,
    plan: &Plan,
) -> io::Result<Vec<Outcome>> {
    stop::install();
    let folder = RunFolder::create(root)?;
    let table = Table::new(cases.len());
    let queue = Queue::new(cases, plan.capacity);
    let outcomes = Mutex::new(vec![None; cases.len()]);
    thread::scope(|scope| {
        for _ in 0..plan.capacity.max(1) + SLEEPERS {
            scope.spawn(|| {
                while let Some((at, case)) = queue.take() {
                    let outcome = run_one(case, kitchen, &folder, plan, &table);
                    queue.give_back(case);
                    if let Some(slot) = lock(&outcomes).get_mut(at) {
                        *slot = Some(outcome);
                    }
                }
            });
        }
    });
    table.close();
    let outcomes: Vec<Outcome> = lock(&outcomes).drain(..).flatten().collect();
    folder.write_summary(&outcomes)?;
    artefacts::prune(root)?;
    Ok(outcomes)
}

/// A worker that panicked has stored nothing half-done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(case: &SubCase, kitchen: &dyn Kitchen, folder: &RunFolder, plan: &Plan, table: &Table) -> Outcome {
    table.begin(&case.name);
    let (start, clock_start) = (Instant::now(), clock::now());
    let seed = plan.seed.unwrap_or_else(|| fresh_seed(&case.name));
    let result = match folder.case(&case.name) {
        Ok(path) => run::run(case, kitchen, seed, &path, plan.options.clone()),
        Err(error) => Err(Unready::Fail(format!("artefacts: {error}"))),
    };
    let (status, reason) = match result {
        Ok(()) => (Status::Passed, None),
        Err(Unready::Skip(reason)) => (Status::Skipped, Some(reason)),
        Err(Unready::Fail(reason)) => (Status::Failed, Some(reason)),
    };
    let (name, unaudited) = (case.name.clone(), ledger::unasked(&case.case).map(str::to_owned));
    let seconds = start.elapsed().as_secs_f64();
    let mut outcome = Outcome { name, status, seconds, reason, seed, unaudited };
    let written = folder
        .case(&case.name)
        .and_then(|path| folder.write_result(&path, &outcome, clock_start, &case.case.why));
    if let Err(error) = written {
        outcome.status = Status::Failed;
        outcome.reason = Some(format!("artefacts: {error}"));
    }
    table.end(&outcome);
    outcome
}

/// Different for every case and every run. Fits into 53 bits, so that it survives JSON readers that know only floats.
fn fresh_seed(name: &str) -> u64 {
    let mixed = name.bytes().fold(clock::now().as_nanos() as u64 | 1, |seed, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    });
    mixed >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_by_name_and_fit() {
        let (a, b) = (fresh_seed("a"), fresh_seed("b"));
        assert_ne!(a, b);
        assert!(a < 1 << 53 && b < 1 << 53);
    }

    struct Nothing(Unready);

    impl Kitchen for Nothing {
        fn media(
            &self,
            _: &crate::case::Case,
            _: &str,
            _: u64,
            _: &Path,
        ) -> Result<crate::machine::args::Media, Unready> {
            Err(self.0.clone())
        }
    }

    #[test]
    fn unready_media_skip_or_fail_with_their_reason() {
        let cases = crate::library::read("x-y", "x", "why = 'a'\n[matrix]\ncpus = [1, 2, 4]").unwrap();
        let root = std::env::temp_dir().join(format!("capos-lab-test-{}-runner", std::process::id()));
        let plan = Plan { capacity: 2, seed: Some(9), options: Options::default() };
        for (unready, status) in [
            (Unready::Skip("no disk".into()), Status::Skipped),
            (Unready::Fail("no disk".into()), Status::Failed),
        ] {
            let outcomes = run_all(&cases, &Nothing(unready), &root, &plan).unwrap();
            assert_eq!(
                outcomes.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(),
                cases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>()
            );
            assert!(
                outcomes
                    .iter()
                    .all(|o| o.status == status && o.seed == 9 && o.reason.as_deref() == Some("no disk"))
            );
            assert!(root.join("latest/x-y.cpus=4/result.json").exists());
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
