//! What a machine told, with time going on.

use httpd::Act;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const RECORDED: [(&str, &str); 13] = [
    ("status", include_str!("../data/status.jsonl")),
    ("cpu", include_str!("../data/cpu.jsonl")),
    ("processes", include_str!("../data/processes.jsonl")),
    ("services", include_str!("../data/services.jsonl")),
    ("holdings", include_str!("../data/holdings.jsonl")),
    ("devices", include_str!("../data/devices.jsonl")),
    ("iommu", include_str!("../data/iommu.jsonl")),
    ("irq", include_str!("../data/irq.jsonl")),
    ("audit", include_str!("../data/audit.jsonl")),
    ("hardware", include_str!("../data/hardware.jsonl")),
    ("storage", include_str!("../data/storage.jsonl")),
    ("network", include_str!("../data/network.jsonl")),
    ("logs", include_str!("../data/logs.jsonl")),
];

/// Numbers as the machine told them.
const METRICS: &str = include_str!("../data/metrics.txt");

/// What kind of machine it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    /// As it was.
    Plain,
    /// Nothing but itself: no disk, no device, no service that was asked.
    Bare,
    /// Some services fare ill, and some reports are refused.
    Troubled,
}

/// The machine.
pub struct Machine {
    mood: Mood,
    begun: Instant,
    /// Of services that somebody ended or started: whether they are up, since when, and how often they were started again.
    changed: Mutex<BTreeMap<String, Change>>,
}

#[derive(Clone, Copy)]
struct Change {
    up: bool,
    at_ns: u64,
    restarts: u64,
}

impl Machine {
    /// One that has just told what was recorded.
    pub fn new(mood: Mood) -> Machine {
        Machine { mood, begun: Instant::now(), changed: Mutex::default() }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Lines of a report, or why there is none.
    pub fn report(&self, name: &str, most: Option<u16>) -> Result<String, String> {
        if self.mood == Mood::Troubled && matches!(name, "storage" | "holdings") {
            return Err(format!("needs the capability `{name}`, which was not granted"));
        }
        let recorded = RECORDED.iter().find(|(other, _)| *other == name);
        let (_, text) = recorded.ok_or_else(|| format!("nobody has recorded `{name}`"))?;
        let bare = matches!(
            name,
            "storage" | "devices" | "iommu" | "irq" | "hardware" | "holdings" | "services" | "network"
        );
        if self.mood == Mood::Bare && bare {
            return Ok(String::new());
        }
        let now = self.now_ns();
        let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<String> = rows.map(|row| self.aged(row, now).to_string()).collect();
        let first = lines.len().saturating_sub(most.map_or(usize::MAX, usize::from));
        Ok(lines.get(first..).unwrap_or_default().iter().map(|line| format!("{line}\n")).collect())
    }

    /// The numbers.
    pub fn metrics(&self) -> String {
        METRICS.to_owned()
    }

    /// Ends or starts a service; `false` if there is none.
    pub fn act(&self, act: Act, service: &str) -> bool {
        let known = self.report("services", None).unwrap_or_default();
        if !known.contains(&format!("\"name\":\"{service}\"")) {
            return false;
        }
        let at_ns = self.now_ns();
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let restarts = changed.get(service).map_or(0, |change| change.restarts);
        let restarts = restarts + u64::from(act == Act::Kill);
        // The shell stays ended, so that there is something to start.
        let up = act == Act::Start || service != "shell";
        changed.insert(service.to_owned(), Change { up, at_ns, restarts });
        true
    }

    /// A row as it would be by now.
    fn aged(&self, mut row: Value, now: u64) -> Value {
        let kind = row.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_u64).unwrap_or(0);
        let seconds = now / 1_000_000_000;
        match kind.as_str() {
            "status" => {
                let wave = wave(seconds, 20);
                row["uptime"] = (number(&row, "uptime") + now).into();
                row["free_pages"] = (number(&row, "free_pages").saturating_sub(wave * 60)).into();
            }
            "cpu" => {
                let cpu = number(&row, "cpu");
                let idle = now / 100 * (55 + wave(seconds + 3 * cpu, 12));
                row["idle"] = (number(&row, "idle") + idle).into();
            }
            "process" => {
                let share =
                    [0, 0, 4, 3, 0, 2, 1, 6, 2, 5, 9, 12].get(number(&row, "id") as usize % 12).copied();
                row["cpu"] = (number(&row, "cpu") + now / 100 * share.unwrap_or(0)).into();
            }
            "service" => self.age_service(&mut row, now),
            _ => {}
        }
        row
    }

    fn age_service(&self, row: &mut Value, now: u64) {
        let name = row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        match changed {
            Some(Change { up: true, at_ns, restarts }) => {
                row["state"] = "running".into();
                row["uptime"] = now.saturating_sub(at_ns).into();
                row["restarts"] = restarts.into();
                row["last_end"] = "killed".into();
            }
            Some(Change { restarts, .. }) => {
                row["state"] = "killed".into();
                row["restarts"] = (restarts - 1).into();
                row["last_end"] = "killed".into();
                for name in ["process", "epoch", "health", "uptime"] {
                    row[name] = Value::Null;
                }
            }
            None => {
                if let Some(uptime) = row.get("uptime").and_then(Value::as_u64) {
                    row["uptime"] = (uptime + now).into();
                }
                self.trouble(&name, row);
            }
        }
    }

    fn trouble(&self, name: &str, row: &mut Value) {
        match (self.mood, name) {
            (Mood::Troubled, "nvme") => row["health"] = "late".into(),
            (Mood::Troubled, "virtio_blk") => row["restarts"] = 3.into(),
            (Mood::Troubled, "rng") => {
                row["state"] = "failed".into();
                row["last_end"] = "page fault at instruction 0x2041f3, 5 times within 10 s".into();
                for name in ["process", "epoch", "health", "uptime"] {
                    row[name] = Value::Null;
                }
            }
            _ => {}
        }
    }
}

/// Up and down between 0 and `most`, in its own time.
fn wave(seconds: u64, most: u64) -> u64 {
    let at = seconds % (2 * most).max(1);
    if at < most { at } else { 2 * most - at }
}

#[cfg(test)]
mod tests {
    use super::{Machine, Mood};
    use httpd::Act;

    #[test]
    fn all_that_was_recorded_can_be_asked() {
        let machine = Machine::new(Mood::Plain);
        for (name, text) in super::RECORDED {
            let told = machine.report(name, None).unwrap();
            assert!(!text.is_empty() && told.lines().count() == text.lines().count(), "{name}");
        }
        assert_eq!(machine.report("logs", Some(2)).unwrap().lines().count(), 2);
        assert!(machine.report("acpi", None).is_err());
    }

    #[test]
    fn services_end_and_begin() {
        let machine = Machine::new(Mood::Plain);
        let row = |name: &str| {
            let all = machine.report("services", None).unwrap();
            all.lines().find(|line| line.contains(&format!("\"name\":\"{name}\""))).unwrap().to_owned()
        };
        assert!(machine.act(Act::Kill, "rng") && row("rng").contains("\"restarts\":1"));
        assert!(machine.act(Act::Kill, "shell") && row("shell").contains("\"state\":\"killed\""));
        assert!(machine.act(Act::Start, "shell") && row("shell").contains("\"state\":\"running\""));
        assert!(!machine.act(Act::Start, "nobody"));
    }
}
