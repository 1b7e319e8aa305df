//! Budgets: enough to start with, and not more than there is.

use super::Issues;
use crate::facts::{Facts, SUPERVISOR_PAGES, VECTORS};
use crate::issue::Field;
use crate::model::{Manifest, Service};
use alloc::format;
use alloc::string::String;
use capos_abi::{CapId, MAX_CAP_SLOTS, PAGE_SIZE, PRIORITIES};

/// The first thread's ring block has this many entries, each of which may be a call in flight.
const FIRST_THREAD_CALLS: u32 = 64;

/// Of one processor: all that the kernel starts at most.
const MOST_PERCENT: u16 = 6400;

pub(super) fn check(service: &Service, issues: &mut Issues) {
    let budget = &service.budget;
    let mut wrong = |entry: &str, message: String| issues.add(service, Field::Budget, entry, message);
    if budget.memory_pages == 0 {
        wrong("memoryPages", String::from("a process cannot start without memory"));
    }
    if budget.threads == 0 {
        wrong("threads", String::from("a process cannot start without a thread"));
    }
    if budget.calls_in_flight < FIRST_THREAD_CALLS {
        wrong("callsInFlight", format!("the first thread alone needs {FIRST_THREAD_CALLS}"));
    }
    if usize::from(budget.priority) >= PRIORITIES {
        wrong("priority", format!("{} is too high; {} is the highest", budget.priority, PRIORITIES - 1));
    }
    if budget.cpu_percent > MOST_PERCENT {
        wrong(
            "cpuPercent",
            format!("{} is more than 64 processors, the most that are used", budget.cpu_percent),
        );
    }
    if budget.dma_pages > budget.memory_pages {
        let (pages, most) = (budget.dma_pages, budget.memory_pages);
        wrong("dmaPages", format!("{pages} pages, but they count as memory, of which it has {most} pages"));
    }
    let needed = slots(service);
    if budget.cap_slots as usize > MAX_CAP_SLOTS {
        wrong("capSlots", format!("{} slots; a table has at most {MAX_CAP_SLOTS}", budget.cap_slots));
    } else if (budget.cap_slots as usize) < needed {
        wrong(
            "capSlots",
            format!("it starts with {needed} capabilities, but has {} slots", budget.cap_slots),
        );
    }
}

/// Capabilities that a service starts with: those on itself, the granted ones, its endpoint when it exports something, and
/// the one for its supervisor when it promises to be healthy.
fn slots(service: &Service) -> usize {
    let own = usize::from(!service.exports.is_empty()) + usize::from(service.health.is_some());
    CapId::FIRST_GRANT as usize + service.caps.len() + own
}

/// Memory is given from what init has, so services that run together must fit together, and with their supervisor.
pub(super) fn check_memory(manifest: &Manifest, facts: &Facts, issues: &mut Issues) {
    let total = facts.memory_pages.saturating_sub(u64::from(SUPERVISOR_PAGES));
    let mut given = 0u64;
    for service in &manifest.services {
        let pages = u64::from(service.budget.memory_pages);
        let before = if service.autostart { given } else { 0 };
        if pages > total - before {
            let left = mebibytes(total - before);
            let message = match before {
                0 => format!(
                    "{} MiB, but the machine has {left} MiB beside the supervisor's",
                    mebibytes(pages)
                ),
                _ => format!("{} MiB, but the services before it leave {left} MiB", mebibytes(pages)),
            };
            issues.add(service, Field::Budget, "memoryPages", message);
        } else if service.autostart {
            given += pages;
        }
    }
}

/// Interrupts are given from what the kernel has, so those of services that run together must fit together.
pub(super) fn check_vectors(manifest: &Manifest, issues: &mut Issues) {
    let mut left = VECTORS;
    for service in &manifest.services {
        let (vectors, most) = (service.budget.vectors, if service.autostart { left } else { VECTORS });
        if vectors > most {
            let message = match most {
                VECTORS => format!("{vectors} interrupts; the kernel has {VECTORS}"),
                _ => format!("{vectors} interrupts; of {VECTORS}, the services before it leave {most}"),
            };
            issues.add(service, Field::Budget, "vectors", message);
        } else if service.autostart {
            left -= vectors;
        }
    }
}

fn mebibytes(pages: u64) -> u64 {
    pages.saturating_mul(PAGE_SIZE as u64) >> 20
}
