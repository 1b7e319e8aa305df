//! Whether everything is where it belongs: on demand, for who compares before and after.
//!
//! One process at a time, so that how long it takes is bounded by that process's budget (and, for what was lent to children, by the
//! number of processes). Nothing stands still meanwhile: on a machine that is not at rest a fault may be a change under way, and who
//! looks again no longer sees it.

pub(crate) mod census;
pub(crate) mod derivation;
mod endpoints;
mod threads;

use crate::cap::Object;
use crate::task::process::Process;
use crate::task::registry;
use capos_mem::Resource;
use core::fmt::Write;
use kernel_hal::account::Account;
use kernel_hal::sync::Ref;

use crate::log::Line;

/// Something that cannot be true of a process whose books are in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Its threads are not as many as it is charged for.
    Threads,
    /// Its capabilities are not as many as it is charged for.
    Slots,
    /// What its threads may submit is not what it is charged for.
    Calls,
    /// Its children have more than it lent them.
    Lent,
    /// It is charged for less memory than its rings alone take up.
    Pages,
    /// A pending operation's ticket does not lie where it should.
    Ticket,
    /// A thread's state and its place (a queue, a wait) do not agree.
    Place,
    /// A call or receive lies at an endpoint that nobody waits for.
    Stranger,
    /// A call counts as received by somebody who can answer no more.
    Abandoned,
    /// The links of an endpoint's calls lead astray.
    Links,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 10] = [
        Fault::Threads,
        Fault::Slots,
        Fault::Calls,
        Fault::Lent,
        Fault::Pages,
        Fault::Ticket,
        Fault::Place,
        Fault::Stranger,
        Fault::Abandoned,
        Fault::Links,
    ];

    /// For people, and for programs that compare.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Threads => "threads",
            Fault::Slots => "slots",
            Fault::Calls => "calls",
            Fault::Lent => "lent",
            Fault::Pages => "pages",
            Fault::Ticket => "ticket",
            Fault::Place => "place",
            Fault::Stranger => "stranger",
            Fault::Abandoned => "abandoned",
            Fault::Links => "links",
        }
    }
}

/// What was found about one process.
#[derive(Default)]
pub(crate) struct Findings {
    pub threads: u64,
    pub slots: u64,
    /// Pending operations.
    pub pending: u64,
    /// Threads that run at more than their own priority, because they were lent it.
    pub raised: u64,
    /// Calls that lie at endpoints which it may receive from.
    pub calls: u64,
    /// Receives that wait there.
    pub receives: u64,
    /// Pages lent to children that have ended while something charged to them lives on.
    pub orphaned_pages: u64,
    faults: u32,
}

impl Findings {
    fn fault_unless(&mut self, right: bool, fault: Fault) {
        if !right {
            self.faults |= 1 << fault as u32;
        }
    }

    /// Whether that was found.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults & 1 << fault as u32 != 0
    }

    /// The names of what is wrong; nothing when all is right.
    pub fn wrong(&self) -> Line {
        let mut line = Line::new();
        for fault in Fault::ALL.into_iter().filter(|fault| self.has(*fault)) {
            let space = if line.as_str().is_empty() { "" } else { " " };
            // There is room for all of them.
            let _ = write!(line, "{space}{}", fault.name());
        }
        line
    }
}

/// Looks at everything that belongs to a process.
pub(crate) fn look_at(process: &Ref<Process>) -> Findings {
    let mut found = Findings::default();
    let (entries, pages) = threads::look_at(process, &mut found);
    endpoints::look_at(process, &mut found);
    let account = &process.account;
    let threads = process.threads.lock().list.len() as u64;
    let slots = process.table.lock().len() as u64;
    (found.threads, found.slots) = (threads, slots);
    found.fault_unless(account.own(Resource::Threads) == threads, Fault::Threads);
    found.fault_unless(account.own(Resource::CapSlots) == slots, Fault::Slots);
    found.fault_unless(account.own(Resource::CallsInFlight) == entries, Fault::Calls);
    found.fault_unless(account.own(Resource::MemoryPages) >= pages, Fault::Pages);
    look_at_children(account, &mut found);
    found
}

/// What the children have must be what was lent: a little less when one has ended whose memory, say, is still mapped elsewhere.
fn look_at_children(account: &Ref<Account>, found: &mut Findings) {
    for resource in Resource::ALL {
        let (lent, borrowed) = (account.lent(resource), borrowed(account, resource));
        found.fault_unless(borrowed <= lent, Fault::Lent);
        if resource == Resource::MemoryPages {
            found.orphaned_pages = lent.saturating_sub(borrowed);
        }
    }
}

fn borrowed(account: &Ref<Account>, resource: Resource) -> u64 {
    let mut sum = 0;
    let mut cursor = 0;
    while let Some(process) = registry::at_or_after(cursor) {
        if process.account.is_under(account) {
            sum += process.account.borrowed(resource);
        }
        cursor = process.id + 1;
    }
    sum
}

/// A capability of a process, by slot.
pub(crate) struct Holding {
    pub slot: u32,
    pub interface: u64,
}

/// What a process holds in slot `from` or behind it.
pub(crate) fn held(process: &Process, from: u32) -> Option<Holding> {
    let table = process.table.lock();
    let (id, entry) = table.at_or_after(from)?;
    Some(Holding { slot: id.index(), interface: entry.interface })
}

/// The next receive right in slot `from` or behind it, and the slot behind that.
fn next_right(process: &Process, from: u32) -> Option<(u32, Ref<crate::ipc::endpoint::Endpoint>)> {
    let table = process.table.lock();
    let mut from = from;
    loop {
        let (id, entry) = table.at_or_after(from)?;
        from = id.index() + 1;
        if let Object::Endpoint(right) = &entry.object {
            return Some((from, right.endpoint.clone()));
        }
    }
}
