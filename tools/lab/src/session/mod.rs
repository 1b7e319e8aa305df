//! A person at the serial port, as a state machine: fed with the bytes that arrive, it says what to send, what to do to the
//! machine, or how long to wait. It does no IO and has no clock, so it is tested with plain calls.

mod plain;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use crate::case::{Action, Canary, Hand, Look, Misdeed, Plug, Step};
use crate::expect::fields_match;
use crate::wire::WireStep;
pub use plain::Plain;

/// How long a waiting step may take if it does not say.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How much of the unmatched text an error quotes.
const QUOTE: usize = 600;

/// What the session wants next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Write these bytes to the serial port, then ask again.
    Send(Vec<u8>),
    /// Do this to the machine, then ask again.
    Do(Action),
    /// Look there, feed what is seen, ask again.
    Look(Look),
    /// Tell QEMU's monitor these lines, then ask again.
    Monitor(Vec<String>),
    /// Run these commands on the host, then ask again.
    Host(Vec<String>),
    /// Stand the machine still, and look at its memory; whether what must be wrong there was found. Feed what is seen, ask again.
    Canary(Canary, Option<String>),
    /// Break a rule of the canary, then ask again.
    Hand(Hand),
    /// Do that in the place of a device, feed what was done, ask again.
    Device(Misdeed),
    /// Have gdb carry these commands out, feed what it says, ask again.
    Debug(Vec<String>),
    /// Do that with a wire within that time, feed its figures, ask again.
    Wire(WireStep, Duration),
    /// Pull the plug, start the machine again, say so with [`Session::starts_again`], ask again.
    Plug(Plug),
    /// Ask again when more bytes have arrived, or at this time (since the start of the run) at the latest.
    Wait(Duration),
    /// All steps are done.
    Done,
    /// A step failed; the session is over.
    Failed(String),
}

/// The session of one run.
pub struct Session {
    steps: Vec<Step>,
    at: usize,
    /// Steps that were reported as done.
    reported: usize,
    /// When the current step began to wait.
    waiting_since: Option<Duration>,
    /// Its regular expression, compiled once.
    pattern: Option<Regex>,
    /// Something arrived since the last look.
    fresh: bool,
    plain: Plain,
    /// Arrived, and not yet passed by any waiting step.
    pending: String,
    /// What the last waiting step passed over, its match included.
    passed: String,
    /// Names of events that came.
    events: BTreeSet<String>,
}

impl Session {
    /// A session that goes through `steps` in order.
    pub fn new(steps: Vec<Step>) -> Session {
        Session {
            steps,
            at: 0,
            reported: 0,
            waiting_since: None,
            pattern: None,
            fresh: false,
            plain: Plain::default(),
            pending: String::new(),
            passed: String::new(),
            events: BTreeSet::new(),
        }
    }

    /// More steps behind the others.
    pub fn add(&mut self, steps: Vec<Step>) {
        self.steps.extend(steps);
    }

    /// Takes note of an event of the test port.
    pub fn note(&mut self, event: &str) {
        self.events.insert(event.to_owned());
    }

    /// The machine was started again: what came before comes anew.
    pub fn starts_again(&mut self) {
        self.events.clear();
        self.pending.clear();
        self.plain = Plain::default();
    }

    /// Takes bytes from the serial port.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.fresh = true;
        self.plain.push(bytes, &mut self.pending);
    }

    /// Takes what was seen from outside. The terminal's text may be in the middle of an escape sequence, with which it has nothing to do.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.fresh = true;
        Plain::default().push(bytes, &mut self.pending);
    }

    /// What the last waiting step passed over, its match included.
    pub fn passed(&self) -> &str {
        &self.passed
    }

    /// What to do at time `now`.
    pub fn next(&mut self, now: Duration) -> Next {
        let Some(step) = self.steps.get(self.at).cloned() else {
            return Next::Done;
        };
        if let Some(text) = &step.types {
            return self.advance(Next::Send(format!("{text}\r").into_bytes()));
        }
        if let Some(text) = &step.send {
            return self.advance(Next::Send(text.clone().into_bytes()));
        }
        if let Some(action) = step.action {
            return self.advance(Next::Do(action));
        }
        if let Some(look) = step.look {
            return self.advance(Next::Look(look));
        }
        if let Some(lines) = step.monitor {
            return self.advance(Next::Monitor(lines));
        }
        if let Some(commands) = step.host {
            return self.advance(Next::Host(commands));
        }
        if let Some(canary) = step.canary {
            return self.advance(Next::Canary(canary, step.sees));
        }
        if let Some(hand) = step.hand {
            return self.advance(Next::Hand(hand));
        }
        if let Some(misdeed) = step.device {
            return self.advance(Next::Device(misdeed));
        }
        if let Some(wire) = step.wire {
            return self.advance(Next::Wire(wire, step.within.unwrap_or(PATIENCE)));
        }
        if let Some(plug) = step.plug {
            return self.advance(Next::Plug(plug));
        }
        if let Some(commands) = step.gdb {
            return self.advance(Next::Debug(commands));
        }
        if let Some(text) = &step.absent {
            if self.passed.contains(text.as_str()) {
                return Next::Failed(format!(
                    "{}: `{text}` appeared in:\n{}",
                    self.place(),
                    quote(&self.passed)
                ));
            }
            self.at += 1;
            return self.next(now);
        }
        self.wait(&step, now)
    }

    fn advance(&mut self, next: Next) -> Next {
        self.at += 1;
        next
    }

    fn wait(&mut self, step: &Step, now: Duration) -> Next {
        if let Some(quiet) = step.quiet {
            return self.wait_for_quiet(quiet, now);
        }
        if let Some(end) = self.find(step) {
            return self.pass(end, now);
        }
        let since = *self.waiting_since.get_or_insert(now);
        let patience = step.within.unwrap_or(PATIENCE);
        if now >= since + patience {
            return Next::Failed(format!(
                "{}: waited {} s for {}, saw:\n{}",
                self.place(),
                patience.as_secs_f32(),
                wanted(step),
                quote(&self.pending)
            ));
        }
        Next::Wait(since + patience)
    }

    fn wait_for_quiet(&mut self, quiet: Duration, now: Duration) -> Next {
        if std::mem::take(&mut self.fresh) {
            self.waiting_since = None;
        }
        let since = *self.waiting_since.get_or_insert(now);
        match now >= since + quiet {
            true => self.pass(self.pending.len(), now),
            false => Next::Wait(since + quiet),
        }
    }

    /// The waiting is over, satisfied by the first `end` bytes.
    fn pass(&mut self, end: usize, now: Duration) -> Next {
        let rest = self.pending.split_off(end);
        self.passed = std::mem::replace(&mut self.pending, rest);
        self.waiting_since = None;
        self.pattern = None;
        self.at += 1;
        self.next(now)
    }

    /// The end of what satisfies the step, if it has arrived.
    fn find(&mut self, step: &Step) -> Option<usize> {
        if let Some(event) = &step.event {
            // It passes over nothing that has arrived.
            return self.events.contains(event).then_some(0);
        }
        if let Some(wanted) = &step.expect {
            return self.pending.find(wanted.as_str()).map(|at| at + wanted.len());
        }
        if let Some(pattern) = &step.matches {
            if self.pattern.is_none() {
                self.pattern = Regex::new(pattern).ok();
            }
            return self.pattern.as_ref()?.find(&self.pending).map(|found| found.end());
        }
        find_json(step.json.as_ref()?, &self.pending)
    }

    /// Where the session stands, for messages.
    pub fn place(&self) -> String {
        format!("session step {} of {}", (self.at + 1).min(self.steps.len()), self.steps.len())
    }

    /// Writes which steps were done since the last time.
    pub fn report(&mut self, now: Duration, out: &mut dyn Write) -> io::Result<()> {
        while self.reported < self.at {
            let step = self.steps.get(self.reported).and_then(|step| serde_json::to_value(step).ok());
            let set = step
                .as_ref()
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(_, value)| !value.is_null());
            let text: Vec<String> = set.map(|(verb, value)| format!("{verb} {value}")).collect();
            writeln!(out, "{:9.3} s  {}", now.as_secs_f64(), text.join(" "))?;
            self.reported += 1;
        }
        Ok(())
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.at >= self.steps.len()
    }
}

/// The end of the first whole line that is a JSON object with these fields.
fn find_json(fields: &BTreeMap<String, Value>, text: &str) -> Option<usize> {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        let is_match = line.ends_with('\n')
            && matches!(serde_json::from_str(line.trim()), Ok(Value::Object(object)) if fields_match(fields, &object));
        if is_match {
            return Some(end);
        }
    }
    None
}

fn wanted(step: &Step) -> String {
    if let Some(event) = &step.event {
        return format!("event `{event}`");
    }
    match (&step.expect, &step.matches, &step.json) {
        (Some(text), ..) => format!("`{}`", text.escape_debug()),
        (_, Some(pattern), _) => format!("/{pattern}/"),
        (.., Some(fields)) => {
            format!("a JSON line with {}", serde_json::to_string(fields).unwrap_or_default())
        }
        _ => String::new(),
    }
}

/// The last part of `text`, cut at a character boundary.
fn quote(text: &str) -> &str {
    let from = (text.len().saturating_sub(QUOTE)..=text.len()).find(|&at| text.is_char_boundary(at));
    from.and_then(|from| text.get(from..)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
