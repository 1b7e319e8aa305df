//! Sees how processes end.

use crate::state::State;
use crate::{crashes, last};
use alloc::boxed::Box;
use alloc::rc::Rc;
use capos_restart::{Ending, Outcome};
use core::pin::Pin;
use rt::schema::process_handle::{ExitReason, WaitResults};
use rt::{log, spawn};

impl State {
    /// Watches everything that was found.
    pub fn watch_all(self: &Rc<State>) {
        for (service, epoch) in self.all_known() {
            spawn(watch(Rc::clone(self), service, epoch));
        }
    }
}

/// Waits for an end, and tells of it. Boxed, since an end leads to the next start.
pub fn watch(state: Rc<State>, service: usize, epoch: u32) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let Some(known) = state.known((service, epoch)) else { return };
        let result = known.handle.wait().await;
        let name = state.name(service);
        let ending = match result {
            Ok(end) => ending(end),
            Err(error) => {
                log::error(format_args!("{name} is lost: {error}"));
                Ending::NotStarted
            }
        };
        let line = alloc::format!("{name} (process {}) {}", known.process, describe(ending));
        match ending.outcome() {
            Outcome::Failure => log::error(format_args!("{line}")),
            Outcome::Success | Outcome::Killed => log::info(format_args!("{line}")),
        }
        let last = last::of(epoch, &known).await;
        last::keep(&state, service, &last).await;
        if matches!(ending, Ending::Faulted(_)) {
            crashes::keep(&state, service, &known, last).await;
        }
        state.event(|machine, now| machine.ended(service, epoch, ending, now));
    })
}

fn ending(end: WaitResults) -> Ending {
    match end.reason {
        ExitReason::Exited => Ending::Exited(end.code),
        ExitReason::Killed => Ending::Killed,
        ExitReason::Faulted => Ending::Faulted(end.code),
    }
}

/// In words.
pub fn describe(ending: Ending) -> alloc::string::String {
    match ending {
        Ending::Exited(code) => alloc::format!("exited with {code}"),
        Ending::Killed => alloc::string::String::from("was killed"),
        Ending::Faulted(vector) => alloc::format!("faulted with exception {vector}"),
        Ending::NotStarted => alloc::string::String::from("could not be started"),
    }
}
