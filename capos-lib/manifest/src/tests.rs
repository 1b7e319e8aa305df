//! Tests of every part, over one small sound system.

mod budgets;
mod capabilities;
mod devices;
// Safe code over the reader that `json` runs under Miri, where this alone takes a minute.
#[cfg(not(miri))]
mod compose;
mod json;
mod names;
mod order;
mod suggest;
mod supervision;
mod wire;

use crate::{Export, Facts, Field, Grant, Issue, Manifest, Service, Source, validate};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::ProptestConfig;

/// Fewer cases under Miri, which is slow, and no files, which it forbids.
fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 1 } else { 256 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn grant(name: &str, interface: &str, source: Source) -> Grant {
    Grant { name: name.to_string(), interface: interface.to_string(), source }
}

fn kernel(name: &str, interface: &str) -> Grant {
    grant(name, interface, Source::Kernel(name.to_string()))
}

fn from(name: &str, interface: &str, service: &str, export: &str) -> Grant {
    let source = Source::Export { service: service.to_string(), export: export.to_string() };
    grant(name, interface, source)
}

fn export(name: &str, interface: &str) -> Export {
    Export { name: name.to_string(), interface: interface.to_string() }
}

/// Serial driver, console, shell.
fn sound() -> Manifest {
    let serial = Service {
        caps: Vec::from([
            grant("ports", "IoPort", Source::IoPort { base: 0x3f8, length: 8 }),
            grant("irq", "Interrupt", Source::Irq(4)),
            kernel("log", "LogSink"),
        ]),
        exports: Vec::from([export("line", "ByteStream")]),
        ..Service::new("serial")
    };
    let console = Service {
        caps: Vec::from([from("line", "ByteStream", "serial", "line")]),
        exports: Vec::from([export("console", "Console")]),
        ..Service::new("console")
    };
    let shell = Service {
        args: Vec::from(["--quiet".to_string()]),
        caps: Vec::from([
            from("console", "Console", "console", "console"),
            from("services", "Services", "supervisor", "services"),
            kernel("timer", "Timer"),
        ]),
        ..Service::new("shell")
    };
    Manifest {
        name: "default".to_string(),
        services: Vec::from([serial, console, shell]),
        ..Manifest::default()
    }
}

fn facts() -> Facts {
    let files = ["init", "serial", "console", "shell", "diag"];
    Facts::new(files.into_iter().map(String::from).collect(), 24_576)
}

/// What is wrong with the sound system after a change.
fn issues(change: impl FnOnce(&mut Manifest)) -> Vec<Issue> {
    let mut manifest = sound();
    change(&mut manifest);
    validate(&manifest, &facts())
}

/// The one issue that a change causes: its text, and where it is.
#[track_caller]
fn issue(change: impl FnOnce(&mut Manifest)) -> (String, Field, String) {
    let issues = issues(change);
    assert_eq!(issues.len(), 1, "{issues:?}");
    let issue = issues.into_iter().next().unwrap();
    (issue.to_string(), issue.place.field, issue.place.entry)
}

#[test]
fn the_sound_system_is_sound() {
    assert_eq!(issues(|_| {}), []);
}

#[test]
fn an_issue_knows_its_labels() {
    let found = issues(|manifest| manifest.services[2].caps[0] = kernel("console", "Console"));
    assert_eq!(found[0].place.labels(), ["shell", "caps", "console"]);
    let found = issues(|manifest| manifest.services[2].binary = "nobody".to_string());
    assert_eq!(found[0].place.labels(), ["shell", "binary"]);
    let found = issues(|manifest| manifest.services[2].name = "init".to_string());
    assert_eq!(found[0].place.labels(), ["init"]);
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let found = issues(|manifest| {
        manifest.services[0].binary = "x".to_string();
        manifest.services[1].budget.threads = 0;
        manifest.services[2].caps[0] = from("console", "Console", "consol", "console");
    });
    assert_eq!(found.len(), 3);
}
