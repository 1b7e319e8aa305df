//! What is said to services. Each call ends at the latest with the instance, which the machine has killed when it does not answer in time;
//! what the machine does not watch has a deadline here.

use crate::state::{Known, State};
use alloc::rc::Rc;
use capos_manifest::Source;
use rt::{CallError, Cap, Either, TransportError, log, select};

/// How long a service may take to accept a capability.
const GIVE_NS: u64 = 2_000_000_000;
/// How long whoever lists services waits for one of them.
const LOOK_NS: u64 = 100_000_000;

/// Whether an instance is ready. Only an exception is an answer; when the call does not get through, its deadline decides.
pub async fn ask_ready(state: Rc<State>, service: usize, epoch: u32) {
    let Some(known) = state.known((service, epoch)) else { return };
    let Some(control) = &known.control else { return };
    match control.ready(epoch).await {
        Ok(waits) => {
            known.waits.set(waits);
            state.event(|machine, now| machine.ready(service, epoch, now));
        }
        Err(CallError::Exception(exception)) => {
            log::error(format_args!("{} is not ready: {exception}", state.name(service)));
            state.event(|machine, _| machine.unwell(service, epoch));
        }
        Err(_) => {}
    }
}

/// Whether an instance is well.
pub async fn ping(state: Rc<State>, service: usize, epoch: u32) {
    let Some(known) = state.known((service, epoch)) else { return };
    let Some(control) = &known.control else { return };
    match control.ping().await {
        Ok(waits) => {
            known.waits.set(waits);
            state.event(|machine, now| machine.well(service, epoch, now));
        }
        Err(CallError::Exception(exception)) => {
            log::error(format_args!("{} is not well: {exception}", state.name(service)));
            state.event(|machine, _| machine.unwell(service, epoch));
        }
        Err(_) => {}
    }
}

/// Whether an instance waits for a device. One that did when it answered last is asked anew, as what it waited for may have come; if it
/// takes long, that answer stands.
pub async fn still_waits(state: &State, known: &Known) -> bool {
    if let (true, Some(control)) = (known.waits.get(), &known.control) {
        let deadline = state.timer.sleep_until(state.now().saturating_add(LOOK_NS));
        if let Either::First(Ok(waits)) = select(control.ping(), deadline).await {
            known.waits.set(waits);
        }
    }
    known.waits.get()
}

/// Asks an instance to make room for the next. What it answers does not matter: it has to end in time.
pub async fn drain(state: Rc<State>, service: usize, epoch: u32) {
    let Some(known) = state.known((service, epoch)) else { return };
    if let Some(control) = &known.control {
        let _ = control.drain().await;
    }
}

/// Gives a client new facets of a service that was started anew.
pub async fn tell(state: Rc<State>, client: usize, epoch: u32, provider: usize) {
    let Some(service) = state.services.get(client) else { return };
    let of_provider =
        |source: &Source| source.provider().is_some_and(|(service, _)| service == state.name(provider));
    let since = state.look(|machine| machine.view(provider)).map_or(0, |view| view.epoch);
    for grant in service.caps.iter().filter(|grant| of_provider(&grant.source)) {
        let given = match state.keeper.facet(client as u32, &grant.name).await {
            Ok(facet) => give(&state, (client, epoch), facet, since, &grant.name).await,
            Err(error) => Err(error),
        };
        if let Err(error) = given {
            log::warn(format_args!("{} was not told of {}: {error}", service.name, state.name(provider)));
        }
    }
}

/// Gives an instance a capability, within a time.
pub async fn give(
    state: &State,
    which: (usize, u32),
    cap: Cap,
    since: u32,
    name: &str,
) -> Result<(), CallError> {
    let known = state.known(which).ok_or(CallError::Transport(TransportError::Disconnected))?;
    let control = known.control.as_ref().ok_or(CallError::Transport(TransportError::InvalidCap))?;
    let deadline = state.timer.sleep_until(state.now().saturating_add(GIVE_NS));
    match select(control.give(cap, since, name), deadline).await {
        Either::First(result) => result,
        Either::Second(_) => Err(CallError::Transport(TransportError::TimedOut)),
    }
}
