//! The ledger of devices at the end of every case: whether what the kernel has written down of them is what there is.
//!
//! Where the test port ends a run, its service has the kernel go over the books before, and reports that as the event `ledger`. Where
//! a session ends it, the lab asks at the prompt that it ends at. Where nobody is left to ask, the case says why, and the summary counts it.

use serde_json::json;

use crate::case::{Case, Ends, Step};
use crate::judge::{End, Seen};

/// What the service behind the test port reports.
const EVENT: &str = "ledger";
/// Prompts, and what asks for the audit there.
const PROMPTS: [(&str, &str); 2] = [("capos> ", "diag audit --json"), ("diag> ", "audit --json")];

/// Why the ledger is not gone over at the end of a case, if so.
pub fn unasked(case: &Case) -> Option<&str> {
    let by_end = match case.ends {
        Ends::Finish | Ends::Session => None,
        Ends::Poweroff => Some("the machine turns itself off"),
        Ends::Reset => Some("the machine resets itself"),
    };
    case.unaudited.as_deref().filter(|why| !why.is_empty()).or(by_end)
}

/// The last steps of a session, for who reads at the last prompt of `serial`.
///
/// # Errors
/// When there is none.
pub fn last_steps(case: &Case, serial: &str) -> Result<Vec<Step>, String> {
    if case.ends != Ends::Session || unasked(case).is_some() {
        return Ok(Vec::new());
    }
    let last = PROMPTS.iter().filter_map(|(prompt, command)| Some((serial.rfind(prompt)?, command))).max();
    let (_, command) = last.ok_or("there is no prompt to ask for the ledger at: `unaudited` says why")?;
    let asks = Step { types: Some((*command).into()), ..Step::default() };
    let fields = [("kind".to_owned(), json!("audit")), ("device_disorder".to_owned(), json!(0))];
    let answer = Step { json: Some(fields.into()), ..Step::default() };
    Ok(vec![asks, answer])
}

/// What the ledger's audit has to say against a run.
pub fn failure(case: &Case, seen: &Seen) -> Option<String> {
    let books = seen.events.iter().rfind(|event| event.name == EVENT);
    match books {
        Some(event) if event.fields.get("disorder") != Some(&json!(0)) => {
            Some(format!("the ledger of devices is in disorder: {}", json!(event.fields)))
        }
        None if matches!(seen.end, Some(End::Finished(_))) && unasked(case).is_none() => {
            Some("nobody went over the ledger of devices".into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::Event;

    fn case(text: &str) -> Case {
        toml::from_str(&format!("why = 'x'\n{text}")).unwrap()
    }

    fn seen(line: &str) -> Seen {
        let events = Event::parse(line).into_iter().collect();
        Seen { events, end: Some(End::Finished(0)), ..Seen::default() }
    }

    #[test]
    fn who_finishes_without_the_audit_fails() {
        assert!(failure(&case(""), &seen("")).is_some());
        assert!(failure(&case("unaudited = 'why'"), &seen("")).is_none());
        let good = seen(r#"{"event":"ledger","functions":2,"disorder":0,"wrong":""}"#);
        assert!(failure(&case(""), &good).is_none());
        let bad = seen(r#"{"event":"ledger","functions":2,"disorder":1,"wrong":"master"}"#);
        assert!(failure(&case("unaudited = 'why'"), &bad).unwrap().contains("master"), "what is seen counts");
        assert!(failure(&case(""), &seen(r#"{"event":"ledger"}"#)).is_some());
    }

    #[test]
    fn a_session_asks_at_its_last_prompt() {
        let session = case("ends = 'session'");
        let asks = |serial| last_steps(&session, serial).unwrap().first().and_then(|step| step.types.clone());
        assert_eq!(asks("capos> diag\ndiag> x\n").as_deref(), Some("audit --json"));
        assert_eq!(asks("diag> leave\ncapos> ").as_deref(), Some("diag audit --json"));
        let last = last_steps(&session, "capos> ").unwrap().pop().unwrap();
        assert_eq!(last.json.unwrap()["device_disorder"], 0);
        assert!(last_steps(&session, "KERNEL PANIC").unwrap_err().contains("unaudited"));
        assert!(last_steps(&case("ends = 'session'\nunaudited = 'why'"), "").unwrap().is_empty());
        assert!(last_steps(&case(""), "capos> ").unwrap().is_empty());
    }

    #[test]
    fn ends_that_leave_nobody_to_ask_are_reasons() {
        assert!(unasked(&case("ends = 'poweroff'")).is_some() && unasked(&case("ends = 'reset'")).is_some());
        assert_eq!(unasked(&case("")), None);
    }
}
