//! The canary's part of a run: the machine stands still while the lab looks at its memory.

use std::io::Write;
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::{Value, json};

use super::{TICK, Watch};
use crate::canary::{self, Monitor};
use crate::case::{Canary, Hand, Misdeed};
use crate::machine::monitor;

/// How long QEMU may take for an answer: with many processors on a busy host stopping takes its time.
const PATIENCE: Duration = Duration::from_secs(20);

impl Watch<'_> {
    /// One look of the canary. The end fails if something is wrong, or if `sees` is not.
    pub(super) fn look(&mut self, which: Canary, sees: Option<&str>) -> Result<(), String> {
        let (text, wrong) = self.with_canary(|canary, watch| match which {
            Canary::Begin => canary.begin(watch).map(|text| (text, String::new())),
            Canary::End => canary.end().map(|report| (report.text(), report.wrong())),
        })?;
        self.tell(&text);
        verdict(&wrong, sees).map_err(|reason| format!("{}: {reason}", self.session.place()))
    }

    /// The lab's own hand.
    pub(super) fn break_rule(&mut self, hand: Hand) -> Result<(), String> {
        self.canary.as_mut().ok_or("the machine has no canary")?.hand(hand)
    }

    /// Does that in the place of a device. What it takes may be on its way to the device, or from there.
    pub(super) fn misbehave(&mut self, misdeed: Misdeed) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let done = self.with_canary(|canary, watch| canary.misbehave(misdeed, watch));
            if let Some(text) = done.map_err(|reason| format!("{}: {reason}", self.session.place()))? {
                self.tell(&text);
                return Ok(());
            }
            if !self.listen(TICK) {
                return Err("the machine left before the device was through".into());
            }
        }
        Err(format!("{}: the device does not use what it has", self.session.place()))
    }

    /// Has it do something while the machine stands still.
    fn with_canary<T>(
        &mut self,
        what: impl FnOnce(&mut canary::Canary, &mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut canary = self.canary.take().ok_or("the machine has no canary")?;
        self.guest.as_ref().map_or(Ok(()), |guest| canary.attach(guest.id()))?;
        // Answered when all processors stand, and devices have been told.
        self.ask("stop", json!({}))?;
        let done = what(&mut canary, self);
        self.ask("cont", json!({}))?;
        self.canary = Some(canary);
        done
    }

    /// For the record, and for the session.
    fn tell(&mut self, text: &str) {
        // A disk that is full shows when the record is read.
        let _ = self.logs.canary.write_all(text.as_bytes());
        self.session.hear(text.as_bytes());
    }
}

/// Whether what was found is what was to be found.
fn verdict(wrong: &str, sees: Option<&str>) -> Result<(), String> {
    let lines = || wrong.lines().filter(|line| !line.is_empty());
    match sees {
        None if wrong.is_empty() => Ok(()),
        None => Err(wrong.trim_end().into()),
        Some(_) if wrong.is_empty() => Err("the canary sees nothing wrong, and should".into()),
        Some(pattern) => {
            let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
            match lines().find(|line| !pattern.is_match(line)) {
                Some(other) => Err(format!("the canary sees something else: {other}")),
                None => Ok(()),
            }
        }
    }
}

impl Monitor for Watch<'_> {
    fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        self.asked += 1;
        let question = monitor::question(command, &arguments, self.asked);
        let gone = || format!("the machine left before it answered `{command}`");
        self.guest.as_mut().ok_or_else(gone)?.command(&question).map_err(|_| gone())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(answer) = self.answer.take() {
                return answer.map_err(|why| format!("`{command}`: {why}"));
            }
            if !self.listen(TICK) {
                return Err(gone());
            }
        }
        Err(format!("no answer to `{command}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_fails_unless_it_is_what_must_be_seen() {
        let wrong = "canary: the bait stands outside of every grant: address 0x1000\n";
        assert_eq!(verdict("", None), Ok(()));
        assert!(verdict(wrong, None).unwrap_err().contains("bait"));
        assert_eq!(verdict(wrong, Some("the bait")), Ok(()));
        assert!(verdict("", Some("the bait")).unwrap_err().contains("nothing"));
        let both = format!("{wrong}canary: the secret stands\n");
        assert!(verdict(&both, Some("the bait")).unwrap_err().contains("secret"), "each case shows one rule");
    }
}
