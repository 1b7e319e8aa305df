//! The state of all services, and what follows from what happens.

mod adopt;
mod instance;
mod service;
mod spec;
mod steps;
mod view;

use alloc::vec::Vec;

pub use adopt::Found;
pub use instance::Why;
pub(crate) use service::Phase;
use service::Service;
pub use spec::{Escalation, Follow, Health, Spec};
pub use view::{Serving, State, View};

/// What the supervisor has to do, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start an instance and say what came of it: [`Supervision::started`], [`Supervision::not_started`].
    Start {
        /// The service.
        service: usize,
        /// It is to take over from one that runs.
        replacement: bool,
    },
    /// End an instance.
    Kill {
        /// The service.
        service: usize,
        /// The instance.
        epoch: u32,
    },
    /// Ask an instance whether it is ready: [`Supervision::ready`], [`Supervision::unwell`].
    AskReady {
        /// The service.
        service: usize,
        /// The instance.
        epoch: u32,
    },
    /// Ask an instance whether it is well: [`Supervision::well`], [`Supervision::unwell`].
    Ping {
        /// The service.
        service: usize,
        /// The instance.
        epoch: u32,
    },
    /// Ask an instance to answer what it has received, and to end.
    Drain {
        /// The service.
        service: usize,
        /// The instance.
        epoch: u32,
    },
    /// Give a client a new facet of a service that was started anew.
    Tell {
        /// The client.
        client: usize,
        /// Its instance.
        epoch: u32,
        /// The service.
        provider: usize,
    },
    /// Calls of its endpoint are to end: nobody will serve it.
    Close(usize),
    /// The service is from now on what this instance is.
    Settle {
        /// The service.
        service: usize,
        /// The instance.
        epoch: u32,
    },
    /// Keep [`Supervision::memory`] for the next supervisor.
    Note(usize),
    /// Forget an instance that has ended and was dealt with.
    Bury {
        /// The service.
        service: usize,
        /// The instance.
        epoch: u32,
    },
    /// Reset the machine.
    Reboot,
    /// Tell people.
    Report(usize, Report),
}

/// What people should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    /// It is started again after it had ended by itself and well.
    StartedAfterLeaving,
    /// It is started again after something else.
    StartedAgain,
    /// It failed too often and stays ended.
    GivenUp,
    /// It failed too often; all that need it are started anew with it.
    GroupRestarted,
    /// It failed too often; the machine is reset.
    Rebooting,
    /// An instance is killed, and why.
    Condemned(Why),
    /// A successor serves now.
    Replaced(u32),
    /// A successor did not come to serve; nothing has changed.
    ReplacementFailed,
    /// A program that had promised nothing ended soon after it had become the service, which is what it was before.
    Reverted,
    /// An instance that was replaced did not end in time and is killed.
    Overdue(u32),
}

/// Why something that a person asked for is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no such service.
    Unknown,
    /// It does not run.
    NotRunning,
    /// It runs already, or is being started.
    Running,
    /// It is being replaced already.
    Replacing,
}

/// All services.
pub struct Supervision {
    services: Vec<Service>,
    actions: Vec<Action>,
}

impl Supervision {
    /// What is to be done now; each once.
    pub fn actions(&mut self) -> Vec<Action> {
        for (number, service) in self.services.iter_mut().enumerate() {
            if core::mem::take(&mut service.dirty) {
                self.actions.push(Action::Note(number));
            }
        }
        // A supervisor may die between any two. What is killed was condemned for a reason, and what is buried cannot be found any more: both are
        // to be known before. Who became the service is settled before it is known, since that is asked for again.
        self.actions.sort_by_key(|action| match action {
            Action::Settle { .. } => 0,
            Action::Note(_) => 1,
            Action::Bury { .. } => 2,
            _ => 3,
        });
        core::mem::take(&mut self.actions)
    }

    /// When [`Supervision::tick`] is to be called at the latest.
    pub fn deadline(&self) -> Option<u64> {
        self.services.iter().filter_map(Service::deadline).min()
    }

    /// What the next supervisor has to know of a service.
    pub fn memory(&self, service: usize) -> Option<crate::Memory> {
        self.services.get(service).map(Service::memory)
    }

    fn report(&mut self, service: usize, report: Report) {
        self.actions.push(Action::Report(service, report));
    }
}
