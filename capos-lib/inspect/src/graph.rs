//! Who holds what, put together from records.

use crate::capability::{Capability, Kind, Origin, Slot};
use crate::process::Process;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// All processes and all that they hold, as far as it was read.
#[derive(Default)]
pub struct Graph {
    processes: Vec<Process>,
    capabilities: BTreeMap<Slot, Capability>,
}

impl Graph {
    /// What was read. What was read twice counts as it was the last time.
    pub fn new(processes: Vec<Process>, capabilities: impl IntoIterator<Item = Capability>) -> Graph {
        let capabilities = capabilities.into_iter().map(|cap| (cap.at, cap)).collect();
        Graph { processes, capabilities }
    }

    /// Every process.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// One by its id.
    pub fn process(&self, id: u64) -> Option<&Process> {
        self.processes.iter().find(|process| process.id == id)
    }

    /// Every capability, by holder and slot.
    pub fn capabilities(&self) -> impl Iterator<Item = &Capability> {
        self.capabilities.values()
    }

    /// What a process holds, by slot.
    pub fn held_by(&self, process: u64) -> impl Iterator<Item = &Capability> {
        let (first, last) = (Slot { process, slot: 0 }, Slot { process, slot: u32::MAX });
        self.capabilities.range(first..=last).map(|(_, cap)| cap)
    }

    /// What is in a slot.
    pub fn at(&self, slot: Slot) -> Option<&Capability> {
        self.capabilities.get(&slot)
    }

    /// Who may receive at an endpoint: first who was given the right, last who made it.
    pub fn servers(&self, endpoint: u64) -> impl Iterator<Item = &Capability> {
        let rights = move |cap: &&Capability| cap.kind == Kind::Endpoint && cap.object == endpoint;
        let given = |cap: &&Capability| matches!(cap.origin, Origin::From(_));
        let all = || self.capabilities().filter(rights);
        all().filter(given).chain(all().filter(move |cap| !given(cap)))
    }

    /// What a capability derives from, then what that does, and so on. Ends also where records were read at different times and go round.
    pub fn ancestors(&self, cap: &Capability) -> impl Iterator<Item = &Capability> {
        let above = |cap: &Capability| match cap.origin {
            Origin::From(slot) => self.at(slot),
            _ => None,
        };
        core::iter::successors(above(cap), move |cap| above(cap)).take(self.capabilities.len())
    }

    /// Why somebody else has something from a process: it derives from what that holds, or is served there.
    pub fn owes(&self, cap: &Capability, process: u64) -> Option<Tie> {
        if cap.at.process == process {
            return None;
        }
        let serves = |right: &Capability| {
            right.at.process == process && right.kind == Kind::Endpoint && right.object == cap.object
        };
        if cap.kind == Kind::Facet && self.held_by(process).any(serves) {
            return Some(Tie::Served);
        }
        self.ancestors(cap).any(|above| above.at.process == process).then_some(Tie::Derived)
    }
}

/// How a capability of somebody hangs by a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tie {
    /// The process may receive what is called through it.
    Served,
    /// It derives from something that the process holds.
    Derived,
}
