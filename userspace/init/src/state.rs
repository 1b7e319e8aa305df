//! What init knows about every service.

use crate::ends::End;
use crate::kernel::Kernel;
use crate::plan::Plan;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_manifest::{Restart, Service};
use capos_restart::{Policy, Restarts};
use core::cell::{Cell, RefCell};
use rt::CallError;
use rt::generated::{EndpointClient, ProcessHandleClient};

/// Calls that may wait at init's own endpoint.
const DEPTH: u32 = 64;

/// A process of a service.
#[derive(Clone)]
pub struct Instance {
    pub handle: Rc<ProcessHandleClient>,
    pub pid: u64,
}

/// Where a service is.
#[derive(Clone)]
pub enum Phase {
    /// Not started yet, or not any more for now.
    Waiting,
    Running(Instance),
    Ended(End),
    /// It could not be started, or died too often.
    Failed(i64),
}

/// One service.
pub struct Entry {
    pub service: Service,
    /// Where its exports are called; there as long as init is.
    pub endpoint: Option<EndpointClient>,
    pub phase: RefCell<Phase>,
    pub restarts: RefCell<Restarts>,
    /// Counts starts: a restart that was decided before somebody else started the service is void.
    pub starts: Cell<u64>,
    /// It is being started right now.
    pub starting: Cell<bool>,
}

/// Everything.
pub struct State {
    pub kernel: Kernel,
    entries: Vec<Entry>,
    order: Vec<usize>,
    endpoint: EndpointClient,
}

impl State {
    /// Makes the endpoints; nothing is started yet.
    pub async fn new(kernel: Kernel, plan: Plan) -> Result<State, CallError> {
        let endpoint = kernel.endpoints().create(DEPTH).await?;
        let mut entries = Vec::new();
        for service in plan.manifest.services {
            let endpoint = match service.exports.is_empty() {
                true => None,
                false => {
                    Some(kernel.endpoints().create(service.budget.endpoint_entries.clamp(1, 1024)).await?)
                }
            };
            entries.push(Entry {
                restarts: RefCell::new(Restarts::new(policy(service.restart))),
                service,
                endpoint,
                phase: RefCell::new(Phase::Waiting),
                starts: Cell::new(0),
                starting: Cell::new(false),
            });
        }
        Ok(State { kernel, entries, order: plan.order, endpoint })
    }

    /// Init's own endpoint.
    pub fn endpoint(&self) -> &EndpointClient {
        &self.endpoint
    }

    /// Services that start by themselves, in order.
    pub fn order(&self) -> Vec<usize> {
        let starts = |index: &usize| self.entries.get(*index).is_some_and(|entry| entry.service.autostart);
        self.order.iter().copied().filter(starts).collect()
    }

    /// One service by its number in the manifest.
    pub fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// One service by its name, with its number.
    pub fn find(&self, name: &str) -> Option<(usize, &Entry)> {
        self.entries.iter().enumerate().find(|(_, entry)| entry.service.name == name)
    }

    /// Number and name of every service that is granted an export of `provider`.
    pub fn clients_of(&self, provider: &str) -> Vec<(usize, String)> {
        let uses =
            |entry: &Entry| entry.service.caps.iter().any(|grant| is_export_of(&grant.source, provider));
        let clients = self.entries.iter().enumerate().filter(|(_, entry)| uses(entry));
        clients.map(|(number, entry)| (number, entry.service.name.clone())).collect()
    }
}

fn is_export_of(source: &capos_manifest::Source, provider: &str) -> bool {
    matches!(source, capos_manifest::Source::Export { service, .. } if service == provider)
}

fn policy(restart: Restart) -> Policy {
    match restart {
        Restart::Never => Policy::Never,
        Restart::OnFailure => Policy::OnFailure,
        Restart::Always => Policy::Always,
    }
}
