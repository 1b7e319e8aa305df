//! The verdict: what fails a case by default, and whether the machine ended as the case says. Plain functions over what was seen.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::case::{Allow, Case, Ends, Rule};
use crate::expect::Event;
use crate::ledger;

/// The first line of a panic report, as the kernel prints it on COM1.
static PANIC: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)^.*KERNEL PANIC.*$").ok());
/// A warning or error of the system's log on COM1: as the kernel prints it while COM1 is its own, and as the console shows it later.
static WARNING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:\[ *\d+\.\d+\] [^:\n]+: (?:warning|error): |log: ).*$").ok());

/// Everything observed in one run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Events of the test port, in order.
    pub events: Vec<Event>,
    /// Lines of the test port that are no events.
    pub noise: Vec<String>,
    /// COM1 as a person reads it.
    pub serial: String,
    /// The machine was reset.
    pub reset: bool,
    /// How the machine ended.
    pub end: Option<End>,
}

/// How a machine can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By the test port, with this code.
    Finished(u8),
    /// The guest turned it off.
    Poweroff,
    /// The guest reset it, and the case does not go on after a reset.
    Reset,
    /// The lab turned it off when everything was seen.
    Lab,
    /// QEMU left otherwise, with this status.
    Strange(Option<i32>),
    /// QEMU never ran the machine.
    Refused,
}

/// All reasons why what was seen fails the case; empty if it passed.
pub fn failures(case: &Case, seen: &Seen) -> Vec<String> {
    let mut reasons = broken_rules(case, seen);
    reasons.extend(case.expect.iter().filter_map(|expected| expected.check(&seen.events).err()));
    reasons.extend(wrong_end(case, seen));
    reasons.extend(ledger::failure(case, seen));
    match (seen.reset, case.reboots || case.ends == Ends::Reset) {
        (true, false) => reasons.push("the machine reset".into()),
        (false, true) => reasons.push("the machine did not reset".into()),
        _ => {}
    }
    reasons
}

/// How far what was seen has been looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    serial: usize,
    events: usize,
    noise: usize,
}

impl Mark {
    /// Behind the last whole line and the last event.
    pub fn of(seen: &Seen) -> Mark {
        let serial = seen.serial.rfind('\n').map_or(0, |at| at + 1);
        Mark { serial, events: seen.events.len(), noise: seen.noise.len() }
    }
}

/// Rules broken so far, in the order in which a reader wants them. A last line without an end counts as a line.
pub fn broken_rules(case: &Case, seen: &Seen) -> Vec<String> {
    broken_in(case, seen, Mark::default(), seen.serial.len())
}

/// Rules broken behind `mark`. Only whole lines: half a line may not yet show the words that allow it.
pub fn broken_since(case: &Case, seen: &Seen, mark: Mark) -> Vec<String> {
    broken_in(case, seen, mark, Mark::of(seen).serial)
}

fn broken_in(case: &Case, seen: &Seen, mark: Mark, serial_end: usize) -> Vec<String> {
    let mut reasons = Vec::new();
    let text = seen.serial.get(mark.serial..serial_end).unwrap_or_default();
    let lines = |pattern: &LazyLock<Option<Regex>>| -> Vec<String> {
        let pattern = LazyLock::force(pattern).as_ref();
        pattern
            .into_iter()
            .flat_map(|pattern| pattern.find_iter(text))
            .map(|m| m.as_str().to_owned())
            .collect()
    };
    let mut report = |rule: Rule, what: &str, text: &str| {
        if !allowed(&case.allow, rule, text) {
            reasons.push(format!("{what}: {text}"));
        }
    };
    lines(&PANIC).iter().for_each(|line| report(Rule::Panic, "the kernel panicked", line));
    lines(&WARNING).iter().for_each(|line| report(Rule::Warning, "undeclared warning", line));
    let events = seen.events.get(mark.events..).unwrap_or_default();
    for event in events {
        if let Some((rule, what)) = broken_by(event) {
            report(rule, what, &show(event));
        }
    }
    let failed = events.iter().filter(|event| failed_check(event));
    reasons.extend(failed.map(|event| format!("a check failed: {}", show(event))));
    let noise = seen.noise.iter().skip(mark.noise);
    reasons.extend(noise.map(|line| format!("the test port said what is no event: {line}")));
    reasons
}

fn show(event: &Event) -> String {
    Value::Object(event.fields.clone()).to_string()
}

fn broken_by(event: &Event) -> Option<(Rule, &'static str)> {
    leaks(event).then_some((Rule::Leak, "leak"))
}

/// Any number in a field named `leaked...` that is not zero.
fn leaks(event: &Event) -> bool {
    event.fields.iter().any(|(name, value)| name.starts_with("leaked") && value.as_f64() != Some(0.0))
}

fn failed_check(event: &Event) -> bool {
    event.name == "check" && event.fields.get("ok") != Some(&Value::Bool(true))
}

fn allowed(allows: &[Allow], rule: Rule, text: &str) -> bool {
    allows.iter().any(|allow| {
        allow.rule == rule && Regex::new(&allow.matches).is_ok_and(|pattern| pattern.is_match(text))
    })
}

fn wrong_end(case: &Case, seen: &Seen) -> Option<String> {
    let wanted = match case.ends {
        Ends::Finish => End::Finished(case.code),
        Ends::Session => End::Lab,
        Ends::Poweroff => End::Poweroff,
        Ends::Reset => End::Reset,
    };
    match seen.end {
        Some(end) if end == wanted => None,
        Some(end) => Some(format!("the machine {}; it should have {}", phrase(end), phrase(wanted))),
        None => Some(format!("the machine was still running; it should have {}", phrase(wanted))),
    }
}

fn phrase(end: End) -> String {
    match end {
        End::Finished(code) => format!("finished through the test port with code {code}"),
        End::Poweroff => "turned itself off".into(),
        End::Reset => "reset itself".into(),
        End::Lab => "run until the lab had seen everything".into(),
        End::Strange(Some(status)) => format!("left QEMU with status {status}"),
        End::Strange(None) => "been killed by a signal".into(),
        End::Refused => "was refused by QEMU".into(),
    }
}

/// How QEMU's exit status and the monitor's last word are to be read. The exit device makes `(code << 1) | 1`.
pub fn end_of(status: Option<i32>, reset: bool, poweroff: bool) -> End {
    match status {
        Some(0) if reset => End::Reset,
        Some(0) if poweroff => End::Poweroff,
        Some(status) if status & 1 == 1 => {
            u8::try_from(status >> 1).map_or(End::Strange(Some(status)), End::Finished)
        }
        other => End::Strange(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str) -> Case {
        toml::from_str(&format!("why = 'x'\n{text}")).unwrap()
    }

    fn seen(events: &[&str], serial: &str) -> Seen {
        const LEDGER: &str = r#"{"event":"ledger","disorder":0}"#;
        Seen {
            events: events.iter().chain([&LEDGER]).map(|line| Event::parse(line).unwrap()).collect(),
            serial: serial.into(),
            end: Some(End::Finished(0)),
            ..Seen::default()
        }
    }

    #[test]
    fn half_a_line_is_not_judged_before_its_end() {
        let case =
            case("allow = [{ rule = 'warning', match = 'hostile .*exception', reason = 'on purpose' }]");
        let mut so_far = seen(&[], "[    0.1] kernel: warning: hostile (proc");
        assert_eq!(broken_since(&case, &so_far, Mark::default()), Vec::<String>::new());
        assert_eq!(broken_rules(&case, &so_far).len(), 1);
        so_far.serial.push_str("ess 7): exception 14\n[    0.2] kernel: warning: other\n");
        assert_eq!(broken_since(&case, &so_far, Mark::default()).len(), 1);
    }

    #[test]
    fn silence_and_a_good_end_pass() {
        assert!(failures(&case(""), &seen(&[], "hello\n")).is_empty());
    }

    #[test]
    fn a_panic_fails_unless_allowed() {
        let seen = seen(&[], "x\nKERNEL PANIC on CPU 0: boom\n");
        assert!(failures(&case(""), &seen)[0].contains("boom"));
        let allowing = case("allow = [{ rule = 'panic', match = 'boom', reason = 'wanted' }]");
        assert!(failures(&allowing, &seen).is_empty());
        let other = case("allow = [{ rule = 'panic', match = 'bang', reason = 'wanted' }]");
        assert_eq!(failures(&other, &seen).len(), 1);
    }

    #[test]
    fn warnings_count_wherever_they_are_seen() {
        let line = "[    0.100000] kernel: warning: no HPET\n";
        assert_eq!(failures(&case(""), &seen(&[], "$ x\nlog: no HPET\n")).len(), 1);
        assert_eq!(failures(&case(""), &seen(&[], line)).len(), 1);
        let restart = "[    0.100000] init: warning: serial is started again\n";
        assert_eq!(failures(&case(""), &seen(&[], restart)).len(), 1);
        assert!(
            failures(&case(""), &seen(&[], "[    0.1] kernel: no warning: HPET\ncatalog: x\n")).is_empty()
        );
        let allowing = case("allow = [{ rule = 'warning', match = 'HPET', reason = 'wanted' }]");
        assert!(failures(&allowing, &seen(&[], line)).is_empty());
    }

    #[test]
    fn an_allowance_is_for_one_rule() {
        let leak = r#"{"event":"audit","leaked_pages":3}"#;
        let allowing = case("allow = [{ rule = 'warning', match = '.', reason = 'wanted' }]");
        assert_eq!(failures(&allowing, &seen(&[leak], "")).len(), 1);
        let allowing = case("allow = [{ rule = 'leak', match = 'leaked_pages\":3', reason = 'wanted' }]");
        assert!(failures(&allowing, &seen(&[leak], "")).is_empty());
    }

    #[test]
    fn leaks_are_any_number_but_zero() {
        assert!(
            failures(&case(""), &seen(&[r#"{"event":"audit","leaked_pages":0,"leaked":0}"#], "")).is_empty()
        );
        assert_eq!(failures(&case(""), &seen(&[r#"{"event":"audit","leaked_pages":3}"#], "")).len(), 1);
        assert_eq!(failures(&case(""), &seen(&[r#"{"event":"audit","leaked_pages":"none"}"#], "")).len(), 1);
    }

    #[test]
    fn failed_checks_cannot_be_allowed() {
        let bad = r#"{"event":"check","name":"n","ok":false,"detail":"d"}"#;
        assert_eq!(failures(&case(""), &seen(&[bad], "")).len(), 1);
        assert!(failures(&case(""), &seen(&[r#"{"event":"check","name":"n","ok":true}"#], "")).is_empty());
        assert_eq!(failures(&case(""), &seen(&[r#"{"event":"check","name":"n"}"#], "")).len(), 1);
    }

    #[test]
    fn ends_are_compared() {
        let mut seen = seen(&[], "");
        assert!(failures(&case("code = 3"), &seen)[0].contains("code 3"));
        assert!(failures(&case("ends = 'poweroff'"), &seen)[0].contains("turned itself off"));
        seen.end = None;
        assert!(failures(&case(""), &seen)[0].contains("still running"));
        seen.end = Some(End::Reset);
        seen.reset = true;
        assert!(failures(&case("ends = 'reset'"), &seen).is_empty());
    }

    #[test]
    fn unexpected_resets_fail() {
        let seen = Seen { end: Some(End::Lab), reset: true, ..Seen::default() };
        assert!(failures(&case("ends = 'session'"), &seen)[0].contains("the machine reset"));
        let rebooting = case("ends = 'session'\nreboots = true");
        assert!(failures(&rebooting, &seen).is_empty());
        let never = Seen { end: Some(End::Lab), ..Seen::default() };
        assert!(failures(&rebooting, &never)[0].contains("did not reset"));
    }

    #[test]
    fn statuses_are_read() {
        assert_eq!(end_of(Some(1), false, false), End::Finished(0));
        assert_eq!(end_of(Some(85), false, false), End::Finished(42));
        assert_eq!(end_of(Some(0), true, false), End::Reset);
        assert_eq!(end_of(Some(0), false, true), End::Poweroff);
        assert_eq!(end_of(Some(0), false, false), End::Strange(Some(0)));
        assert_eq!(end_of(None, false, false), End::Strange(None));
    }

    #[test]
    fn what_was_looked_at_is_not_looked_at_again() {
        let seen = seen(&[r#"{"event":"audit","leaked":1}"#], "KERNEL PANIC: x\nKERNEL P");
        assert_eq!(broken_rules(&case(""), &seen).len(), 2);
        assert!(broken_since(&case(""), &seen, Mark::of(&seen)).is_empty());
        let more = Seen { serial: seen.serial.clone() + "ANIC: y\n", ..Seen::default() };
        assert_eq!(broken_since(&case(""), &more, Mark::of(&seen)), ["the kernel panicked: KERNEL PANIC: y"]);
    }

    #[test]
    fn noise_on_the_test_port_fails() {
        let seen = Seen { noise: vec!["garbage".into()], ..seen(&[], "") };
        assert!(failures(&case(""), &seen)[0].contains("garbage"));
    }
}
