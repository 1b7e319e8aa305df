//! What is known of one service.

use super::instance::{Instance, Life};
use super::spec::Spec;
use crate::memory::Memory;
use crate::policy::{Ending, Restarts};
use alloc::vec::Vec;

/// Where a service is, apart from its instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    /// Nobody wanted it yet.
    #[default]
    Idle,
    /// It is to start as soon as those serve that it needs.
    Blocked,
    /// It is to start then.
    Backoff(u64),
    /// Its start is under way.
    Starting,
    /// There is an instance, or one on the way to take over.
    Up,
    /// It ended and is not started again by itself.
    Ended,
    /// It failed too often.
    GivenUp,
}

/// An instance that was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leaving {
    pub epoch: u32,
    /// When it has had its time; `None` when it is being killed.
    pub by_ns: Option<u64>,
}

/// One service.
pub(crate) struct Service {
    pub spec: Spec,
    pub phase: Phase,
    pub current: Option<Instance>,
    /// Started to take over when it is ready.
    pub successor: Option<Instance>,
    /// A successor's start is under way.
    pub replacing: bool,
    pub leaving: Vec<Leaving>,
    pub restarts: Restarts,
    /// Instances that were started because one had ended.
    pub times: u32,
    /// The latest instance whose end was dealt with.
    pub counted: u32,
    /// The latest instance that those who follow know of.
    pub announced: u32,
    pub last: Option<Ending>,
    pub escalated_ns: Option<u64>,
    /// Until when its program is on trial, which came by a replacement and has promised nothing by which it could be told to serve.
    pub trial_ns: Option<u64>,
    /// Something changed that the next supervisor has to know.
    pub dirty: bool,
}

impl Service {
    pub fn new(spec: Spec, memory: &Memory) -> Service {
        let phase = match memory.phase {
            // It had been decided that it starts; whether it did, the instances tell.
            Phase::Starting | Phase::Up => Phase::Blocked,
            other => other,
        };
        Service {
            spec,
            phase,
            current: None,
            successor: None,
            replacing: false,
            leaving: Vec::new(),
            restarts: memory.restarts,
            times: memory.times,
            counted: memory.counted,
            announced: memory.announced,
            last: memory.last,
            escalated_ns: memory.escalated_ns,
            trial_ns: memory.trial_ns,
            dirty: false,
        }
    }

    /// For the next supervisor.
    pub fn memory(&self) -> Memory {
        Memory {
            phase: self.phase,
            restarts: self.restarts,
            times: self.times,
            counted: self.counted,
            announced: self.announced,
            successor: self.successor.map_or(0, |successor| successor.epoch),
            condemned: self.current.and_then(|current| match current.life {
                Life::Condemned(why) => Some((current.epoch, why)),
                _ => None,
            }),
            last: self.last,
            escalated_ns: self.escalated_ns,
            trial_ns: self.trial_ns,
        }
    }

    /// Whether those who need it need not wait for it. One that is down for a while counts as fit: calls wait for it, too.
    pub fn is_fit(&self) -> bool {
        match self.phase {
            Phase::Up => self.current.is_some_and(|current| current.is_fit()),
            Phase::Idle | Phase::Ended | Phase::GivenUp | Phase::Backoff(_) => true,
            Phase::Blocked | Phase::Starting => false,
        }
    }

    /// The time when something has to be done about it.
    pub fn deadline(&self) -> Option<u64> {
        let phase = match self.phase {
            Phase::Backoff(at) => Some(at),
            _ => None,
        };
        let instances = self.current.iter().chain(&self.successor).filter_map(Instance::deadline);
        let leaving = self.leaving.iter().filter_map(|leaving| leaving.by_ns);
        phase.into_iter().chain(self.trial_ns).chain(instances).chain(leaving).min()
    }
}
