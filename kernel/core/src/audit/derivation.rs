//! Who derives from whom: whether tables, families and budgets agree.
//!
//! Looks at everything, so it takes as long as there is much of it; nobody waits for it but who asks. Each table and each family is looked at under
//! its lock, not all of them at once: while others work, totals may differ by what they are doing.

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

/// Cross-checks tables, families and budgets of all processes.
pub(crate) fn look() -> Derivation {
    let families::Census { alive, leases, dead, bad } = families::count();
    let mut found = Derivation { held: 0, alive, leases, dead, wrong: bad };
    let mut cursor = 0;
    while let Some(process) = registry::at_or_after(cursor) {
        cursor = process.id + 1;
        let (held, wrong) = look_at(&process);
        found.held += held;
        found.wrong += wrong;
    }
    found
}

/// How many capabilities a process holds, and how many disagreements there are about them.
fn look_at(process: &Process) -> (u64, u64) {
    let table = process.table.lock();
    let wrong = table.iter().filter(|(id, entry)| {
        let here = Place { table: process.id, cap: *id };
        entry.node.and_then(families::place) != Some(here)
    });
    let held = table.len() as u64;
    // Budgets that were taken out of this one are charged to it, too.
    let uncharged = u64::from(process.account.used(Resource::CapSlots) < held);
    (held, wrong.count() as u64 + uncharged)
}
