//! Events that probes and services report, and what a case expects of them.
//!
//! An event is one JSON object on a line of the test port: `{"seq":1,"who":"probe-spawn","event":"spawn.done","spawned":1000}`.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::machine::entropy;

/// One reported event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, from the field `event`.
    pub name: String,
    /// All fields, the name included.
    pub fields: Map<String, Value>,
}

impl Event {
    /// Reads one line of the test port.
    pub fn parse(line: &str) -> Result<Event, String> {
        let value: Value =
            serde_json::from_str(line).map_err(|error| format!("not JSON ({error}): {line}"))?;
        let Value::Object(fields) = value else {
            return Err(format!("not a JSON object: {line}"));
        };
        match fields.get("event").and_then(Value::as_str) {
            Some(name) => Ok(Event { name: name.to_owned(), fields }),
            None => Err(format!("no field `event`: {line}")),
        }
    }

    /// A text field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}

/// One `[[expect]]` entry.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The event's name.
    pub event: String,
    /// Fields that it must have. A value is compared for equality; a table of rules like `at_least` says more.
    #[serde(default, rename = "where")]
    pub fields: BTreeMap<String, Value>,
    /// How often exactly it must be seen; at least once if not given.
    #[serde(default)]
    pub times: Option<usize>,
    /// How often it must be seen, or more often.
    #[serde(default)]
    pub at_least: Option<usize>,
    /// It must never be seen.
    #[serde(default)]
    pub absent: bool,
}

impl Expectation {
    /// Whether `event` is one of those meant.
    pub fn meets(&self, event: &Event) -> bool {
        event.name == self.event && fields_match(&self.fields, &event.fields)
    }

    /// `Ok` when the events so far satisfy this; the error says what is missing, with the nearest candidate.
    pub fn check(&self, events: &[Event]) -> Result<(), String> {
        let seen = events.iter().filter(|event| self.meets(event)).count();
        match (self.absent, self.times) {
            (true, _) if seen > 0 => {
                Err(format!("{} was seen {seen} times, must be absent", self.describe()))
            }
            (true, _) => Ok(()),
            (false, Some(times)) if seen != times => {
                Err(format!("{} was seen {seen} times, not {times}{}", self.describe(), self.nearest(events)))
            }
            (false, None) if seen < self.at_least.unwrap_or(1) && seen > 0 => {
                let least = self.at_least.unwrap_or(1);
                Err(format!("{} was seen {seen} times, not {least} or more", self.describe()))
            }
            (false, None) if seen == 0 => {
                Err(format!("{} was never seen{}", self.describe(), self.nearest(events)))
            }
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        if self.fields.is_empty() {
            return format!("event `{}`", self.event);
        }
        let fields = serde_json::to_string(&self.fields).unwrap_or_default();
        format!("event `{}` with {fields}", self.event)
    }

    fn nearest(&self, events: &[Event]) -> String {
        match events.iter().rev().find(|event| event.name == self.event) {
            Some(event) => format!("; the last `{}` was {}", self.event, Value::Object(event.fields.clone())),
            None => String::new(),
        }
    }
}

/// Whether every expected field is met.
pub fn fields_match(expected: &BTreeMap<String, Value>, fields: &Map<String, Value>) -> bool {
    expected.iter().all(|(name, wanted)| field_matches(wanted, fields.get(name)))
}

fn field_matches(wanted: &Value, found: Option<&Value>) -> bool {
    match wanted {
        Value::Object(rules) if !rules.is_empty() && rules.keys().all(|key| is_rule(key)) => {
            rules.iter().all(|(rule, limit)| rule_holds(rule, limit, found))
        }
        _ => found.is_some_and(|found| equal(wanted, found)),
    }
}

fn is_rule(key: &str) -> bool {
    matches!(key, "at_least" | "at_most" | "match" | "present" | "not" | "known")
}

fn rule_holds(rule: &str, limit: &Value, found: Option<&Value>) -> bool {
    let numbers = || Some((found?.as_f64()?, limit.as_f64()?));
    match rule {
        "at_least" => numbers().is_some_and(|(found, limit)| found >= limit),
        "at_most" => numbers().is_some_and(|(found, limit)| found <= limit),
        "present" => limit.as_bool() == Some(found.is_some()),
        "known" => match (limit.as_u64(), found.and_then(Value::as_str)) {
            (Some(offset), Some(text)) => entropy::is_known_at(text, offset),
            (_, text) => limit.as_bool() == text.map(entropy::is_known),
        },
        "not" => !found.is_some_and(|found| equal(limit, found)),
        "match" => match (limit.as_str().map(Regex::new), found) {
            (Some(Ok(pattern)), Some(Value::String(text))) => pattern.is_match(text),
            (Some(Ok(pattern)), Some(other)) => pattern.is_match(&other.to_string()),
            _ => false,
        },
        _ => false,
    }
}

/// Equality that does not tell `1` from `1.0`, and does tell neighbouring large integers.
fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left_number), Some(right_number)) if left.is_f64() || right.is_f64() => {
            left_number == right_number
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        Event::parse(line).unwrap()
    }

    fn expectation(text: &str) -> Expectation {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn lines_that_are_no_events_are_refused() {
        for line in ["", "hello", "[1]", "{\"seq\":1}", "{\"event\":7}", "{\"event\":\"x\""] {
            assert!(Event::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn equality_and_names() {
        let e = expectation("event = 'a'\nwhere = { n = 3, s = 'x' }");
        assert!(e.meets(&event(r#"{"event":"a","n":3,"s":"x","more":1}"#)));
        assert!(!e.meets(&event(r#"{"event":"a","n":3,"s":"y"}"#)));
        assert!(!e.meets(&event(r#"{"event":"a","n":3}"#)));
        assert!(!e.meets(&event(r#"{"event":"b","n":3,"s":"x"}"#)));
    }

    #[test]
    fn bounds_are_inclusive() {
        let e = expectation("event = 'a'\nwhere = { n = { at_least = 2, at_most = 4 } }");
        let seen = |n: i32| e.meets(&event(&format!(r#"{{"event":"a","n":{n}}}"#)));
        assert_eq!([1, 2, 3, 4, 5].map(seen), [false, true, true, true, false]);
        assert!(!e.meets(&event(r#"{"event":"a","n":"3"}"#)));
    }

    #[test]
    fn patterns_presence_and_negation() {
        let e = expectation(
            "event = 'a'\nwhere = { s = { match = '^x+$' }, gone = { present = false }, n = { not = 0 } }",
        );
        assert!(e.meets(&event(r#"{"event":"a","s":"xxx","n":1}"#)));
        assert!(!e.meets(&event(r#"{"event":"a","s":"xyx","n":1}"#)));
        assert!(!e.meets(&event(r#"{"event":"a","s":"x","gone":null,"n":1}"#)));
        assert!(!e.meets(&event(r#"{"event":"a","s":"x","n":0}"#)));
    }

    #[test]
    fn a_broken_pattern_matches_nothing() {
        assert!(
            !expectation("event = 'a'\nwhere = { s = { match = '(' } }")
                .meets(&event(r#"{"event":"a","s":"("}"#))
        );
    }

    #[test]
    fn counting() {
        let events = [event(r#"{"event":"a"}"#), event(r#"{"event":"a"}"#)];
        assert!(expectation("event = 'a'").check(&events).is_ok());
        assert!(expectation("event = 'a'\ntimes = 2").check(&events).is_ok());
        assert!(expectation("event = 'a'\ntimes = 1").check(&events).is_err());
        assert!(expectation("event = 'b'").check(&events).is_err());
        assert!(expectation("event = 'a'\nat_least = 2").check(&events).is_ok());
        assert!(expectation("event = 'a'\nat_least = 3").check(&events).is_err());
        assert!(expectation("event = 'b'\nat_least = 1").check(&events).is_err());
        assert!(expectation("event = 'b'\nabsent = true").check(&events).is_ok());
        assert!(expectation("event = 'a'\nabsent = true").check(&events).is_err());
    }

    #[test]
    fn the_error_names_the_nearest_event() {
        let error = expectation("event = 'a'\nwhere = { n = 1 }")
            .check(&[event(r#"{"event":"a","n":2}"#)])
            .unwrap_err();
        assert!(error.contains("never seen") && error.contains("\"n\":2"), "{error}");
    }

    #[test]
    fn whole_numbers_equal_their_float_form() {
        assert!(equal(&serde_json::json!(1), &serde_json::json!(1.0)));
        assert!(!equal(&serde_json::json!(u64::MAX), &serde_json::json!(u64::MAX - 1)));
    }
}
