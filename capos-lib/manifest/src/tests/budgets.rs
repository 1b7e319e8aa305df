//! Budgets that are too small to start with, or larger than the machine.

use super::{facts, issue, issues, kernel, sound};
use crate::{Budget, Facts, Field, SUPERVISOR_PAGES, VECTORS, validate};
use alloc::string::ToString;

#[test]
fn defaults_are_those_of_the_schema() {
    let text = include_str!("../../../../schema/manifest.capnp");
    let default = Budget::default();
    let values = [
        ("memoryPages", default.memory_pages),
        ("capSlots", default.cap_slots),
        ("threads", default.threads),
        ("callsInFlight", default.calls_in_flight),
        ("endpointEntries", default.endpoint_entries),
        ("logBytes", default.log_bytes),
        ("priority", u32::from(default.priority)),
        ("cpuPercent", u32::from(default.cpu_percent)),
        ("dmaPages", default.dma_pages),
        ("vectors", default.vectors),
    ];
    for (name, value) in values {
        let line = text.lines().find(|line| line.trim().starts_with(name)).unwrap();
        assert!(line.ends_with(&alloc::format!("= {value};")), "{line}");
    }
}

#[test]
fn nothing_starts_with_nothing() {
    let (text, field, entry) = issue(|manifest| manifest.services[0].budget.memory_pages = 0);
    assert!(text.starts_with(r#"service "serial": budget memoryPages: "#), "{text}");
    assert_eq!((field, entry.as_str()), (Field::Budget, "memoryPages"));
    let (text, ..) = issue(|manifest| manifest.services[0].budget.threads = 0);
    assert!(text.contains("without a thread"), "{text}");
    let (text, ..) = issue(|manifest| manifest.services[0].budget.calls_in_flight = 63);
    assert!(text.contains("needs 64"), "{text}");
}

#[test]
fn priorities_end_at_31() {
    assert_eq!(issues(|manifest| manifest.services[0].budget.priority = 31), []);
    let (text, ..) = issue(|manifest| manifest.services[0].budget.priority = 32);
    assert!(text.contains("31 is the highest"), "{text}");
}

#[test]
fn shares_end_where_machines_do() {
    assert_eq!(issues(|manifest| manifest.services[0].budget.cpu_percent = 6400), []);
    let (text, _, entry) = issue(|manifest| manifest.services[0].budget.cpu_percent = 6401);
    assert_eq!(entry, "cpuPercent");
    assert!(text.contains("64 processors"), "{text}");
}

#[test]
fn capabilities_need_slots() {
    // Three on itself, three granted, and the endpoint.
    assert_eq!(issues(|manifest| manifest.services[0].budget.cap_slots = 7), []);
    let (text, ..) = issue(|manifest| manifest.services[0].budget.cap_slots = 6);
    assert!(text.contains("starts with 7 capabilities, but has 6 slots"), "{text}");
    let (text, ..) = issue(|manifest| {
        manifest.services[2].caps.extend((0..70).map(|n| {
            let mut log = kernel("log", "LogSink");
            log.name = alloc::format!("log{n}");
            log
        }))
    });
    assert!(text.contains("starts with 76 capabilities, but has 64 slots"), "{text}");
}

#[test]
fn tables_have_an_end() {
    let (text, ..) = issue(|manifest| manifest.services[0].budget.cap_slots = u32::MAX);
    assert!(text.contains("at most 65536"), "{text}");
}

#[test]
fn one_service_larger_than_the_machine() {
    let (text, ..) = issue(|manifest| manifest.services[0].budget.memory_pages = 25_600);
    assert!(text.contains("100 MiB, but the machine has 92 MiB beside the supervisor's"), "{text}");
}

#[test]
fn services_that_run_together_must_fit_together() {
    let mut manifest = sound();
    manifest.services.iter_mut().for_each(|service| service.budget.memory_pages = 10_000);
    let found = validate(&manifest, &facts());
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("the services before it leave 13 MiB"), "{}", found[0]);
    manifest.services[0].autostart = false;
    assert_eq!(validate(&manifest, &facts()), []);
}

#[test]
fn pages_of_devices_are_memory() {
    let more = |pages| {
        move |manifest: &mut crate::Manifest| {
            let budget = &mut manifest.services[0].budget;
            (budget.memory_pages, budget.dma_pages) = (600, pages);
        }
    };
    assert_eq!(issues(more(600)), []);
    let (text, _, entry) = issue(more(601));
    assert!(text.contains("601 pages, but they count as memory, of which it has 600 pages"), "{text}");
    assert_eq!(entry, "dmaPages");
}

#[test]
fn interrupts_end_where_the_kernels_do() {
    assert_eq!(issues(|manifest| manifest.services[0].budget.vectors = VECTORS), []);
    let (text, _, entry) = issue(|manifest| manifest.services[0].budget.vectors = VECTORS + 1);
    assert!(text.contains("193 interrupts; the kernel has 192"), "{text}");
    assert_eq!(entry, "vectors");
    let mut manifest = sound();
    (manifest.services[0].budget.vectors, manifest.services[1].budget.vectors) = (100, 93);
    let found = validate(&manifest, &facts());
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().ends_with("93 interrupts; of 192, the services before it leave 92"));
    manifest.services[0].autostart = false;
    assert_eq!(validate(&manifest, &facts()), []);
}

#[test]
fn a_machine_without_memory_and_the_largest_numbers() {
    let mut manifest = sound();
    manifest.services.iter_mut().for_each(|service| service.budget.memory_pages = u32::MAX);
    let facts = Facts { memory_pages: 0, ..facts() };
    assert_eq!(validate(&manifest, &facts).len(), 3);
    let facts = Facts { memory_pages: u64::MAX, ..facts };
    assert_eq!(validate(&manifest, &facts), []);
}

#[test]
fn the_supervisor_needs_its_memory_too() {
    let (mut manifest, facts) = (sound(), facts());
    manifest.services.truncate(1);
    let all = u32::try_from(facts.memory_pages).unwrap();
    manifest.services[0].budget.memory_pages = all - SUPERVISOR_PAGES;
    assert_eq!(validate(&manifest, &facts), []);
    manifest.services[0].budget.memory_pages += 1;
    assert_eq!(validate(&manifest, &facts).len(), 1);
}
