//! What a person sees while cases run: one line per finished case, and on a terminal a last line with those still running.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::artefacts::{Outcome, Status};

/// The table of one run of the lab.
pub struct Table {
    total: usize,
    live: Option<ProgressBar>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    failed: usize,
    running: Vec<(String, Instant)>,
}

impl Table {
    /// For `total` sub-cases; live if standard error is a terminal.
    pub fn new(total: usize) -> Table {
        let live = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Table { total, live, state: Mutex::default() }
    }

    /// A sub-case begins.
    pub fn begin(&self, name: &str) {
        self.change(|state| state.running.push((name.to_owned(), Instant::now())));
    }

    /// A sub-case is done.
    pub fn end(&self, outcome: &Outcome) {
        let number = self.change(|state| {
            state.running.retain(|(name, _)| *name != outcome.name);
            state.done += 1;
            state.failed += usize::from(outcome.status == Status::Failed);
        });
        let line = row(number, self.total, outcome);
        match &self.live {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }

    /// Takes the live line away.
    pub fn close(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }

    fn change(&self, what: impl FnOnce(&mut State)) -> usize {
        // The state is only for display: what a panicking thread left of it is good enough.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut state);
        if let Some(bar) = &self.live {
            bar.set_message(live_line(&state, self.total));
        }
        state.done
    }
}

fn live_line(state: &State, total: usize) -> String {
    let names: Vec<&str> = state.running.iter().map(|(name, _)| name.as_str()).collect();
    let failed = if state.failed > 0 { format!(", {} failed", state.failed) } else { String::new() };
    format!("{}/{total}{failed}: {}", state.done, names.join("  "))
}

fn row(number: usize, total: usize, outcome: &Outcome) -> String {
    let width = total.to_string().len();
    let status = match outcome.status {
        Status::Passed => "pass",
        Status::Failed => "FAIL",
        Status::Skipped => "skip",
    };
    let mut line = format!("{number:width$}/{total}  {status}  {:6.2} s  {}", outcome.seconds, outcome.name);
    if let Some(reason) = &outcome.reason {
        let separator = if outcome.status == Status::Failed { "\n      " } else { "  " };
        line.push_str(separator);
        line.push_str(&reason.replace('\n', "\n      "));
    }
    line
}

/// At the end of how many cases the ledger of devices was gone over, and why not at that of others.
pub fn audits(outcomes: &[Outcome]) -> String {
    let run = || outcomes.iter().filter(|outcome| outcome.status != Status::Skipped);
    let mut reasons = BTreeMap::<&str, usize>::new();
    run()
        .filter_map(|outcome| outcome.unaudited.as_deref())
        .for_each(|why| *reasons.entry(why).or_default() += 1);
    let without: usize = reasons.values().sum();
    let mut text = format!(
        "ledger gone over at the end of {}, nobody to ask at that of {without}",
        run().count() - without
    );
    for (why, count) in reasons {
        let _ = write!(text, "\n  {count:4}  {why}");
    }
    text
}

/// The closing line that machines read.
pub fn closing(outcomes: &[Outcome]) -> String {
    let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
    format!(
        "{} passed, {} failed, {} skipped",
        count(Status::Passed),
        count(Status::Failed),
        count(Status::Skipped)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: Status, reason: Option<&str>) -> Outcome {
        let (name, reason) = ("a-b".into(), reason.map(str::to_owned));
        Outcome { name, status, seconds: 1.234, reason, seed: 1, unaudited: None }
    }

    #[test]
    fn rows_are_one_line_unless_they_fail() {
        assert_eq!(row(7, 100, &outcome(Status::Passed, None)), "  7/100  pass    1.23 s  a-b");
        assert_eq!(row(7, 9, &outcome(Status::Skipped, Some("no KVM"))), "7/9  skip    1.23 s  a-b  no KVM");
        let failed = row(7, 9, &outcome(Status::Failed, Some("one\ntwo")));
        assert_eq!(
            failed.lines().collect::<Vec<_>>(),
            ["7/9  FAIL    1.23 s  a-b", "      one", "      two"]
        );
    }

    #[test]
    fn the_closing_line() {
        let outcomes =
            [outcome(Status::Passed, None), outcome(Status::Failed, None), outcome(Status::Passed, None)];
        assert_eq!(closing(&outcomes), "2 passed, 1 failed, 0 skipped");
        assert_eq!(closing(&[]), "0 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn who_could_not_be_asked_is_counted_by_reason() {
        let off = Outcome { unaudited: Some("off".into()), ..outcome(Status::Passed, None) };
        let skipped = Outcome { unaudited: Some("off".into()), ..outcome(Status::Skipped, Some("why")) };
        let all = [outcome(Status::Passed, None), off.clone(), off, skipped];
        assert_eq!(audits(&all), "ledger gone over at the end of 1, nobody to ask at that of 2\n     2  off");
    }

    #[test]
    fn the_live_line_names_what_runs() {
        let state = State {
            done: 2,
            failed: 1,
            running: vec![("x".into(), Instant::now()), ("y".into(), Instant::now())],
        };
        assert_eq!(live_line(&state, 5), "2/5, 1 failed: x  y");
    }

    #[test]
    fn cases_come_and_go() {
        let table = Table::new(2);
        table.begin("a-b");
        table.end(&outcome(Status::Passed, None));
        let state = table.state.lock().unwrap();
        assert_eq!((state.done, state.failed, state.running.len()), (1, 0, 0));
    }
}
