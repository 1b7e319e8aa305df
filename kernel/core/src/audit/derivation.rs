//! Who derives from whom: whether tables, families and budgets agree.
//!
//! Looks at everything, a little at a time ([`crate::cap::long`]); nobody waits for all of it but who asks. Each table and each family is
//! looked at under its lock, not all of them at once: while others work, totals may differ by what they are doing.

use crate::cap::families;
use crate::task::process::Process;
use crate::task::registry;
use capos_cap::Place;
use capos_mem::Resource;

/// What an audit of all capabilities found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Derivation {
    /// In tables.
    pub held: u64,
    /// Nodes of the derivation tree whose capability is there.
    pub alive: u64,
    /// Nodes of what is mapped or bound and can be revoked.
    pub leases: u64,
    /// Nodes that only hold others together.
    pub dead: u64,
    /// Disagreements between tables, families and budgets. None at any time.
    pub wrong: u64,
}

/// Nodes or slots of a step.
const STEP: usize = 256;

/// An audit on its way.
pub(crate) struct Walk {
    found: Derivation,
    /// The node to go on with; `None` when all were looked at.
    node: Option<u32>,
    /// The process to go on with, and its slot.
    process: u64,
    slot: u32,
}

impl Walk {
    /// Nothing was looked at.
    pub fn begin() -> Self {
        Walk { found: Derivation::default(), node: Some(1), process: 0, slot: 0 }
    }

    /// One step. What was found when that was the last.
    pub fn step(&mut self) -> Option<Derivation> {
        if let Some(first) = self.node {
            self.node = self.look_at_nodes(first);
            return None;
        }
        let Some(process) = registry::at_or_after(self.process) else { return Some(self.found) };
        if process.id != self.process {
            (self.process, self.slot) = (process.id, 0);
        }
        if self.look_at(&process) {
            (self.process, self.slot) = (process.id + 1, 0);
        }
        None
    }

    /// The node to go on with.
    fn look_at_nodes(&mut self, first: u32) -> Option<u32> {
        let families::Census { alive, leases, dead, bad } = families::count(first, STEP)?;
        let found = &mut self.found;
        (found.alive, found.leases) = (found.alive + alive, found.leases + leases);
        (found.dead, found.wrong) = (found.dead + dead, found.wrong + bad);
        Some(first + STEP as u32)
    }

    /// How many capabilities a process holds, and how many disagreements there are about them. False when it has more.
    fn look_at(&mut self, process: &Process) -> bool {
        let table = process.table.lock();
        let wrong = table.some(self.slot, STEP).filter(|(id, entry)| {
            let here = Place { table: process.id, cap: *id };
            entry.node.and_then(families::place) != Some(here)
        });
        self.found.wrong += wrong.count() as u64;
        self.slot += STEP as u32;
        if (self.slot as usize) < table.span() {
            return false;
        }
        let held = table.len() as u64;
        self.found.held += held;
        // Budgets that were taken out of this one are charged to it, too.
        self.found.wrong += u64::from(process.account.used(Resource::CapSlots) < held);
        true
    }
}
