//! The kernel's books: what each process has, what the kernel holds for all, and whether everything is where it belongs.

use crate::machine::{LIMIT, item};
use crate::pci::named;
use crate::{Trouble, shapes};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::CallError;
use rt::generated::SystemInfoClient;
use rt::generated::system_info::AuditProcessReply;
use rt::schema::interface_name;

/// How often a process or a function is looked at whose books disagree: other processors work on, and what one looks at may be in the
/// middle of something (a program that is started, a driver that dies). So often because a virtual processor may stand still for
/// milliseconds just there. What is wrong stays wrong.
const LOOKS: usize = 2000;

/// Totals, processes, and capabilities by interface.
pub(crate) async fn all(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let kernel = system.audit().await?;
    let mut processes = shapes::AUDIT_PROCESS.report();
    let mut interfaces = BTreeMap::new();
    let (mut disorder, mut pending, mut cursor) = (0u64, 0, 0);
    while !processes.is_full() {
        let Some(books) = settled(system, cursor).await? else { break };
        disorder += u64::from(!books.wrong.is_empty());
        pending += books.pending;
        count(system, books.id, &mut interfaces).await?;
        // It may have ended since.
        let name = item(system.process(books.id).await)?.filter(|process| process.id == books.id);
        let numbers = [books.threads, books.slots, books.pending, books.raised, books.calls, books.receives];
        let pages = [books.mapped_pages, books.own_pages, books.lent_pages, books.orphaned_pages];
        let row = [Value::number(books.id)].into_iter().chain(numbers.map(Value::number));
        let row =
            row.chain([books.own_entries, books.regions].map(Value::number)).chain(pages.map(Value::Pages));
        let name = name.map_or_else(String::new, |process| process.name);
        processes.row(row.chain([Value::text(verdict(&books.wrong)), Value::Text(name)]));
        match books.id.checked_add(1) {
            Some(next) if next > cursor => cursor = next,
            _ => break,
        }
    }
    let devices = devices(system).await?;
    let slots: u64 = interfaces.values().sum();
    let objects = [kernel.processes, kernel.threads, kernel.endpoints, kernel.facets, kernel.notifications];
    let others =
        [kernel.alarms, pending, slots, kernel.heap_bytes, disorder, devices.number, devices.disorder];
    let totals = shapes::AUDIT.of_one(objects.into_iter().chain(others).map(Value::number));
    let mut report = shapes::AUDIT_INTERFACE.report();
    for (interface, number) in interfaces {
        let name = interface_name(interface).map_or_else(|| format!("{interface:#x}"), String::from);
        report.row([Value::Text(name), Value::number(number)]);
    }
    Ok(alloc::vec![totals, processes, devices.report, report])
}

/// The books of the process with this number or the next one.
async fn settled(system: &SystemInfoClient, from: u64) -> Result<Option<AuditProcessReply>, CallError> {
    let mut books = item(system.audit_process(from).await)?;
    for _ in 1..LOOKS {
        if books.as_ref().is_none_or(|books| books.wrong.is_empty()) {
            break;
        }
        books = item(system.audit_process(from).await)?;
    }
    Ok(books)
}

/// The ledger of functions.
struct Devices {
    report: Report,
    number: u64,
    disorder: u64,
}

async fn devices(system: &SystemInfoClient) -> Result<Devices, Trouble> {
    let mut found = Devices { report: shapes::AUDIT_DEVICE.report(), number: 0, disorder: 0 };
    let mut cursor = 0;
    while !found.report.is_full() {
        let Some(mut books) = item(system.audit_device(cursor).await)? else { break };
        for _ in 1..LOOKS {
            match item(system.audit_device(books.address).await)? {
                Some(again) if !books.wrong.is_empty() => books = again,
                _ => break,
            }
        }
        found.number += 1;
        found.disorder += u64::from(!books.wrong.is_empty());
        let numbers = [books.mapped_pages, books.vectors, books.buffers, books.queues, books.kept_pages];
        let row = [Value::Text(named(books.address))].into_iter().chain(numbers.map(Value::number));
        found.report.row(row.chain([Value::text(verdict(&books.wrong))]));
        cursor = books.next;
    }
    Ok(found)
}

fn verdict(wrong: &str) -> &str {
    if wrong.is_empty() { "in order" } else { wrong }
}

/// Counts what a process holds.
async fn count(
    system: &SystemInfoClient,
    process: u64,
    interfaces: &mut BTreeMap<u64, u64>,
) -> Result<(), CallError> {
    let mut slot = 0;
    for _ in 0..LIMIT {
        let Some(held) = item(system.capability(process, slot).await)? else { break };
        *interfaces.entry(held.interface).or_default() += 1;
        match held.slot.checked_add(1) {
            Some(next) if next > slot => slot = next,
            _ => break,
        }
    }
    Ok(())
}
