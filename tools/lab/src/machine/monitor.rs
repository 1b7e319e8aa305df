//! QEMU's machine protocol (QMP): what we ask, and what its events mean.

use serde_json::{Map, Value, json};

use super::{pages, pci};
use crate::case::{Action, Look};

/// Must be the first command of a connection.
pub fn hello() -> String {
    command("qmp_capabilities")
}

/// Ends QEMU in order.
pub fn quit() -> String {
    command("quit")
}

/// The command for a step of the session.
pub fn action(action: Action) -> String {
    command(match action {
        Action::Reset => "system_reset",
        Action::Nmi => "inject-nmi",
        Action::Powerdown => "system_powerdown",
        Action::Stop => "stop",
        Action::Continue => "cont",
    })
}

/// The command for a line that a person would give the monitor; or, behind `qmp`, one of its own with `name=value` for each argument, where people's
/// monitor has none.
pub fn line(line: &str) -> String {
    if let Some(words) = line.strip_prefix("qmp ") {
        let mut words = words.split_whitespace();
        let name = words.next().unwrap_or_default();
        let value = |text: &str| text.parse().map_or_else(|_| Value::from(text), |number: u64| number.into());
        let arguments = words.filter_map(|word| word.split_once('='));
        let arguments: Map<_, _> = arguments.map(|(name, text)| (name.into(), value(text))).collect();
        return format!("{}\n", json!({ "execute": name, "arguments": arguments }));
    }
    let arguments = json!({ "command-line": line });
    format!("{}\n", json!({ "execute": "human-monitor-command", "arguments": arguments }))
}

/// What the monitor answered to such a line, if anything: mostly that it was not done.
pub fn said(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = value.get("return").filter(|_| value.get("id").is_none())?.as_str()?.trim();
    (!text.is_empty()).then(|| text.into())
}

/// The command for a look; the answer comes with the look's name.
pub fn look(look: Look) -> String {
    let (line, id) = match look {
        Look::Registers => ("info registers -a", REGISTERS),
        Look::Pages => ("info tlb", PAGES),
        Look::Masters => ("info mtree", MASTERS),
        Look::Pci => return format!("{}\n", json!({ "execute": "query-pci", "id": PCI })),
    };
    let arguments = json!({ "command-line": line });
    format!("{}\n", json!({ "execute": "human-monitor-command", "arguments": arguments, "id": id }))
}

const REGISTERS: &str = "registers";
const PAGES: &str = "pages";
const MASTERS: &str = "masters";
const PCI: &str = "pci";

/// What a look showed, as text for the session; `said` is what the machine said last.
pub fn seen(line: &str, said: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    let answer = value.get("return")?;
    let text = || answer.as_str().map(|text| text.replace('\r', ""));
    match value.get("id")?.as_str()? {
        REGISTERS => text(),
        PAGES => text().map(|text| pages::digest(&text)),
        MASTERS => text().map(|text| pci::masters(&text)),
        PCI => Some(pci::compare(answer, said)),
        _ => None,
    }
}

/// A command whose answer is told from others by its number.
pub fn question(name: &str, arguments: &Value, number: u64) -> String {
    format!("{}\n", json!({ "execute": name, "arguments": arguments, "id": number }))
}

/// The number of the question that a line answers, and what with.
pub fn answer(line: &str) -> Option<(u64, Result<Value, String>)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = value.get("id")?.as_u64()?;
    let refused = value.pointer("/error/desc").map(|why| Err(why.to_string()));
    Some((number, refused.or_else(|| value.get("return").cloned().map(Ok))?))
}

fn command(name: &str) -> String {
    format!("{}\n", json!({ "execute": name }))
}

/// What the monitor can tell that matters to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The machine was reset: by the guest (a triple fault does it, too) or by the lab.
    Reset,
    /// The guest turned the machine off.
    Poweroff,
}

/// Reads one line of the monitor; `None` for what does not matter.
pub fn notice(line: &str) -> Option<Notice> {
    let value: Value = serde_json::from_str(line).ok()?;
    let name = value.get("event")?.as_str()?;
    let reason = value.pointer("/data/reason").and_then(Value::as_str).unwrap_or_default();
    match (name, reason) {
        ("RESET", _) | ("SHUTDOWN", "guest-reset") => Some(Notice::Reset),
        ("SHUTDOWN", "guest-shutdown") => Some(Notice::Poweroff),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices() {
        let line = |name: &str, reason: &str| {
            format!(r#"{{"event":"{name}","data":{{"guest":true,"reason":"{reason}"}}}}"#)
        };
        assert_eq!(notice(&line("RESET", "guest-reset")), Some(Notice::Reset));
        assert_eq!(notice(&line("SHUTDOWN", "guest-reset")), Some(Notice::Reset));
        assert_eq!(notice(&line("SHUTDOWN", "guest-shutdown")), Some(Notice::Poweroff));
        assert_eq!(notice(&line("RESET", "host-qmp-system-reset")), Some(Notice::Reset));
        assert_eq!(notice(&line("SHUTDOWN", "host-qmp-quit")), None);
        assert_eq!(notice(&line("STOP", "")), None);
        assert_eq!(notice(r#"{"return":{}}"#), None);
        assert_eq!(notice("garbage"), None);
    }

    #[test]
    fn what_people_would_read_is_told() {
        assert_eq!(said(r#"{"return":"Error: no\r\n"}"#), Some("Error: no".into()));
        assert_eq!(said(r#"{"return":""}"#), None);
        assert_eq!(said(r#"{"return":{}}"#), None);
        assert_eq!(said(r#"{"return":"pc","id":"registers"}"#), None);
    }

    #[test]
    fn a_line_is_for_the_monitor_of_people() {
        assert_eq!(
            line("o/w 0x60 1"),
            "{\"arguments\":{\"command-line\":\"o/w 0x60 1\"},\"execute\":\"human-monitor-command\"}\n"
        );
    }

    #[test]
    fn a_line_may_be_a_command_with_arguments() {
        assert_eq!(
            line("qmp block_resize node-name=d0 size=4096"),
            "{\"arguments\":{\"node-name\":\"d0\",\"size\":4096},\"execute\":\"block_resize\"}\n"
        );
    }

    #[test]
    fn looks_come_back_as_text() {
        assert!(look(Look::Registers).contains("info registers -a"));
        let answer = |id: &str| format!(r#"{{"return": "CR4=00300800\r\nx\r\n", "id": "{id}"}}"#);
        assert_eq!(seen(&answer("registers"), "").as_deref(), Some("CR4=00300800\nx\n"));
        assert!(seen(&answer("pages"), "").unwrap().contains("pages"));
        assert_eq!(seen(&answer("masters"), "").as_deref(), Some("masters: none.\n"));
        assert!(seen(r#"{"return": [], "id": "pci"}"#, "").unwrap().starts_with("pci: 0"));
        let said = r#"{"kind":"pci","address":"00:00.0"}"#;
        assert!(seen(r#"{"return": [], "id": "pci"}"#, said).unwrap().contains("only the system"));
        assert_eq!(seen(&answer("else"), ""), None);
        assert_eq!(seen(r#"{"return": {}, "id": "pages"}"#, ""), None);
    }

    #[test]
    fn answers_belong_to_questions() {
        assert!(question("stop", &json!({}), 7).ends_with("\"id\":7}\n"));
        assert_eq!(answer(r#"{"return": {"a": 1}, "id": 7}"#), Some((7, Ok(json!({ "a": 1 })))));
        let (number, refusal) =
            answer(r#"{"id": 8, "error": {"class": "GenericError", "desc": "no"}}"#).unwrap();
        assert!(number == 8 && refusal.unwrap_err().contains("no"));
        assert_eq!(answer(r#"{"return": "x", "id": "pages"}"#), None);
        assert_eq!(answer(r#"{"event": "STOP"}"#), None);
    }

    #[test]
    fn commands_are_lines() {
        assert_eq!(action(Action::Nmi), "{\"execute\":\"inject-nmi\"}\n");
        assert!(hello().ends_with('\n') && quit().contains("quit"));
    }
}
