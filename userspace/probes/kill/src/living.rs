//! What there is, and what each who lives has: for who compares before and after.

use crate::Setup;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;

/// What one process has: threads, slots, pages of its own, lent pages, regions, pages of children that have ended, endpoint entries.
type Books = [u64; 7];

const BOOKS: [&str; 7] =
    ["threads", "slots", "own pages", "lent pages", "regions", "orphaned pages", "endpoint entries"];

/// The system at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Living {
    /// Processes, threads, and the kernel's objects of five kinds.
    objects: [u64; 7],
    /// Free pages, the kernel's, and what processes have of their own: what is missing of the machine's is nobody's.
    pages: u64,
    /// Capabilities in tables, nodes that stand for one, leases.
    derivation: [u64; 3],
    /// Nodes that disagree.
    wrong: u64,
    /// By name; a name that several have is there once for each.
    each: BTreeMap<String, Vec<Books>>,
}

const OBJECTS: [&str; 7] =
    ["processes", "threads", "process objects", "thread objects", "endpoints", "facets", "notifications"];
const DERIVATION: [&str; 3] = ["capabilities", "nodes of capabilities", "leases"];

impl Living {
    /// What is not as it was, in words.
    pub fn differences(&self, before: &Living) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, of: &str, now: u64, then: u64| {
            if now != then {
                found.push(format!("{what} {of}: {now}, not {then}"));
            }
        };
        compare("all pages", "", self.pages, before.pages);
        for (name, (now, then)) in OBJECTS.iter().zip(self.objects.iter().zip(before.objects)) {
            compare(name, "", *now, then);
        }
        for (name, (now, then)) in DERIVATION.iter().zip(self.derivation.iter().zip(before.derivation)) {
            compare(name, "", *now, then);
        }
        for (name, then) in &before.each {
            let now = self.each.get(name).map(Vec::as_slice).unwrap_or_default();
            compare("processes called", name, now.len() as u64, then.len() as u64);
            for (now, then) in now.iter().zip(then) {
                for (what, (now, then)) in BOOKS.iter().zip(now.iter().zip(then)) {
                    compare(what, name, *now, *then);
                }
            }
        }
        found
    }

    /// Nodes of the derivation tree that disagree.
    pub fn derivations_wrong(&self) -> u64 {
        self.wrong
    }

    /// Processes whose books were compared.
    pub fn compared(&self) -> usize {
        self.each.values().map(Vec::len).sum()
    }
}

/// Looks at everything.
pub fn look(setup: &Setup) -> Result<Living, CallError> {
    let counts = setup.audit.counts_now()?;
    let system = setup.audit.system();
    let derivation = system.derivation_blocking()?;
    let mut books: Vec<(u64, Books)> = Vec::new();
    setup.audit.each_process(|it| {
        let own = [
            it.threads,
            it.slots,
            it.own_pages,
            it.lent_pages,
            it.regions,
            it.orphaned_pages,
            it.own_entries,
        ];
        books.push((it.id, own));
    })?;
    let mut each: BTreeMap<String, Vec<Books>> = BTreeMap::new();
    let mut pages = counts.free_pages + counts.kernel_pages;
    for (id, mut own) in books {
        let name = match system.process_blocking(id) {
            Ok(found) if found.id == id => found.name,
            // It has just gone.
            _ => String::from("?"),
        };
        let [_, _, own_pages, ..] = &mut own;
        pages += *own_pages;
        if id == rt::threads::process_id() {
            // What we have of our own grows with what we remember.
            *own_pages = 0;
        }
        each.entry(name).or_default().push(own);
    }
    let [process_objects, thread_objects, endpoints, facets, notifications] = counts.objects;
    Ok(Living {
        objects: [
            counts.processes.into(),
            counts.threads.into(),
            process_objects,
            thread_objects,
            endpoints,
            facets,
            notifications,
        ],
        pages,
        derivation: [derivation.held, derivation.alive, derivation.leases],
        wrong: derivation.wrong,
        each,
    })
}

/// How long processes of these names have worked, nanoseconds.
pub fn worked(setup: &Setup, names: &[&str]) -> Result<u64, CallError> {
    let (mut sum, mut cursor) = (0, 0);
    loop {
        match setup.audit.system().process_blocking(cursor) {
            Ok(found) => {
                // The supervisor works because we ask it.
                let counts = names.contains(&found.name.as_str()) && found.name != "supervisor";
                sum += if counts { found.cpu_ns } else { 0 };
                cursor = found.id + 1;
            }
            Err(error) if error.exception() == Some(rt::ExceptionCode::NotFound) => return Ok(sum),
            Err(error) => return Err(error),
        }
    }
}
