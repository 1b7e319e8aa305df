//! Does what has to be done, in order.

use crate::adopt::{self, MEMORY};
use crate::state::State;
use crate::{health, reports, watch};
use alloc::rc::Rc;
use alloc::string::String;
use capos_restart::Action;
use rt::{CallError, log, spawn};

/// Does one thing after the other, for ever.
pub async fn act(state: Rc<State>) {
    loop {
        let seen = state.changed.epoch();
        while let Some(action) = state.next_action() {
            perform(&state, action).await;
        }
        state.changed.since(seen).await;
    }
}

async fn perform(state: &Rc<State>, action: Action) {
    let keeper = &state.keeper;
    match action {
        Action::Start { service, replacement } => start(state, service, replacement).await,
        Action::Kill { service, epoch } => kill(state, service, epoch),
        Action::AskReady { service, epoch } => spawn(health::ask_ready(Rc::clone(state), service, epoch)),
        Action::Ping { service, epoch } => spawn(health::ping(Rc::clone(state), service, epoch)),
        Action::Drain { service, epoch } => spawn(health::drain(Rc::clone(state), service, epoch)),
        Action::Tell { client, epoch, provider } => {
            spawn(health::tell(Rc::clone(state), client, epoch, provider));
        }
        Action::Close(service) => said("close", keeper.close(service as u32).await),
        Action::Settle { service, epoch } => said("settle", keeper.settle(service as u32, epoch).await),
        Action::Note(service) => note(state, service).await,
        Action::Bury { service, epoch } => {
            said("bury", keeper.bury(service as u32, epoch).await);
            state.forget((service, epoch));
        }
        Action::Reboot => said("reboot", keeper.reboot().await),
        Action::Report(service, report) => reports::report(state, service, report),
    }
}

/// What init does not do, a person has to know of.
fn said(what: &str, result: Result<(), CallError>) {
    if let Err(error) = result {
        log::error(format_args!("{what}: {error}"));
    }
}

async fn start(state: &Rc<State>, service: usize, replacement: bool) {
    let wanted = match replacement {
        true => state.wanted.borrow_mut().remove(&service),
        false => None,
    };
    let started = state.keeper.start(service as u32, wanted.as_deref().unwrap_or("")).await;
    let fetched = match started {
        Ok(started) => adopt::fetch(state, service, started.epoch).await.map(|()| started),
        Err(error) => Err(error),
    };
    let name = state.name(service);
    match fetched {
        Ok(started) => {
            log::info(format_args!("{name} started as process {}", started.process));
            spawn(watch::watch(Rc::clone(state), service, started.epoch));
            state.event(|machine, now| machine.started(service, started.epoch, now));
        }
        Err(error) => {
            log::error(format_args!("{name} could not be started: {}", why(&error)));
            state.event(|machine, now| machine.not_started(service, now));
        }
    }
}

/// Init's own words, if it has some.
fn why(error: &CallError) -> String {
    match error {
        CallError::Exception(exception) if !exception.text().is_empty() => String::from(exception.text()),
        other => alloc::format!("{other}"),
    }
}

/// The end is seen by who watches for it.
fn kill(state: &State, service: usize, epoch: u32) {
    if let Some(known) = state.known((service, epoch)) {
        spawn(async move {
            if let Err(error) = known.handle.kill().await {
                log::error(format_args!("kill: {error}"));
            }
        });
    }
}

/// What the next supervisor has to know.
async fn note(state: &State, service: usize) {
    if let Some(memory) = state.look(|machine| machine.memory(service)) {
        said("note", state.keeper.note(service as u32, MEMORY, &memory.encode()).await);
    }
}
