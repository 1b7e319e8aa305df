//! From start to end of each service, and what follows.

use crate::ends::{End, describe_crash};
use crate::starter;
use crate::state::{Entry, Instance, Phase, State};
use alloc::boxed::Box;
use alloc::rc::Rc;
use capos_restart::{Decision, Outcome};
use core::pin::Pin;
use rt::schema::process_handle::ExitReason;
use rt::{log, spawn};

/// What a service that could not be started counts as having said.
const NOT_STARTED: i64 = -1;

/// Starts a service and watches over it in a task of its own. True when it runs.
pub async fn launch(state: &Rc<State>, index: usize) -> bool {
    let Some(entry) = state.entry(index) else { return false };
    // Somebody else is at it.
    if entry.starting.replace(true) {
        return false;
    }
    let runs = start(state, index, entry).await;
    entry.starting.set(false);
    runs
}

async fn start(state: &Rc<State>, index: usize, entry: &Entry) -> bool {
    let name = &entry.service.name;
    entry.starts.set(entry.starts.get() + 1);
    match starter::start(state, index, entry).await {
        Ok(instance) => {
            log::info(format_args!("{name} started as process {}", instance.pid));
            let at = now(state).await;
            entry.restarts.borrow_mut().started(at);
            *entry.phase.borrow_mut() = Phase::Running(instance.clone());
            spawn(watch(Rc::clone(state), index, instance));
            true
        }
        Err(why) => {
            log::error(format_args!("{name} could not be started: {why}"));
            *entry.phase.borrow_mut() = Phase::Failed(NOT_STARTED);
            false
        }
    }
}

/// Waits for the end. Boxed, since a restart leads back to [`launch`].
fn watch(state: Rc<State>, index: usize, instance: Instance) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let result = instance.handle.wait().await;
        let Some(entry) = state.entry(index) else { return };
        let end = match result {
            Ok(results) => End::of(&results),
            Err(error) => {
                log::error(format_args!("{} is lost: {error}", entry.service.name));
                End { reason: ExitReason::Faulted, code: NOT_STARTED }
            }
        };
        report(entry, &instance, end).await;
        *entry.phase.borrow_mut() = Phase::Ended(end);
        decide(&state, index, entry, end).await;
    })
}

/// Says in the log how it ended.
async fn report(entry: &Entry, instance: &Instance, end: End) {
    let line = alloc::format!("{} (process {}) {}", entry.service.name, instance.pid, end.describe());
    match end.outcome() {
        Outcome::Failure => log::error(format_args!("{line}")),
        Outcome::Success | Outcome::Killed => log::info(format_args!("{line}")),
    }
    if end.reason == ExitReason::Faulted
        && let Ok(crash) = instance.handle.crash().await
    {
        log::error(format_args!("{}: {}", entry.service.name, describe_crash(&crash)));
    }
}

/// Does what the manifest says about its end.
async fn decide(state: &Rc<State>, index: usize, entry: &Entry, end: End) {
    let starts = entry.starts.get();
    let at = now(state).await;
    let decision = entry.restarts.borrow_mut().ended(at, end.outcome());
    match decision {
        Decision::Leave => {}
        Decision::GiveUp => {
            log::error(format_args!("{} died too often and stays ended", entry.service.name));
            *entry.phase.borrow_mut() = Phase::Failed(end.code);
        }
        Decision::StartAt(time) => {
            *entry.phase.borrow_mut() = Phase::Waiting;
            // Should the clock fail, it is started at once.
            let _ = state.kernel.timer.sleep_until(time).await;
            if entry.starts.get() == starts {
                report_restart(&entry.service.name, end.outcome());
                launch(state, index).await;
            }
        }
    }
}

/// Who left a service and gets it again knows that; everything else a person should hear of.
fn report_restart(name: &str, outcome: Outcome) {
    match outcome {
        Outcome::Success => log::info(format_args!("{name} was left and is started again")),
        Outcome::Failure | Outcome::Killed => log::warn(format_args!("{name} is started again")),
    }
}

async fn now(state: &State) -> u64 {
    state.kernel.timer.now().await.unwrap_or(0)
}
