//! Wires' part of a run, and what the host does meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Watch;
use crate::canary::Monitor;
use crate::wire::yard::Yard;
use crate::wire::{WireStep, with_ports};
use crate::{disk, stop};

/// How often it is looked whether a step is done.
const LOOK: Duration = Duration::from_millis(5);

impl Watch<'_> {
    /// Does with a wire what a step says, while the machine goes on.
    pub(super) fn use_wire(&mut self, step: &WireStep, within: Duration) -> Result<(), String> {
        self.peers.begin(step)?;
        let deadline = Instant::now() + within;
        loop {
            let looked = self.peers.look(step);
            let (is_done, said) = looked.map_err(|why| format!("before {}: {why}", self.session.place()))?;
            if is_done {
                self.session.hear(format!("{said}\n").as_bytes());
                return Ok(());
            }
            if Instant::now() >= deadline || stop::requested() {
                let (place, seconds) = (self.session.place(), within.as_secs_f32());
                return Err(format!("before {place}: waited {seconds} s for a wire: {said}"));
            }
            if !self.listen(LOOK) {
                return Err(format!("the machine left while a wire was used: {said}"));
            }
        }
    }

    /// Has the host do that, where the machine's interfaces are if it has such.
    pub(super) fn on_the_host(&mut self, command: &str) -> Result<(), String> {
        let (machine, folder) = (&self.bench.case.machine, self.lines.0.logs.clone());
        let command = with_ports(machine, command, || {
            let said = self.ask("human-monitor-command", json!({ "command-line": "info usernet" }))?;
            Ok(said.as_str().unwrap_or_default().to_owned())
        })?;
        let enter = self.yard.as_ref().map(Yard::enter_for_good).unwrap_or_default();
        disk::run(machine, &command, &folder, &enter)
    }
}
