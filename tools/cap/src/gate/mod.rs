//! The gate: everything that must hold, cheap things first, each counted. `cap test` runs all of it, `cap check` what is quick.

mod cargo_steps;
mod counts;
mod other_steps;
mod skips;

use std::fmt;
use std::time::{Duration, Instant};

use crate::exec::Failure;
use crate::house::House;

/// What one step counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Things that hold.
    pub passed: usize,
    /// Things that do not.
    pub failed: usize,
    /// Things that could not be looked at, each with its reason.
    pub skipped: Vec<String>,
}

impl Tally {
    /// One thing holds.
    fn one() -> Tally {
        Tally { passed: 1, ..Tally::default() }
    }

    /// One thing could not be looked at.
    fn skip(reason: impl Into<String>) -> Tally {
        Tally { skipped: vec![reason.into()], ..Tally::default() }
    }

    fn add(&mut self, other: &Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped.iter().cloned());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

/// A step's result: what it counted, and what to show if something failed.
pub struct Outcome {
    tally: Tally,
    report: String,
}

impl From<Tally> for Outcome {
    fn from(tally: Tally) -> Outcome {
        Outcome { tally, report: String::new() }
    }
}

/// One step of the gate.
struct Step {
    /// By which it is chosen on the command line and named in `.ci/skips.toml`.
    name: &'static str,
    run: fn(&House) -> Result<Outcome, Failure>,
    /// Part of `cap check`.
    quick: bool,
}

const STEPS: [Step; 17] = [
    Step { name: "fmt", run: cargo_steps::fmt, quick: true },
    Step { name: "lint", run: other_steps::lint, quick: true },
    Step { name: "schema", run: other_steps::schema, quick: true },
    Step { name: "cue", run: other_steps::cue, quick: true },
    Step { name: "deny", run: other_steps::deny, quick: false },
    Step { name: "clippy", run: cargo_steps::clippy_host, quick: true },
    Step { name: "clippy-kernel", run: cargo_steps::clippy_kernel, quick: false },
    Step { name: "clippy-user", run: cargo_steps::clippy_user, quick: false },
    Step { name: "test-lib", run: cargo_steps::test_lib, quick: true },
    Step { name: "test-house", run: cargo_steps::test_house, quick: false },
    Step { name: "loom", run: cargo_steps::loom, quick: false },
    Step { name: "miri", run: cargo_steps::miri, quick: false },
    Step { name: "fuzz", run: other_steps::fuzz, quick: false },
    Step { name: "build", run: other_steps::build, quick: false },
    Step { name: "image", run: other_steps::image, quick: false },
    Step { name: "figures", run: other_steps::figures, quick: false },
    Step { name: "lab", run: other_steps::lab, quick: false },
];

/// Which steps to run.
pub enum Choice {
    /// All of them.
    All,
    /// The quick ones.
    Quick,
    /// Those of these names.
    Named(Vec<String>),
}

/// Runs the steps and shows the table. `Ok(true)` if all holds; the last line printed is `N passed, N failed, N skipped`.
pub fn run(house: &House, choice: &Choice) -> Result<bool, Failure> {
    let steps: Vec<&Step> = STEPS.iter().filter(|step| chosen(step, choice)).collect();
    if let Choice::Named(names) = choice
        && let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == *name))
    {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!(
            "there is no step `{unknown}`; the steps are: {}",
            known.join(" ")
        )));
    }
    let mut rows = Vec::new();
    for step in steps {
        eprintln!("-- {}", step.name);
        let start = Instant::now();
        let outcome = (step.run)(house).unwrap_or_else(|failure| Outcome {
            tally: Tally { failed: 1, ..Tally::default() },
            report: failure.to_string(),
        });
        if outcome.tally.failed > 0 {
            eprintln!("{}", outcome.report);
        }
        rows.push(Row { name: step.name, time: start.elapsed(), outcome });
    }
    let refused = skips::read(house)?.refused(&rows);
    println!("\n{}", table(&rows));
    refused.iter().for_each(|text| println!("{text}"));
    let mut total = rows.iter().fold(Tally::default(), |mut total, row| {
        total.add(&row.outcome.tally);
        total
    });
    total.failed += refused.len();
    println!("{total}");
    Ok(total.failed == 0)
}

fn chosen(step: &Step, choice: &Choice) -> bool {
    match choice {
        Choice::All => true,
        Choice::Quick => step.quick,
        Choice::Named(names) => names.iter().any(|name| name == step.name),
    }
}

/// One line of the table.
struct Row {
    name: &'static str,
    time: Duration,
    outcome: Outcome,
}

/// Lines of a report that the table has room for. Whoever sees only the end of a log still learns what failed first.
const LINES: usize = 12;

fn table(rows: &[Row]) -> String {
    let mut lines =
        vec![format!("{:14} {:>8} {:>7} {:>7} {:>8}", "step", "seconds", "passed", "failed", "skipped")];
    for Row { name, time, outcome: Outcome { tally, report } } in rows {
        let seconds = time.as_secs_f64();
        lines.push(format!(
            "{name:14} {seconds:8.1} {:7} {:7} {:8}",
            tally.passed,
            tally.failed,
            tally.skipped.len()
        ));
        lines.extend(tally.skipped.iter().map(|reason| format!("    skipped: {reason}")));
        if tally.failed > 0 {
            let telling = report.lines().filter(|line| !is_progress(line));
            lines.extend(telling.take(LINES).map(|line| format!("    failed: {line}")));
        }
    }
    lines.join("\n")
}

/// What Cargo says of packages that are well.
fn is_progress(line: &str) -> bool {
    ["Compiling ", "Checking "].iter().any(|word| line.trim_start().starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line() {
        let mut tally = Tally::one();
        tally.add(&Tally::skip("miri: not installed"));
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn the_table_shows_skips_with_their_reason() {
        let outcome = Outcome::from(Tally::skip("miri: not installed"));
        let text = table(&[Row { name: "miri", time: Duration::from_millis(1500), outcome }]);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("     1.5") && text.ends_with("skipped: miri: not installed"), "{text}");
    }

    #[test]
    fn the_table_says_what_failed() {
        let outcome = Outcome {
            tally: Tally { failed: 1, ..Tally::default() },
            report: "  Checking a\na: why\n".repeat(99),
        };
        let text = table(&[Row { name: "lab", time: Duration::ZERO, outcome }]);
        assert_eq!(text.lines().count(), 2 + LINES);
        assert!(text.ends_with("\n    failed: a: why"), "{text}");
    }

    #[test]
    fn step_names_are_unique() {
        let mut names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
