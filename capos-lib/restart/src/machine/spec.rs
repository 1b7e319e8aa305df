//! What the manifest says about a service, as far as its supervisor decides by it.

use crate::policy::Policy;
use alloc::vec::Vec;

/// One service. Services are known by their numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spec {
    /// When it is started again.
    pub policy: Policy,
    /// Whether it starts with the system.
    pub autostart: bool,
    /// What it promised.
    pub health: Option<Health>,
    /// How long an instance that was replaced may go on, nanoseconds.
    pub drain_ns: u64,
    /// What happens to it when one that it needs was started anew.
    pub follow: Follow,
    /// What happens when it is given up.
    pub escalation: Escalation,
    /// Services whose exports it holds.
    pub providers: Vec<usize>,
    /// Whether it has an endpoint that others call.
    pub exports: bool,
}

/// Promised times, nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Health {
    /// From the start until it is ready.
    pub ready_ns: u64,
    /// Between two questions.
    pub every_ns: u64,
    /// From a question to its answer.
    pub answer_ns: u64,
}

/// What happens to a service when one that it needs was started anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// Nothing.
    Nothing,
    /// It is given a new facet.
    Told,
    /// It is started anew too.
    Restarted,
}

/// What happens when a service is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Escalation {
    /// Nothing.
    Nothing,
    /// It and all that need it are started anew.
    Group,
    /// The machine is reset.
    Reboot,
}
