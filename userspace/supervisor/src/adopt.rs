//! The beginning: finds what runs, and what was noted of it.

use crate::state::{Given, Known, State};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_manifest::Service;
use capos_restart::{Found, Memory, Spec, Supervision};
use core::cell::Cell;
use rt::generated::KeeperClient;
use rt::{CallError, ExceptionCode, log};

/// The page of notes that holds a service's [`Memory`].
pub const MEMORY: u8 = 0;

/// Takes over from the supervisor before, if there was one.
pub async fn adopt(given: Given, services: Vec<(Service, Spec)>) -> Result<State, CallError> {
    let (services, specs): (Vec<Service>, Vec<Spec>) = services.into_iter().unzip();
    let (mut memories, mut found, mut known) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (number, service) in services.iter().enumerate() {
        let noted = given.keeper.noted(number as u32, MEMORY).await?;
        memories.push(Memory::decode(&noted));
        let mut above = 0;
        while let Some((epoch, instance)) =
            next(&given.keeper, number, above, service.health.is_some()).await?
        {
            let ended = instance.handle.info().await?.ended;
            found.push(Found { service: number, epoch, ended });
            known.insert((number, epoch), Rc::new(instance));
            above = epoch;
        }
    }
    if !found.is_empty() {
        log::info(format_args!("took over {} processes", found.len()));
    }
    let now = given.timer.now().await?;
    let machine = Supervision::adopt(specs, &memories, &found, now);
    Ok(State::new(given, services, machine, known))
}

/// The next process of a service that init keeps, if there is one.
async fn next(
    keeper: &KeeperClient,
    service: usize,
    above: u32,
    with_control: bool,
) -> Result<Option<(u32, Known)>, CallError> {
    let service = service as u32;
    let found = match keeper.instance(service, above).await {
        Ok(found) => found,
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let control = match with_control {
        true => keeper.control(service, found.epoch).await.ok(),
        false => None,
    };
    Ok(Some((
        found.epoch,
        Known {
            process: found.process,
            program: found.program,
            handle: found.handle,
            control,
            waits: Cell::new(false),
        },
    )))
}

/// A process that init has just started.
pub async fn fetch(state: &State, service: usize, epoch: u32) -> Result<(), CallError> {
    let with_control = state.services.get(service).is_some_and(|service| service.health.is_some());
    match next(&state.keeper, service, epoch.saturating_sub(1), with_control).await? {
        Some((found, known)) if found == epoch => {
            state.know((service, epoch), known);
            Ok(())
        }
        _ => Err(CallError::MissingCap),
    }
}
