//! Whether a manifest makes sense. Everything that is wrong is reported, not only the first.

mod budgets;
mod devices;
mod hardware;
mod names;
mod sources;
mod startup;
mod supervision;

use crate::facts::Facts;
use crate::issue::{Field, Issue, Place};
use crate::model::{Grant, Manifest, Service};
use crate::order::start_order;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use startup::STARTUP_MAX;

/// Checks a manifest against the machine. Empty when all is well.
pub fn validate(manifest: &Manifest, facts: &Facts) -> Vec<Issue> {
    let mut issues = Issues::default();
    names::check(manifest, &mut issues);
    for service in &manifest.services {
        binary(service, facts, &mut issues);
        sources::check(manifest, service, facts, &mut issues);
        devices::check(manifest, service, &mut issues);
        startup::check(manifest, service, &mut issues);
        budgets::check(service, &mut issues);
        supervision::check(service, &mut issues);
    }
    supervision::check_count(manifest, &mut issues);
    budgets::check_memory(manifest, facts, &mut issues);
    budgets::check_vectors(manifest, &mut issues);
    hardware::check(manifest, &mut issues);
    cycles(manifest, &mut issues);
    issues.list
}

/// Collects what is wrong.
#[derive(Default)]
struct Issues {
    list: Vec<Issue>,
}

impl Issues {
    fn add(&mut self, service: &Service, field: Field, entry: &str, message: String) {
        self.add_with_hint(service, field, entry, message, None);
    }

    fn add_with_hint(
        &mut self,
        service: &Service,
        field: Field,
        entry: &str,
        message: String,
        hint: Option<String>,
    ) {
        let place = Place { service: service.name.clone(), field, entry: String::from(entry) };
        self.list.push(Issue { place, message, hint });
    }
}

fn binary(service: &Service, facts: &Facts, issues: &mut Issues) {
    if facts.files.contains(&service.binary) {
        return;
    }
    let hint = crate::suggest::did_you_mean(&service.binary, facts.files.iter().map(String::as_str));
    let message = format!("there is no boot file {:?}", service.binary);
    issues.add_with_hint(service, Field::Binary, "", message, hint);
}

fn cycles(manifest: &Manifest, issues: &mut Issues) {
    let Err(cycle) = start_order(manifest) else { return };
    let first = cycle.services.first().and_then(|n| manifest.services.get(*n));
    let Some(service) = first else { return };
    let second = cycle.names.get(1).or(cycle.names.first());
    let needs = |grant: &&Grant| {
        grant.source.provider().is_some_and(|(service, _)| Some(service) == second.map(String::as_str))
    };
    let grant = service.caps.iter().find(needs);
    let entry = grant.map_or("", |grant| grant.name.as_str());
    issues.add(service, Field::Caps, entry, format!("nobody in this ring can be started first: {cycle}"));
}
